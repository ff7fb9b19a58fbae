//! `cargo xtask build`: the agent as it is shipped, with the XDP programs inside.
//!
//! It is linked statically: it runs on any distribution, however old its C library, and where there is none. What only
//! a debugger reads is in a file beside it, which stays where it was built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cargo::{self, Build, Target};
use crate::{setup, shell};

/// Parting a program from its debug information takes no longer.
const PARTING: Duration = Duration::from_mins(1);

/// Builds the agent and says where it is.
///
/// # Errors
/// When the toolchain cannot be had or the code does not compile.
pub fn run() -> Result<()> {
    let agent = agent()?;
    let shown = agent.strip_prefix(shell::workspace()).unwrap_or(&agent);
    println!("{}", shown.display());
    Ok(())
}

/// Builds the agent for release and returns its path, `target/release/sensor`. What needs no toolchain for BPF is
/// compiled while setup brings one.
///
/// # Errors
/// When the toolchain cannot be had or the code does not compile.
pub fn agent() -> Result<PathBuf> {
    agent_for(&Target::here()?, "objcopy", &shell::workspace().join("target/release"))
}

/// Builds the agent for a kind of processor and puts it, as `sensor`, into a folder.
///
/// # Errors
/// As [`agent`].
pub fn agent_for(target: &Target, objcopy: &str, folder: &Path) -> Result<PathBuf> {
    let start = || Build::statically(target, &["--release", "--package", "sensor-user", "--bin", "sensor"]);
    let build = setup::for_building_beside(start)?;
    part(cargo::program("sensor", &build.finish()?)?, objcopy, folder)
}

/// Puts a program that cargo built into a folder, and its debug information beside it.
///
/// # Errors
/// When there is no `objcopy`, or the folder cannot be written to.
pub fn part(built: &Path, objcopy: &str, folder: &Path) -> Result<PathBuf> {
    let program = folder.join(built.file_name().context("cargo built a folder")?);
    let (debug, partial) = (program.with_extension("debug"), program.with_extension("partial"));
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let objcopy = |arguments: &[&str], to: &Path| -> Result<()> {
        shell::capture(Command::new(objcopy).args(arguments).arg(built).arg(to), PARTING)
            .context("parting a program from its debug information: install binutils")
            .map(drop)
    };
    objcopy(&["--only-keep-debug"], &debug)?;
    objcopy(&["--strip-all", &format!("--add-gnu-debuglink={}", debug.display())], &partial)?;
    // Whoever runs it keeps the old one.
    fs::rename(&partial, &program).with_context(|| format!("cannot write {}", program.display()))?;
    Ok(program)
}
