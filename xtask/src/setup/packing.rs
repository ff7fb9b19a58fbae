//! What Debian packages are made with: `cargo-deb`, and Debian's own programs that it calls.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Report, tools};
use crate::{cargo, shell};

/// The release that is built.
const RELEASE: &str = "3.8.0";

/// Building it takes a minute, on a small machine some more.
const BUILDING: Duration = Duration::from_mins(30);

/// Saying its version takes no longer.
const STARTING: Duration = Duration::from_secs(30);

/// Finds or brings all of it, and tells where `cargo-deb` is.
///
/// # Errors
/// When something is missing and cannot be brought: which, and how to get it.
pub fn bring(report: &mut Report) -> Result<PathBuf> {
    for (program, package) in [("dpkg-deb", "dpkg"), ("dpkg-shlibdeps", "dpkg-dev"), ("xz", "xz-utils")] {
        tools::installed(program, &[package], report)?;
    }
    let root = shell::workspace().join("target/tools");
    let path = root.join("bin/cargo-deb");
    let is_it = || {
        shell::capture(Command::new(&path).arg("--version"), STARTING).is_ok_and(|it| it.ends_with(RELEASE))
    };
    if !is_it() {
        report.bringing("cargo-deb", &format!("building {RELEASE}; a minute or two"));
        let mut install = cargo::command();
        install
            // `xz` compresses: its library would be one more thing to build.
            .args([
                "install",
                "cargo-deb",
                "--version",
                RELEASE,
                "--locked",
                "--force",
                "--no-default-features",
            ])
            .arg("--root")
            .arg(&root)
            // It copies files: it need be neither fast nor debugged.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0");
        shell::capture(&mut install, BUILDING).with_context(|| {
            format!("no cargo-deb {RELEASE}: put one into {}", root.join("bin").display())
        })?;
    }
    report.have("cargo-deb", RELEASE);
    Ok(path)
}
