//! `cargo xtask dashboards`: the dashboards in the repository, written anew by `sensor-fleet dashboards`.

use anyhow::{Context, Result, ensure};

use crate::cargo;

/// Writes them all and says where.
///
/// # Errors
/// If the program does not compile or a file cannot be written.
pub fn run() -> Result<()> {
    let mut fleet = cargo::command();
    fleet.args(["run", "--quiet", "--locked", "--package", "sensor-fleet", "--"]);
    fleet.args(["dashboards", "--output", "fleet/dashboards"]);
    let status = fleet.status().context("cannot run cargo")?;
    ensure!(status.success(), "`sensor-fleet dashboards` failed: its complaint is above");
    Ok(())
}
