//! The choice of a BPF toolchain, on file for `sensor-user/build.rs` and for the next setup.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Result};

use super::compiler::Compiler;
use crate::shell;

const HEADER: &str =
    "# What `cargo xtask setup` chose to build the XDP programs with; sensor-user/build.rs reads it.";

/// A compiler for the BPF target and the linker that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// The compiler, its `core`, and the cargo it needs.
    pub compiler: Compiler,
    /// `bpf-linker`.
    pub linker: PathBuf,
}

impl Toolchain {
    /// The recorded choice, if there is one and it can be read.
    pub fn recorded() -> Option<Self> {
        parse(&fs::read_to_string(file()).ok()?)
    }

    /// Whether all of it is still what was recorded. The version is part of it, so that an upgraded compiler
    /// changes the record and with it makes cargo build the programs anew.
    pub fn is_intact(&self) -> bool {
        self.linker.is_file() && self.compiler.is_intact()
    }

    fn text(&self) -> String {
        let Compiler { rustc, cargo, core, version, llvm } = &self.compiler;
        let mut lines = vec![
            HEADER.to_owned(),
            format!("rustc = {}", rustc.display()),
            format!("version = {version}"),
            format!("llvm = {llvm}"),
            format!("core = {}", core.display()),
            format!("linker = {}", self.linker.display()),
            format!("build-std = {}", if self.compiler.builds_core() { "yes" } else { "no" }),
        ];
        lines.extend(cargo.as_ref().map(|cargo| format!("cargo = {}", cargo.display())));
        lines.join("\n") + "\n"
    }
}

/// A choice that is being made. `sensor-user/build.rs` waits for its end, and so does any other setup.
pub struct Choice {
    /// Locked until it is closed.
    _lock: File,
    begun: SystemTime,
}

impl Choice {
    /// Waits for others to end, and begins.
    ///
    /// # Errors
    /// When the lock cannot be had.
    pub fn begin() -> Result<Self> {
        let path = file().with_extension("lock");
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let locked = || {
            let lock = File::create(&path)?;
            lock.lock()?;
            Ok::<_, io::Error>(lock)
        };
        let lock = locked().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Self { _lock: lock, begun: SystemTime::now() })
    }

    /// Puts the choice on file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn record(&self, toolchain: &Toolchain) -> Result<()> {
        let path = file();
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(toolchain.text().as_bytes())?;
            // Builds that have begun since have waited for it: to cargo it must not look as if it had changed under them.
            file.set_modified(self.begun)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

fn file() -> PathBuf {
    shell::workspace().join("target/tools/bpf-toolchain")
}

fn parse(text: &str) -> Option<Toolchain> {
    let values: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once(" = ")).collect();
    let compiler = Compiler {
        rustc: values.get("rustc")?.into(),
        cargo: values.get("cargo").map(PathBuf::from),
        core: values.get("core")?.into(),
        version: (*values.get("version")?).to_owned(),
        llvm: values.get("llvm")?.parse().ok()?,
    };
    Some(Toolchain { compiler, linker: values.get("linker")?.into() })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::builds_core(Some("/n/bin/cargo"))]
    #[case::prebuilt_core(None)]
    fn what_is_written_is_read_back(#[case] cargo: Option<&str>) {
        let toolchain = Toolchain {
            compiler: Compiler {
                rustc: "/n/bin/rustc".into(),
                cargo: cargo.map(PathBuf::from),
                core: "/n/core".into(),
                version: "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)".to_owned(),
                llvm: 22,
            },
            linker: "/t/bpf-linker".into(),
        };
        assert_eq!(parse(&toolchain.text()), Some(toolchain));
    }

    #[test]
    fn a_damaged_record_is_none() {
        assert_eq!(parse("rustc = /usr/bin/rustc\n"), None);
    }
}
