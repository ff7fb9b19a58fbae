//! The first file system of a virtual machine: the first process, the tests and what they run, the modules.
//!
//! Programs are linked as they were built; the libraries that they name come along, at the same places.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use sensor_guest::path;

use super::cpio::{Archive, DATA, PROGRAM};
use super::modules;
use super::tools::{Libraries, Tools};
use crate::architecture::Architecture;
use crate::shell;

/// Programs that tests run, beside the agent.
const PROGRAMS: [&str; 14] = [
    "ip", "tc", "setpriv", "prlimit", "unshare", "mount", "sh", "cp", "mkdir", "chown", "chgrp", "chmod",
    "dirname", "stat",
];

/// What tests read from the workspace.
const TEXTS: [&str; 3] = ["docs/metrics.md", "packaging/prepare-pins", "packaging/sensor.service"];

/// Programs find what they look for as in any Debian.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What goes into every machine.
pub struct Payload {
    /// The kind of its processors.
    pub architecture: Architecture,
    /// The first process.
    pub init: PathBuf,
    /// The agent.
    pub agent: PathBuf,
    /// What sends packets to a machine, from outside.
    pub cable: PathBuf,
    /// Programs of tests, by name.
    pub programs: Vec<(String, PathBuf)>,
    /// What takes out of a program what only a debugger reads.
    pub strip: String,
    /// Where programs that tests run come from.
    pub tools: Tools,
    /// How many processors the machine has.
    pub cpus: usize,
}

/// Writes the file system for a kernel with these modules, and returns the modules that it has not.
///
/// # Errors
/// When something cannot be read or written.
pub fn write(payload: &Payload, modules: &Path, to: &Path) -> Result<Vec<String>> {
    let (modules, missing) = modules::needed(modules)?;
    let file = File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
    let mut archive = Archive::new(BufWriter::new(file));
    // The kernel gives the first process its standard streams before anything is mounted.
    archive.device(Path::new("/dev/console"), (5, 1))?;
    archive.file(Path::new("/init"), PROGRAM, &stripped(&payload.init, &payload.strip)?)?;

    let mut order = Vec::new();
    for module in modules {
        let path = format!("/vm/module/{}.ko", module.name);
        archive.file(Path::new(&path), DATA, &module.content)?;
        order.push(path);
    }
    archive.file(Path::new(path::MODULES), DATA, order.join("\n").as_bytes())?;

    let mut programs = Vec::new();
    let mut libraries = Libraries::new();
    for (name, file) in &payload.programs {
        let path = format!("/vm/test/{name}");
        archive.file(Path::new(&path), PROGRAM, &stripped(file, &payload.strip)?)?;
        programs.push(format!("{name}\t{path}"));
        payload.tools.add_libraries(file, &mut libraries)?;
    }
    archive.file(Path::new(path::PROGRAMS), DATA, programs.join("\n").as_bytes())?;
    archive.file(Path::new("/vm/sensor"), PROGRAM, &stripped(&payload.agent, &payload.strip)?)?;
    payload.tools.add_libraries(&payload.agent, &mut libraries)?;
    for program in PROGRAMS {
        let file = payload.tools.find(program)?;
        archive.file(&Path::new("/usr/bin").join(program), PROGRAM, &read(&file)?)?;
        payload.tools.add_libraries(&file, &mut libraries)?;
    }
    for (library, file) in libraries {
        archive.file(&library, PROGRAM, &read(&file)?)?;
    }
    for text in TEXTS {
        let file = shell::workspace().join(text);
        archive.file(&file, DATA, &read(&file)?)?;
    }
    archive.folder(Path::new(path::FOLDER))?;
    // Tests wait more than they compute.
    let threads = (2 * payload.cpus).to_string();
    let variables = [
        ("PATH", PATH),
        ("HOME", "/"),
        ("SENSOR_BIN", "/vm/sensor"),
        ("SENSOR_VM_NIC", sensor_guest::NIC),
        ("SENSOR_SKIPS", path::SKIPS),
        ("RUST_TEST_THREADS", &threads),
    ];
    let environment = variables.map(|(name, value)| format!("{name}={value}")).join("\n");
    archive.file(Path::new(path::ENVIRONMENT), DATA, environment.as_bytes())?;
    archive.finish()?;
    Ok(missing)
}

/// A program without what only a debugger reads, which is most of it.
fn stripped(file: &Path, strip: &str) -> Result<Vec<u8>> {
    let to = file.with_extension("stripped");
    let strip = shell::capture(
        Command::new(strip).arg("--strip-debug").arg("-o").arg(&to).arg(file),
        Duration::from_mins(1),
    );
    // Without binutils the machine is only larger.
    let bytes = read(if strip.is_ok() { &to } else { file })?;
    let _ = fs::remove_file(&to);
    Ok(bytes)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}
