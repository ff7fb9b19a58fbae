//! The kernel modules that tests need, with those that they depend on, in an order in which they load.
//!
//! Packages hold no `modules.dep`; each module says itself what it depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// What the agent and its tests lean on, and what `modprobe` would load for them.
const WANTED: &[&str] = &[
    // Interfaces that tests make.
    "veth",
    "dummy",
    "ifb",
    "bridge",
    "8021q",
    "tun",
    "macvlan",
    "ipip",
    // What the agent attaches to where there is no TCX, and what tests put in the way.
    "sch_ingress",
    "cls_bpf",
    "act_bpf",
    "sch_netem",
    // Which connections there are.
    "inet_diag",
    "tcp_diag",
    "udp_diag",
    "packet_diag",
    // The machine's own network interface.
    "virtio_pci",
    "virtio_net",
];

/// A module, as the kernel loads it.
#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// The file's content, not compressed.
    pub content: Vec<u8>,
}

/// The modules of `folder` that are wanted; one that is not there is taken to be part of the kernel, and
/// listed in the second place.
///
/// # Errors
/// When one cannot be read.
pub fn needed(folder: &Path) -> Result<(Vec<Module>, Vec<String>)> {
    let files = files(folder);
    if files.is_empty() {
        bail!("{} has no kernel modules", folder.display());
    }
    let mut wanted = Wanted { files, seen: BTreeSet::new(), found: Vec::new(), missing: Vec::new() };
    for name in WANTED {
        wanted.add(name)?;
    }
    Ok((wanted.found, wanted.missing))
}

struct Wanted {
    files: BTreeMap<String, PathBuf>,
    seen: BTreeSet<String>,
    found: Vec<Module>,
    missing: Vec<String>,
}

impl Wanted {
    /// Adds a module behind those that it depends on.
    fn add(&mut self, name: &str) -> Result<()> {
        if !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let Some(file) = self.files.get(name) else {
            self.missing.push(name.to_owned());
            return Ok(());
        };
        let content = read(file).with_context(|| format!("cannot read the module {}", file.display()))?;
        for dependency in dependencies(&content) {
            self.add(&dependency)?;
        }
        self.found.push(Module { name: name.to_owned(), content });
        Ok(())
    }
}

/// Modules below a folder by name. In names, though not in files', hyphens are underscores.
fn files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            // Links lead to sources and builds, not to modules.
            let Ok(kind) = entry.file_type() else { continue };
            let file = entry.file_name().to_string_lossy().replace('-', "_");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if let Some((name, "" | ".xz" | ".zst" | ".gz")) = file.split_once(".ko") {
                files.insert(name.to_owned(), entry.path());
            }
        }
    }
    files
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let program = match file.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return Ok(fs::read(file)?),
    };
    let unpacked = Command::new(program)
        .args(["--decompress", "--stdout"])
        .arg(file)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {program}: install it"))?;
    if !unpacked.status.success() {
        bail!("{program} failed: {}", unpacked.status);
    }
    Ok(unpacked.stdout)
}

/// What a module says in its `.modinfo` section, which is a row of strings that end in a zero byte.
fn dependencies(content: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let found = content.windows(KEY.len()).position(|window| window == KEY);
    let value = found.map_or(&[][..], |at| &content[at + KEY.len()..]);
    let value = value.split(|byte| *byte == 0).next().unwrap_or_default();
    let names = String::from_utf8_lossy(value);
    names.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::some(b"\0license=GPL\0depends=stp,llc\0name=bridge\0", &["stp", "llc"])]
    #[case::hyphen(b"\0depends=net-failover\0", &["net_failover"])]
    #[case::none(b"\0depends=\0intree=Y\0", &[])]
    #[case::not_said(b"\0license=GPL\0", &[])]
    fn a_module_says_what_it_depends_on(#[case] content: &[u8], #[case] names: &[&str]) {
        assert_eq!(dependencies(content), names);
    }

    #[test]
    fn dependencies_come_first() -> Result<()> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("net"))?;
        let module = |name: &str, depends: &str| {
            fs::write(folder.path().join("net").join(name), format!("\0depends={depends}\0"))
        };
        module("bridge.ko", "stp,llc")?;
        module("stp.ko", "llc")?;
        module("llc.ko", "")?;
        module("veth.ko", "")?;
        module("unwanted.ko", "")?;
        let (found, missing) = needed(folder.path())?;
        let names: Vec<&str> = found.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["veth", "llc", "stp", "bridge"]);
        assert!(missing.contains(&"virtio_net".to_owned()), "{missing:?}");
        Ok(())
    }
}
