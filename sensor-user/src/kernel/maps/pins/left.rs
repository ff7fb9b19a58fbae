//! What agents have left below a root: directories named after the layout's version, and in them links and maps.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, bail};
use aya::maps::{Map, MapData};
use sensor_common::layout::SCHEMA_VERSION;
use sensor_common::policy;

use super::place::locked;
use super::seen::Root;
use crate::kernel::link::Link;
use crate::kernel::maps::guard::{Confirmation, Guard};
use crate::obstacle::together;

/// What an earlier agent of this layout has left below a root. Only for looking: nobody is kept from working with it.
#[derive(Clone, Debug)]
pub struct Earlier(PathBuf);

impl Earlier {
    /// What is below `root`, be it nothing.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self(version_directory(root, SCHEMA_VERSION))
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// The link that is pinned for an interface, if there is one.
    #[must_use]
    pub fn link(&self, direction: Direction, interface: u32) -> Option<Link> {
        Link::from_pin(&self.0.join(link_name(direction, interface))).ok()
    }

    /// Whether the attachment awaits no confirmation, and has not missed one.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        let guard = MapData::from_pin(self.0.join(policy::GUARD)).ok();
        let guard = guard.and_then(|map| Guard::new(Map::from_map_data(map).ok()?).ok());
        guard.is_some_and(|guard| matches!(guard.confirmation(), Ok(Confirmation::Given)))
    }
}

/// Which links are pinned for each interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The XDP program.
    Ingress,
    /// The program that remembers what the host sends.
    Egress,
}

pub(super) const PASSING: &str = "run-";

pub(super) const fn prefix(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "xdp_",
        Direction::Egress => "egress_",
    }
}

pub(super) fn link_name(direction: Direction, interface: u32) -> String {
    format!("{}{interface}", prefix(direction))
}

pub(super) fn version_directory(root: &Path, schema: u32) -> PathBuf {
    root.join(version_name(schema))
}

pub(super) fn version_name(schema: u32) -> String {
    format!("v{schema}")
}

/// The directories below `root`, with the versions of the schema that they are named after.
pub(super) fn version_directories(root: &Path) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let versions = entries.filter_map(Result::ok).filter_map(|entry| {
        let version = entry.file_name().to_str()?.strip_prefix('v')?.parse().ok()?;
        Some((version, entry.path()))
    });
    versions.collect()
}

/// Refuses to work beside a newer build: its programs count where this one does not look.
pub(super) fn refuse_newer(root: &Path) -> Result<()> {
    for (version, directory) in version_directories(root) {
        if version > SCHEMA_VERSION && !pinned_links(&directory).is_empty() {
            bail!(
                "{} is a newer build's, whose programs are attached and whose counters this build cannot read: \
                 start the newer build, or remove them with {}, which ends their counts",
                directory.display(),
                Root::at(root).detach_command()
            );
        }
    }
    Ok(())
}

/// The links pinned in a directory.
pub(super) fn pinned_links(directory: &Path) -> Vec<(PathBuf, Link)> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let is_link = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        [Direction::Ingress, Direction::Egress].iter().any(|&direction| name.starts_with(prefix(direction)))
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(is_link)
        .filter_map(|path| Link::from_pin(&path).ok().map(|link| (path, link)))
        .collect()
}

/// What [`clean`] has done.
#[derive(Debug, Default)]
pub struct Cleaned {
    /// The directories that are gone.
    pub gone: Vec<PathBuf>,
    /// What could not be removed.
    pub failures: Vec<Error>,
}

/// Removes what nothing is attached by any more from every version's directory below `root`: pinned links
/// that are detached, and where no link is left below it and no agent works, the counters too. Whatever cannot be
/// removed, the rest is.
#[must_use]
pub fn clean(root: &Path) -> Cleaned {
    let directories = version_directories(root);
    let dead = directories.iter().filter_map(|(_, directory)| remove_dead_links(directory).err());
    let mut cleaned = Cleaned { gone: Vec::new(), failures: dead.collect() };
    // A link in an older directory may be of a program that counts in a newer one.
    if directories.iter().any(|(_, directory)| !pinned_links(directory).is_empty()) {
        return cleaned;
    }
    for (_, directory) in directories {
        match remove_unused(&directory) {
            Ok(true) => cleaned.gone.push(directory),
            Ok(false) => {}
            Err(error) => cleaned.failures.push(error),
        }
    }
    cleaned
}

/// Removes a directory with all that is pinned there, unless an agent works with it; whether it is gone.
fn remove_unused(directory: &Path) -> Result<bool> {
    let Some(_lock) = locked(directory)? else { return Ok(false) };
    fs::remove_dir_all(directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    Ok(true)
}

/// Removes pinned links that are detached: somebody did it, or their interface is gone.
///
/// # Errors
/// All that could not be removed: the rest is.
pub(super) fn remove_dead_links(directory: &Path) -> Result<()> {
    let links = pinned_links(directory);
    together(links.iter().filter_map(|(path, link)| remove_if_dead(path, link).err()))
}

fn remove_if_dead(path: &Path, link: &Link) -> Result<()> {
    let info =
        link.info().with_context(|| format!("cannot ask the kernel about the link {}", path.display()))?;
    if info.interface == 0 {
        fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// Removes what agents that were killed while loading have left.
pub(super) fn remove_left_behind(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PASSING)?.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // Two agents that start together may both try.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}
