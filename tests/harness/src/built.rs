//! The programs that were built with the tests.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::skip::Missing;

/// The agent: what `SENSOR_BIN` names, or else the one in the target folder.
///
/// # Errors
/// If there is none.
pub fn sensor() -> Result<PathBuf> {
    Ok(program("sensor", "SENSOR_BIN")??)
}

/// What looks at many sensors: what `SENSOR_FLEET_BIN` names, or else the one in the target folder.
///
/// # Errors
/// If there is none.
pub fn sensor_fleet() -> Result<PathBuf> {
    Ok(program("sensor-fleet", "SENSOR_FLEET_BIN")??)
}

/// What has the demo: what `XTASK` names, or else the one in the target folder.
///
/// # Errors
/// If `XTASK` names no file; inside, if there is none.
pub fn xtask() -> Result<Result<PathBuf, Missing>> {
    program("xtask", "XTASK")
}

/// The benchmark: what `SENSOR_BENCH` names, or else the one in the target folder.
///
/// # Errors
/// If `SENSOR_BENCH` names no file; inside, if there is none.
pub fn bench() -> Result<Result<PathBuf, Missing>> {
    program("sensor-bench", "SENSOR_BENCH")
}

fn program(name: &str, variable: &str) -> Result<Result<PathBuf, Missing>> {
    if let Some(path) = std::env::var_os(variable) {
        let path = PathBuf::from(path);
        ensure!(path.is_file(), "{variable} names {}, which is no file", path.display());
        return Ok(Ok(path));
    }
    let test = std::env::current_exe().context("cannot tell where this program is")?;
    // target/debug/deps/counts-0123 → target/debug, target
    let profile = test.parent().and_then(Path::parent).context("this program is in no target folder")?;
    let beside = profile.join(name);
    let release = profile.with_file_name("release").join(name);
    for path in [beside, release] {
        if path.is_file() {
            return Ok(Ok(path));
        }
    }
    let profile = profile.display();
    Ok(Err(Missing::new(format!(
        "no {name} in {profile}: build it with `cargo build -p {name}`, or name it in {variable}"
    ))))
}
