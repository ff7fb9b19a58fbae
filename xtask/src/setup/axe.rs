//! axe-core, which tells what keeps people from reading a page: a test asks it of the sensor's. Nothing else needs it, so where
//! it cannot be had it is only named.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::{Report, tools};
use crate::shell;

/// What npm calls it.
const PACKAGE: &str = "axe-core@4.14.0";
/// The one file of it that is of use.
const FILE: &str = "package/axe.min.js";

/// Fetching it takes no longer where it can be fetched.
const FETCHING: Duration = Duration::from_mins(2);

/// Finds or brings it, in `target/tools/axe`.
pub fn bring(report: &mut Report) {
    let folder = shell::workspace().join("target/tools/axe");
    let is_there = folder.join(FILE).is_file();
    let brought = if is_there { Ok(()) } else { fetch(report) };
    match brought {
        Ok(()) => report.have("axe-core", PACKAGE),
        Err(error) => report.lack("axe-core", &format!("a test needs it, but {error:#}")),
    }
}

fn fetch(report: &mut Report) -> Result<()> {
    let npm = tools::installed("npm", &["npm"], report)?;
    report.bringing("axe-core", &format!("npm pack {PACKAGE}"));
    let folder = shell::workspace().join("target/tools/axe");
    fs::create_dir_all(&folder)?;
    let mut pack = Command::new(npm);
    let packed = shell::capture(pack.args(["pack", "--silent", PACKAGE]).current_dir(&folder), FETCHING)?;
    let archive = packed.lines().last().context("npm names no file")?.trim();
    let mut tar = Command::new("tar");
    shell::capture(tar.args(["-xzf", archive, FILE]).current_dir(&folder), FETCHING)?;
    ensure!(folder.join(FILE).is_file(), "the package has no {FILE}");
    Ok(())
}
