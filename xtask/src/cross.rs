//! `cargo xtask cross`: builds the agent for other processors, XDP programs included, and runs the tests that need no
//! kernel on emulated ones.
//!
//! 64-bit ARM, where `char` has no sign, is what many sensor hosts are. IBM Z is the big-endian one: it shows that
//! nothing depends on the order of bytes.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::cargo::{self, Target};
use crate::{setup, shell};

/// Downloading a standard library takes no longer where it works.
const LOADING: Duration = Duration::from_mins(10);

/// Tests that ask the kernel what an emulated process cannot: ethtool's questions, and for maps.
const OUTSIDE: [&str; 3] = ["kernel::host::ethtool::", "kernel::maps::rules::", "kernel::maps::series::"];

/// Tests that take an emulated processor half an hour and more, and show of the order of bytes what others of their kind do:
/// how often chance is taken for a surge in thousands of made-up days; a store that is filled and emptied again and again.
const TOO_LONG: [&str; 4] = [
    "report::surge::tests::calibration::",
    "report::surge::tests::loud::",
    "report::surge::tests::sources::chance_is_no_shutdown",
    "store::tests::bounds::what_has_no_room_goes_oldest_first",
];

/// What `cargo xtask cross` takes.
#[derive(Args)]
pub struct Cross {
    /// For which processors; all of them if none is named
    processors: Vec<Processor>,
}

/// A processor that is not the usual one.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Processor {
    /// 64-bit ARM, little-endian
    Aarch64,
    /// IBM Z, big-endian
    S390x,
}

/// Builds and tests, and tells whether all passed.
///
/// # Errors
/// When what this needs is missing and cannot be brought.
pub fn run(cross: &Cross) -> Result<bool> {
    setup::for_building()?;
    let processors = match &cross.processors[..] {
        [] => Processor::value_variants(),
        named => named,
    };
    let mut passed = true;
    for processor in processors {
        passed &= processor.test()?;
    }
    Ok(passed)
}

impl Processor {
    /// What Rust, GNU and QEMU call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64",
            Self::S390x => "s390x",
        }
    }

    /// Debian's package of the C library's headers and of the library to link with.
    const fn library(self) -> &'static str {
        match self {
            Self::Aarch64 => "libc6-dev-arm64-cross",
            Self::S390x => "libc6-dev-s390x-cross",
        }
    }

    /// What it is called among programs for several kinds, as in `aarch64-linux-gnu-objcopy`.
    pub fn tuple(self) -> String {
        format!("{}-linux-gnu", self.name())
    }

    /// Brings what compiles for it.
    ///
    /// # Errors
    /// When that is missing and cannot be brought.
    pub fn bring(self) -> Result<Target> {
        let name = self.name();
        let (triple, linker) = (format!("{name}-unknown-linux-gnu"), format!("{}-gcc", self.tuple()));
        setup::for_crossing(
            &[(&*linker, &*format!("gcc-{name}-linux-gnu"))],
            // The compiler brings the library to run with, and its folder; not what is compiled with.
            Some((&*format!("/usr/{}/include/stdio.h", self.tuple()), self.library())),
        )?;
        shell::capture(Command::new("rustup").args(["target", "add", &*triple]), LOADING)
            .with_context(|| format!("no standard library for {triple}"))?;
        Ok(Target { triple, linker: Some(linker) })
    }

    fn test(self) -> Result<bool> {
        let Target { triple: target, linker } = self.bring()?;
        let emulator = format!("qemu-{}", self.name());
        let libraries = format!("/usr/{}", self.tuple());
        setup::for_crossing(&[(&*emulator, "qemu-user")], None)?;
        let variable = |of| format!("CARGO_TARGET_{}_{of}", target.to_uppercase().replace('-', "_"));
        let status = cargo::command()
            .args(["test", "--locked", "--target", &*target, "--no-fail-fast"])
            .args(["--package", "sensor-common", "--package", "sensor-fleet"])
            .args(["--package", "sensor-user", "--package", "sensor-harness", "--package", "sensor-tests"])
            .args(["--lib", "--bins", "--test", "parser", "--"])
            .args(OUTSIDE.into_iter().chain(TOO_LONG).flat_map(|test| ["--skip", test]))
            .envs(linker.map(|linker| (variable("LINKER"), linker)))
            .env(variable("RUNNER"), format!("{emulator} -L {libraries}"))
            .status()
            .context("cannot run cargo")?;
        if status.code().is_none() {
            bail!("cargo ended by {status}");
        }
        Ok(status.success())
    }
}
