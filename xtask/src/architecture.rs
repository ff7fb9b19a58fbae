//! The kinds of processors that the sensor is shipped for, and what builds for each.

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::cargo::Target;
use crate::cross::Processor;

/// A kind of processor, as Debian calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Architecture {
    /// x86-64
    Amd64,
    /// 64-bit ARM
    Arm64,
}

/// What builds for a kind of processor.
pub struct Toolset {
    /// What compiles.
    pub target: Target,
    /// What the names of its binutils begin with.
    prefix: String,
}

impl Toolset {
    /// One of its binutils, as `objcopy`.
    pub fn binutil(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

impl Architecture {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// What GNU calls it among others, in the names of folders of libraries for one.
    pub const fn tuple(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-linux-gnu",
            Self::Arm64 => "aarch64-linux-gnu",
        }
    }

    /// This machine's.
    ///
    /// # Errors
    /// It is neither of them.
    pub fn here() -> Result<Self> {
        let all = [(Self::Amd64, "x86_64"), (Self::Arm64, "aarch64")];
        let here = all.into_iter().find(|(_, rust)| *rust == std::env::consts::ARCH);
        here.map(|(it, _)| it).context("the sensor is shipped for amd64 and arm64: use such a host")
    }

    /// Brings what builds for it.
    ///
    /// # Errors
    /// When that is missing and cannot be brought.
    pub fn bring(self) -> Result<Toolset> {
        if self == Self::here()? {
            return Ok(Toolset { target: Target::here()?, prefix: String::new() });
        }
        ensure!(self == Self::Arm64, "what runs on {} is built on a host of its own kind alone", self.name());
        let target = Processor::Aarch64.bring()?;
        Ok(Toolset { target, prefix: format!("{}-", self.tuple()) })
    }
}
