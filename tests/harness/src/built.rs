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

/// The agent as it is shipped: what `SENSOR_RELEASED` names, or else what `cargo xtask build` has made.
///
/// # Errors
/// If `SENSOR_RELEASED` names no file; inside, if there is none.
pub fn released() -> Result<Result<PathBuf, Missing>> {
    const VARIABLE: &str = "SENSOR_RELEASED";
    if let Some(path) = named(VARIABLE)? {
        return Ok(Ok(path));
    }
    let path = profile()?.with_file_name("release").join("sensor");
    let missing = || Missing::new(format!("no {}: build it with `cargo xtask build`", path.display()));
    Ok(path.is_file().then(|| path.clone()).ok_or_else(missing))
}

/// What writes manual pages and completions: what `SENSOR_MANUAL` names, or else the one in the target folder.
///
/// # Errors
/// If `SENSOR_MANUAL` names no file; inside, if there is none.
pub fn manual() -> Result<Result<PathBuf, Missing>> {
    program("sensor-manual", "SENSOR_MANUAL")
}

/// The project's tasks: what `XTASK` names, or else the one in the target folder.
///
/// # Errors
/// If `XTASK` names no file; inside, if there is none.
pub fn xtask() -> Result<Result<PathBuf, Missing>> {
    program("xtask", "XTASK")
}

/// The demo: what `SENSOR_DEMO` names, or else the one in the target folder.
///
/// # Errors
/// If `SENSOR_DEMO` names no file; inside, if there is none.
pub fn demo() -> Result<Result<PathBuf, Missing>> {
    program("sensor-demo", "SENSOR_DEMO")
}

/// The benchmark: what `SENSOR_BENCH` names, or else the one in the target folder.
///
/// # Errors
/// If `SENSOR_BENCH` names no file; inside, if there is none.
pub fn bench() -> Result<Result<PathBuf, Missing>> {
    program("sensor-bench", "SENSOR_BENCH")
}

fn program(name: &str, variable: &str) -> Result<Result<PathBuf, Missing>> {
    if let Some(path) = named(variable)? {
        return Ok(Ok(path));
    }
    let profile = profile()?;
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

/// The program that a variable names, if it is set.
fn named(variable: &str) -> Result<Option<PathBuf>> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if let Some(path) = &path {
        ensure!(path.is_file(), "{variable} names {}, which is no file", path.display());
    }
    Ok(path)
}

/// The folder of what was built with this program, as `target/debug`.
fn profile() -> Result<PathBuf> {
    let test = std::env::current_exe().context("cannot tell where this program is")?;
    // target/debug/deps/counts-0123
    let profile = test.parent().and_then(Path::parent).context("this program is in no target folder")?;
    Ok(profile.to_path_buf())
}
