//! The programs that were built with the tests.

use anyhow::{Context as _, Result, bail, ensure};
use std::path::{Path, PathBuf};

/// The agent: what `SENSOR_BIN` names, or else the one in the target folder.
///
/// # Errors
/// If there is none.
pub fn sensor() -> Result<PathBuf> {
    program("sensor", "SENSOR_BIN")
}

/// What looks at many sensors: what `SENSOR_FLEET_BIN` names, or else the one in the target folder.
///
/// # Errors
/// If there is none.
pub fn sensor_fleet() -> Result<PathBuf> {
    program("sensor-fleet", "SENSOR_FLEET_BIN")
}

fn program(name: &str, variable: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        let path = PathBuf::from(path);
        ensure!(path.is_file(), "{variable} names {}, which is no file", path.display());
        return Ok(path);
    }
    let test = std::env::current_exe().context("cannot tell where this program is")?;
    // target/debug/deps/counts-0123 → target/debug, target
    let profile = test.parent().and_then(Path::parent).context("this program is in no target folder")?;
    let beside = profile.join(name);
    let release = profile.with_file_name("release").join(name);
    for path in [beside, release] {
        if path.is_file() {
            return Ok(path);
        }
    }
    bail!("no {name} in {}: build it with `cargo xtask build`, or name it in {variable}", profile.display())
}
