//! What goes into machines with processors of another kind than this host's: everything is built for them, and linked
//! statically, since libraries for them are not where programs would look.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::image::Payload;
use super::tools::Tools;
use super::{CPUS, OUTSIDE, programs};
use crate::architecture::Architecture;
use crate::cargo::{self, Build};
use crate::test::INTEGRATION;
use crate::{build, setup, shell};

/// Builds it with these programs of tests, or with all that run inside.
///
/// # Errors
/// When what building needs is missing, or something does not compile.
pub fn payload(architecture: Architecture, tests: &[String]) -> Result<Payload> {
    setup::for_machines()?;
    setup::for_crossing(&[(architecture.qemu(), "qemu-system-arm"), ("readelf", "binutils")], None)?;
    let tools = architecture.bring()?;
    let names = if tests.is_empty() { inside()? } else { tests.to_vec() };
    let statically = |arguments: &[&str]| Build::statically(&tools.target, arguments)?.finish();
    let init = statically(&["--package", "sensor-guest", "--bin", "guest-init"])?;
    let tests: Vec<&str> = names.iter().flat_map(|name| ["--test", name.as_str()]).collect();
    let built = statically(&[&["--package", "sensor-tests"][..], &tests].concat())?;
    // It sends from this host.
    let cable = cargo::build(&["--package", "sensor-harness", "--bin", "vm-cable"])?;
    let folder = shell::workspace().join("target/vm").join(architecture.name());
    Ok(Payload {
        architecture,
        init: cargo::program("guest-init", &init)?.to_path_buf(),
        agent: build::agent_for(&tools.target, &tools.binutil("objcopy"), &folder)?,
        cable: cargo::program("vm-cable", &cable)?.to_path_buf(),
        programs: programs(&built),
        strip: tools.binutil("strip"),
        tools: Tools::bring(architecture)?,
        cpus: CPUS,
    })
}

/// The names of all programs of tests that run inside: to link the others would take minutes.
fn inside() -> Result<Vec<String>> {
    let folder = shell::workspace().join(INTEGRATION);
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| program(&entry.ok()?.path())).filter(|name| is_inside(name)).collect();
    names.sort();
    Ok(names)
}

/// The program that a file or folder of the integration tests is the source of.
fn program(path: &Path) -> Option<String> {
    let is_one = match path.extension() {
        Some(extension) => extension == "rs" && path.file_stem()? != "lib",
        None => path.join("main.rs").is_file(),
    };
    is_one.then(|| path.file_stem())?.map(|name| name.to_string_lossy().into_owned())
}

fn is_inside(name: &str) -> bool {
    OUTSIDE.iter().all(|(outside, _)| *outside != name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_run_inside_are_found() -> Result<()> {
        let names = inside()?;
        for name in ["counts", "exact", "lifecycle", "packets", "check"] {
            assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
        }
        for name in ["lib", "common", "harness", "data", "package"] {
            assert!(names.iter().all(|found| found != name), "{name} is among {names:?}");
        }
        Ok(())
    }
}
