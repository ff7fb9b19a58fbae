//! Programs that tests run in a machine beside the agent, and the libraries that these load.
//!
//! A machine like this host has this host's. For another kind of processor they are Debian's, unpacked and never run here:
//! what they load is read from the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::architecture::Architecture;
use crate::setup::suite::Apt;
use crate::shell;

/// Debian's packages that have them, and its release. Its programs still stand where their packages say, and not where
/// links of another package lead.
const PACKAGES: [&str; 5] = ["iproute2", "util-linux", "mount", "dash", "coreutils"];
const SUITE: &str = "bookworm";

/// Where programs are in a root. `sbin/ip` there is a link to this host's: it is looked for last.
const FOLDERS: [&str; 4] = ["usr/bin", "bin", "usr/sbin", "sbin"];

/// Reading a file's headers takes no longer.
const READING: Duration = Duration::from_mins(1);

/// Where programs come from.
pub enum Tools {
    /// This host.
    Here,
    /// A root that packages were unpacked in, for another kind of processor.
    Unpacked {
        /// Which folder.
        root: PathBuf,
        /// Which kind.
        architecture: Architecture,
    },
}

/// Libraries: where a machine has each, and the file here.
pub type Libraries = BTreeMap<PathBuf, PathBuf>;

impl Tools {
    /// Brings Debian's for another kind of processor.
    ///
    /// # Errors
    /// When apt cannot bring them.
    pub fn bring(architecture: Architecture) -> Result<Self> {
        let name = architecture.name();
        let root = shell::workspace().join("target/tools").join(format!("guest-{name}"));
        if !root.is_dir() {
            println!("vm: bringing {} for {name}", PACKAGES.join(", "));
            let apt = Apt::private(&[SUITE], name)?;
            let packages = apt.needed(&PACKAGES)?;
            let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
            apt.unpack(&packages, &root).with_context(|| format!("no programs for {name}"))?;
        }
        Ok(Self::Unpacked { root, architecture })
    }

    /// A program's file here.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, name: &str) -> Result<PathBuf> {
        let found = match self {
            Self::Here => shell::find(name),
            Self::Unpacked { root, .. } => {
                FOLDERS.iter().map(|folder| root.join(folder).join(name)).find(|file| file.is_file())
            }
        };
        found.ok_or_else(|| anyhow!("no {name} here to take along"))
    }

    /// Adds the libraries that a program loads, and their loader; none of a static one.
    ///
    /// # Errors
    /// When the program cannot be read, or a library is missing.
    pub fn add_libraries(&self, program: &Path, to: &mut Libraries) -> Result<()> {
        match self {
            Self::Here => {
                to.extend(libraries_here(program)?.into_iter().map(|file| (file.clone(), file)));
                Ok(())
            }
            Self::Unpacked { root, architecture } => add_unpacked(program, root, architecture.tuple(), to),
        }
    }
}

fn libraries_here(program: &Path) -> Result<Vec<PathBuf>> {
    let listed = Command::new("ldd")
        .arg(program)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .context("cannot run ldd")?;
    Ok(libraries(&String::from_utf8_lossy(&listed.stdout)))
}

/// Reads what `ldd` prints: `libc.so.6 => /lib/libc.so.6 (0x7f…)`, `/lib64/ld-linux-x86-64.so.2 (0x7f…)`.
fn libraries(listed: &str) -> Vec<PathBuf> {
    let path = |line: &str| {
        let file = line.split_once(" => ").map_or(line, |(_, file)| file).trim();
        let file = file.split(" (0x").next()?;
        file.starts_with('/').then(|| PathBuf::from(file))
    };
    listed.lines().filter_map(path).collect()
}

/// Adds what a file and its libraries name, out of the folders that the loader looks in.
fn add_unpacked(file: &Path, root: &Path, tuple: &str, to: &mut Libraries) -> Result<()> {
    let mut readelf = Command::new("readelf");
    readelf.args(["--dynamic", "--program-headers", "--wide"]).arg(file).env("LC_ALL", "C");
    let Named { loader, libraries } = named(&shell::capture(&mut readelf, READING)?);
    if let Some(loader) = loader {
        let inside = PathBuf::from(loader);
        let file = root.join(inside.strip_prefix("/").unwrap_or(&inside));
        to.insert(inside, file);
    }
    for library in libraries {
        let places = ["lib", "usr/lib"].map(|folder| Path::new(folder).join(tuple).join(&library));
        let place = places.into_iter().find(|place| root.join(place).is_file());
        let place = place.with_context(|| format!("{} has no {library}: remove it", root.display()))?;
        let file = root.join(&place);
        if to.insert(Path::new("/").join(place), file.clone()).is_none() {
            add_unpacked(&file, root, tuple, to)?;
        }
    }
    Ok(())
}

/// What a file names.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    loader: Option<String>,
    libraries: Vec<String>,
}

/// Reads what `readelf` prints.
fn named(listed: &str) -> Named {
    let between = |line: &str, before: &str| {
        let (_, rest) = line.split_once(before)?;
        Some(rest.split_once(']')?.0.to_owned())
    };
    Named {
        loader: listed.lines().find_map(|line| between(line, "[Requesting program interpreter: ")),
        libraries: listed
            .lines()
            .filter(|line| line.contains("(NEEDED)"))
            .filter_map(|line| between(line, "["))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_ldd() {
        let listed = "\tlinux-vdso.so.1 (0x00007ffe)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x00007f10)\n\
                      \t/lib64/ld-linux-x86-64.so.2 (0x00007f20)\n";
        let paths = ["/lib/x/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(libraries(listed), paths);
        assert_eq!(libraries("\tstatically linked\n"), Vec::<PathBuf>::new());
    }

    #[test]
    fn libraries_are_read_from_readelf() {
        let listed = "  INTERP  0x000238 0x0238 0x0238 0x00001b 0x00001b R   0x1\n      \
                      [Requesting program interpreter: /lib/ld-linux-aarch64.so.1]\n\
                      Dynamic section at offset 0xafd88 contains 30 entries:\n  Tag        Type   Name/Value\n \
                      0x0000000000000001 (NEEDED)             Shared library: [libelf.so.1]\n \
                      0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]\n \
                      0x000000000000000e (SONAME)             Library soname: [libx.so.1]\n";
        let expected = Named {
            loader: Some("/lib/ld-linux-aarch64.so.1".to_owned()),
            libraries: ["libelf.so.1", "libc.so.6"].map(str::to_owned).to_vec(),
        };
        assert_eq!(named(listed), expected);
        let none = Named { loader: None, libraries: Vec::new() };
        assert_eq!(named("There is no dynamic section in this file.\n"), none);
    }
}
