//! `cargo xtask aarch64`: builds the agent for 64-bit ARM, and runs the tests that need no kernel on an emulated
//! processor.
//!
//! The XDP programs in it are the same bytes as on x86-64: both are little-endian.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{cargo, setup, shell};

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// Downloading a standard library takes no longer where it works.
const LOADING: Duration = Duration::from_mins(10);

/// What is missing, and by what it is brought: programs, and the folder that programs for the target find their
/// libraries in.
const PROGRAMS: [(&str, &str); 2] =
    [("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"), ("qemu-aarch64", "qemu-user")];
const LIBRARIES: (&str, &str) = ("/usr/aarch64-linux-gnu", "libc6-dev-arm64-cross");

/// Builds and tests, and tells whether all passed.
///
/// # Errors
/// When what this needs is missing and cannot be brought.
pub fn run() -> Result<bool> {
    setup::for_building()?;
    setup::for_crossing(&PROGRAMS, LIBRARIES)?;
    let mut rustup = Command::new("rustup");
    shell::capture(rustup.args(["target", "add", TARGET]), LOADING)
        .with_context(|| format!("no standard library for {TARGET}"))?;
    let packages = ["--package", "sensor-common", "--package", "sensor-user"];
    let status = cargo::command()
        .args(["test", "--locked", "--target", TARGET, "--lib", "--bins", "--no-fail-fast"])
        .args(packages)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", PROGRAMS[0].0)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", format!("{} -L {}", PROGRAMS[1].0, LIBRARIES.0))
        .status()
        .context("cannot run cargo")?;
    if status.code().is_none() {
        bail!("cargo ended by {status}");
    }
    Ok(status.success())
}
