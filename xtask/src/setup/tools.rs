//! Programs that the tests and the demo run: `ip`, and `promtool` of Debian's `prometheus` package.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::{Report, apt};
use crate::{cargo, shell};

/// Where the programs are that a test may be handed.
pub struct Tools {
    /// `promtool`.
    pub promtool: PathBuf,
}

/// Finds or brings all of them.
///
/// # Errors
/// When one is missing and cannot be brought: which, and how to get it.
pub fn bring(report: &mut Report) -> Result<Tools> {
    installed("ip", &["iproute2"], report)?;
    Ok(Tools { promtool: unpacked("promtool", report)? })
}

/// Says whether the formatter and the linter are there. Neither building nor testing needs them.
pub fn look_for_components(report: &Report) {
    for (name, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        let version =
            shell::capture(cargo::command().args([subcommand, "--version"]), Duration::from_secs(30));
        match version {
            Ok(version) => report.have(name, &version),
            Err(_) => report.lack(name, &format!("for the checks of .ci/run: `rustup component add {name}`")),
        }
    }
}

/// A program that one of `packages` installs, the first that apt has.
fn installed(program: &str, packages: &[&str], report: &mut Report) -> Result<PathBuf> {
    if let Some(path) = shell::find(program) {
        report.have(program, &path.display().to_string());
        return Ok(path);
    }
    let package = apt::refreshed_until(|| packages.iter().find(|package| apt::candidate(package).is_some()))
        .ok_or_else(|| anyhow!("no {program}, and apt has no {}: install it", packages.join(" or ")))?;
    apt::install(program, &[package], report)?;
    shell::find(program).ok_or_else(|| anyhow!("{package} is installed, but there is no {program}"))
}

/// A program of Debian's `prometheus` package. Installing that package would start a server on every
/// interface, so it is unpacked beside the build's own files.
fn unpacked(program: &str, report: &mut Report) -> Result<PathBuf> {
    const PACKAGE: &str = "prometheus";
    let folder = shell::workspace().join("target/tools").join(PACKAGE);
    let ours = folder.join("usr/bin").join(program);
    if let Some(path) = shell::find(program).or_else(|| ours.is_file().then(|| ours.clone())) {
        let version = shell::capture(Command::new(&path).arg("--version"), Duration::from_secs(30))?;
        report.have(program, &format!("{} ({})", path.display(), version.lines().next().unwrap_or_default()));
        return Ok(path);
    }
    report.bringing(program, &format!("unpacking Debian's {PACKAGE}: installing it would start a server"));
    apt::unpack(PACKAGE, &folder)
        .with_context(|| format!("no {program}: install it, or the package {PACKAGE}"))?;
    if !ours.is_file() {
        return Err(anyhow!("the package {PACKAGE} brought no {program}"));
    }
    Ok(ours)
}
