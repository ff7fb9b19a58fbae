//! `cargo xtask build`: the agent as it is shipped, with the XDP programs inside.
//!
//! It is linked statically: it runs on any distribution, however old its C library, and where there is none. What only
//! a debugger reads is in a file beside it, which stays where it was built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cargo::{self, Build};
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
    let start = || Build::statically(&["--release", "--package", "sensor-user", "--bin", "sensor"]);
    let build = setup::for_building_beside(start)?;
    part(cargo::program("sensor", &build.finish()?)?)
}

/// Puts a program that cargo built into the usual folder, `target/release`, and its debug information beside it.
fn part(built: &Path) -> Result<PathBuf> {
    // target/x86_64-unknown-linux-gnu/release/sensor
    let folder = built.ancestors().nth(3).context("cargo built the agent in no target folder")?;
    let program = folder.join("release").join(built.file_name().context("cargo built a folder")?);
    let (debug, partial) = (program.with_extension("debug"), program.with_extension("partial"));
    fs::create_dir_all(folder.join("release")).context("cannot create target/release")?;
    objcopy(&["--only-keep-debug"], built, &debug)?;
    objcopy(&["--strip-all", &format!("--add-gnu-debuglink={}", debug.display())], built, &partial)?;
    // Whoever runs it keeps the old one.
    fs::rename(&partial, &program).with_context(|| format!("cannot write {}", program.display()))?;
    Ok(program)
}

fn objcopy(arguments: &[&str], from: &Path, to: &Path) -> Result<()> {
    shell::capture(Command::new("objcopy").args(arguments).arg(from).arg(to), PARTING)
        .context("parting the agent from its debug information: install binutils")
        .map(drop)
}
