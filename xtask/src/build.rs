//! `cargo xtask build`: the agent, with the XDP programs inside.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{cargo, setup, shell};

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

/// Builds the agent for release and returns its path.
///
/// # Errors
/// When the toolchain cannot be had or the code does not compile.
pub fn agent() -> Result<PathBuf> {
    setup::for_building()?;
    cargo::build(&["--release", "--package", "sensor-user", "--bin", "sensor"])?
        .into_iter()
        .find(|built| built.target == "sensor")
        .map(|built| built.path)
        .context("cargo built the agent but does not say where")
}
