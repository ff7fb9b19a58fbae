//! `cargo xtask calibrate`: `sensor-fleet calibrate`, optimised.

use anyhow::{Context, Result, ensure};

use crate::cargo;

/// What is passed on.
#[derive(clap::Args)]
pub struct Calibrate {
    /// Arguments of `sensor-fleet calibrate`, such as `--quarters 60`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Prints the tables.
///
/// # Errors
/// If the program does not compile or refuses the arguments.
pub fn run(calibrate: &Calibrate) -> Result<()> {
    let mut fleet = cargo::command();
    fleet.args(["run", "--quiet", "--locked", "--release", "--package", "sensor-fleet", "--", "calibrate"]);
    fleet.args(&calibrate.arguments);
    let status = fleet.status().context("cannot run cargo")?;
    ensure!(status.success(), "`sensor-fleet calibrate` failed: its complaint is above");
    Ok(())
}
