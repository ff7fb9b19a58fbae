//! Where sensors have pinned something on this host, whatever their `--pins`, and the command that ends it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sensor_common::layout::{COUNTERS, NAMES};

use super::left::{pinned_links, version_directories};
use crate::kernel::host::Interface;
use crate::lock;
use crate::obstacle::together;
use crate::typed::word;

/// Where the programs and their counters are pinned unless told otherwise.
pub const DEFAULT_PINS: &str = "/sys/fs/bpf/sensor";

/// How deep below a mount to look: deeper pins are somebody's whom one may ask.
const DEPTH: usize = 6;

/// A directory below which a sensor has pinned something: what `--pins` names.
#[derive(Clone, Debug)]
pub struct Root {
    /// The directory.
    pub path: PathBuf,
    /// The interfaces of this network namespace that a program is attached to by what is pinned there.
    pub interfaces: Vec<Interface>,
    /// Whether a program is attached by what is pinned there, in this network namespace or another.
    pub is_at_work: bool,
}

impl Root {
    /// What is pinned below this directory.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        let directories = version_directories(path);
        let links = directories.iter().flat_map(|(_, directory)| pinned_links(directory));
        let (mut interfaces, mut is_at_work) = (Vec::new(), false);
        for info in links.filter_map(|(_, link)| link.info().ok()) {
            is_at_work |= info.interface != 0;
            // Only with its program is the number one of this namespace.
            let runs = |it: &Interface| it.xdp.is_some_and(|xdp| xdp.program == info.program);
            if let Ok(Some(interface)) = Interface::of_number(info.interface) {
                interfaces.extend(Some(interface).filter(runs));
            }
        }
        Self { path: path.to_owned(), interfaces, is_at_work }
    }

    /// All there are, as far as this user may look, on every BPF file system that this process sees.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut found = Vec::new();
        for mount in mounts() {
            search(&mount, DEPTH, &mut found);
        }
        found.sort();
        found.dedup();
        found.iter().map(|path| Self::at(path)).collect()
    }

    /// The one by which this program is attached to this interface.
    #[must_use]
    pub fn of(interface: &Interface) -> Option<Self> {
        let is_there = |root: &Self| root.interfaces.iter().any(|it| it.index == interface.index);
        Self::all().into_iter().find(is_there)
    }

    /// Whether an agent works with what is pinned there, as far as this user may know.
    #[must_use]
    pub fn has_agent(&self) -> bool {
        let directories = version_directories(&self.path);
        directories.iter().any(|(_, directory)| File::open(directory).is_ok_and(|file| lock::is_taken(&file)))
    }

    /// Detaches whatever is attached by what is pinned there, in whichever network namespace. An agent that runs may
    /// attach it again.
    ///
    /// # Errors
    /// All that the kernel refuses.
    pub fn detach(&self) -> Result<()> {
        let directories = version_directories(&self.path);
        let links = directories.iter().flat_map(|(_, directory)| pinned_links(directory));
        together(links.filter_map(|(path, link)| {
            let detached =
                link.info().and_then(|info| if info.interface == 0 { Ok(()) } else { link.detach() });
            detached.with_context(|| format!("cannot detach the link {}", path.display())).err()
        }))
    }

    /// The command that detaches what is pinned there.
    #[must_use]
    pub fn detach_command(&self) -> String {
        let names: Vec<_> = self.interfaces.iter().map(|interface| &*interface.name).collect();
        // What is pinned goes, whichever interface is named.
        detach_command(if names.is_empty() { &["IF"] } else { &names }, &self.path)
    }
}

/// The command that detaches from interfaces, in the marks of a quotation.
#[must_use]
pub fn detach_command(interfaces: &[&str], pins: &Path) -> String {
    format!("`{}`", typed_detach(interfaces, pins))
}

/// The command that detaches from interfaces, as it is to be typed.
#[must_use]
pub fn typed_detach(interfaces: &[&str], pins: &Path) -> String {
    let interfaces = interfaces.join(" ");
    if pins == Path::new(DEFAULT_PINS) {
        return format!("sensor detach --interface {interfaces}");
    }
    format!("sensor detach --interface {interfaces} --pins {}", word(&pins.to_string_lossy()))
}

/// The command that detaches from an interface that has a sensor's program, whatever its `--pins`.
#[must_use]
pub fn detach_command_of(interface: &Interface) -> String {
    let root = Root::of(interface).map_or_else(|| DEFAULT_PINS.into(), |root| root.path);
    detach_command(&[&interface.name], &root)
}

/// Where BPF file systems are mounted.
fn mounts() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/thread-self/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (fields.next()?, fields.next()?);
        (kind == "bpf").then(|| place.replace("\\040", " ").into())
    });
    places.collect()
}

/// Adds the directories below which a sensor has pinned something.
fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    if version_directories(folder).iter().any(|(_, directory)| holds_pins(directory)) {
        found.push(folder.to_owned());
    }
    let Some(depth) = depth.checked_sub(1) else { return };
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            search(&entry.path(), depth, found);
        }
    }
}

/// Whether a sensor's maps or links are there.
fn holds_pins(directory: &Path) -> bool {
    let has_counters = directory.join(NAMES).exists() || directory.join(format!("{COUNTERS}_0")).exists();
    has_counters || !pinned_links(directory).is_empty()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::usual(&["eth0"], DEFAULT_PINS, "`sensor detach --interface eth0`")]
    #[case::several(&["eth0", "eth1"], DEFAULT_PINS, "`sensor detach --interface eth0 eth1`")]
    #[case::elsewhere(&["eth0"], "/p/sensor-2", "`sensor detach --interface eth0 --pins /p/sensor-2`")]
    #[case::blank(&["eth0"], "/p/a b'c", r"`sensor detach --interface eth0 --pins '/p/a b'\''c'`")]
    fn the_command_names_the_pins_where_it_must(
        #[case] interfaces: &[&str],
        #[case] pins: &str,
        #[case] command: &str,
    ) {
        assert_eq!(detach_command(interfaces, Path::new(pins)), command);
    }
}
