//! `ZMap` 4, whose packets differ from those of the version that Debian's stable releases have: from sid, with sid's libraries,
//! which are newer than the machine's, and so started by their own loader.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Report;
use super::suite::Apt;
use crate::shell;

/// Saying its version takes no longer.
const STARTING: Duration = Duration::from_secs(30);

/// Its folder, below the build's own files.
const FOLDER: &str = "target/tools/zmap-4";

/// Starts the program in its folder, without the settings that another version may have in `/etc`.
const START: &str = r#"#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here"/usr/lib64/ld-linux-x86-64.so.2 --library-path "$here/usr/lib/x86_64-linux-gnu" \
    "$here/usr/sbin/zmap" --config=/dev/null "$@"
"#;

/// Finds or brings it. One test wants it, and says so where it is missing: it is only named then.
pub fn bring(report: &mut Report) {
    let folder = shell::workspace().join(FOLDER);
    let version = || {
        let mut zmap = Command::new(folder.join("zmap"));
        shell::capture(zmap.arg("--version"), STARTING)
    };
    if folder.join("zmap").is_file() {
        match version() {
            Ok(version) => report.have("zmap 4", version.trim()),
            Err(error) => report.lack("zmap 4", &format!("remove {}: {error:#}", folder.display())),
        }
        return;
    }
    if let Err(error) = unpack(&folder, report) {
        report.lack("zmap 4", &format!("a test of scanners is skipped: {error:#}"));
    }
}

fn unpack(folder: &Path, report: &mut Report) -> Result<()> {
    ensure!(cfg!(target_arch = "x86_64"), "it is brought for x86-64 alone");
    report.bringing("zmap 4", "unpacking Debian's of sid, with its libraries");
    let apt = Apt::private(&["sid"], "amd64")?;
    let packages = apt.needed(&["zmap"])?;
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    let version = packages.iter().find_map(|package| package.strip_prefix("zmap="));
    ensure!(version.is_some_and(|version| version.starts_with("4.")), "sid has zmap {version:?}, and no 4");
    // What starts it is written last: without it nothing looks whole.
    let unpacked: PathBuf = folder.with_extension("unpacked");
    let _ = fs::remove_dir_all(&unpacked);
    apt.unpack(&packages, &unpacked)?;
    let start = unpacked.join("zmap");
    fs::write(&start, START)?;
    fs::set_permissions(&start, Permissions::from_mode(0o755))?;
    let _ = fs::remove_dir_all(folder);
    fs::rename(&unpacked, folder).with_context(|| format!("cannot create {}", folder.display()))
}
