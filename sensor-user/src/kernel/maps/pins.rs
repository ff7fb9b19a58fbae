//! Where that which outlives the agent is: a directory on a BPF file system, named after the layout's version.
//!
//! Pinned there are the maps that all programs share, and the links that keep the programs attached. One agent
//! at a time works with them: it holds a lock on the directory, which the kernel releases however it ends.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Error, Result, anyhow, bail};
use aya::maps::{Map, MapData};
use sensor_common::layout::SCHEMA_VERSION;
use sensor_common::policy;

use super::guard::{Confirmation, Guard};
use crate::kernel::link::Link;

/// The directory of one agent's pins.
#[derive(Debug)]
pub struct Pins {
    directory: PathBuf,
    lifetime: Lifetime,
    /// What a build with an older schema has left, to be taken over.
    older: Option<Older>,
}

/// The directory of an older schema, locked likewise.
#[derive(Debug)]
struct Older {
    directory: PathBuf,
    _lock: File,
}

#[derive(Debug)]
enum Lifetime {
    /// Pins stay; the directory is locked as long as this file is open.
    Kept { _lock: File },
    /// Pins are only there while programs are loaded.
    Passing,
}

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

impl Pins {
    /// Opens the directory of this layout's version below `root` and locks it; makes it if need be.
    ///
    /// # Errors
    /// Another agent works with it, or there is no BPF file system.
    pub fn keep(root: &Path) -> Result<Self> {
        let directory = version_directory(root, SCHEMA_VERSION);
        make(&directory)?;
        let lock = lock_alone(&directory)?;
        remove_dead_links(&directory)?;
        refuse_newer(root)?;
        let older = Some(version_directory(root, SCHEMA_VERSION - 1)).filter(|older| older.exists());
        let older = match older {
            Some(directory) => {
                let lock = lock_alone(&directory)?;
                remove_dead_links(&directory)?;
                Some(Older { directory, _lock: lock })
            }
            None => None,
        };
        Ok(Self { directory, lifetime: Lifetime::Kept { _lock: lock }, older })
    }

    /// Whether [`Pins::keep`] would succeed, or [`Pins::passing`] where nothing is to be `kept`. Makes nothing.
    ///
    /// # Errors
    /// This user may not know. Inside: what stands in the way.
    pub fn check(root: &Path, kept: bool) -> io::Result<Result<()>> {
        let will_be_mounted = root.starts_with(USUAL) && !is_bpf(Path::new(USUAL));
        let there = root.ancestors().find(|folder| folder.exists()).unwrap_or(root);
        if !will_be_mounted && !is_bpf(there) {
            return Ok(Err(not_bpf(root)));
        }
        if !kept {
            return Ok(Ok(()));
        }
        for schema in [SCHEMA_VERSION, SCHEMA_VERSION - 1] {
            let directory = version_directory(root, schema);
            match File::open(&directory).map(|file| file.try_lock()) {
                Ok(Err(fs::TryLockError::WouldBlock)) => return Ok(Err(in_use(&directory))),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
                _ => {}
            }
        }
        Ok(refuse_newer(root))
    }

    /// Where below `root` an interface's link is pinned, or where an older build has pinned it.
    #[must_use]
    pub fn link_below(root: &Path, direction: Direction, interface: u32) -> PathBuf {
        let of = |schema| version_directory(root, schema).join(link_name(direction, interface));
        let (here, older) = (of(SCHEMA_VERSION), of(SCHEMA_VERSION - 1));
        if !here.exists() && older.exists() { older } else { here }
    }

    /// A directory of this process's own, for the time that loading takes.
    ///
    /// # Errors
    /// There is no BPF file system.
    pub fn passing(root: &Path) -> Result<Self> {
        make(root)?;
        remove_left_behind(root);
        let number = DIRECTORIES.fetch_add(1, Ordering::Relaxed);
        let directory = root.join(format!("{PASSING}{}-{number}", std::process::id()));
        Ok(Self { directory, lifetime: Lifetime::Passing, older: None })
    }

    /// Whether pins stay when the agent ends.
    #[must_use]
    pub const fn are_kept(&self) -> bool {
        matches!(self.lifetime, Lifetime::Kept { .. })
    }

    /// Whether the host's first process does not see them: the mount then goes with those that do.
    #[must_use]
    pub fn are_private(&self) -> bool {
        let same = |ours: &fs::Metadata, theirs: &fs::Metadata| {
            (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())
        };
        let relative = self.directory.strip_prefix("/").unwrap_or(&self.directory);
        match (fs::metadata(&self.directory), fs::metadata(Path::new("/proc/1/root").join(relative))) {
            (Ok(ours), Ok(theirs)) => !same(&ours, &theirs),
            (Ok(_), Err(error)) => error.kind() == io::ErrorKind::NotFound,
            (Err(_), _) => false,
        }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a map is pinned.
    #[must_use]
    pub fn map(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// What a build with the schema before this one has left, if there is anything to take over.
    pub(super) fn older(&self) -> Option<&Path> {
        self.older.as_ref().map(|older| older.directory.as_path())
    }

    /// Leaves that where it is: it is somebody else's.
    pub(super) fn disown_older(&mut self) {
        self.older = None;
    }

    /// Whether links are pinned there.
    pub(super) fn older_has_links(&self) -> bool {
        self.older().is_some_and(|older| !pinned_links(older).is_empty())
    }

    /// Once the programs that count there are replaced: moves its links' pins here, and removes the rest.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn retire_older(&self) -> Result<()> {
        let Some(older) = self.older().filter(|older| older.exists()) else { return Ok(()) };
        for (path, _) in pinned_links(older) {
            let Some(name) = path.file_name() else { continue };
            let here = self.directory.join(name);
            if !here.exists() {
                fs::rename(&path, &here).with_context(|| format!("cannot move {}", path.display()))?;
            }
        }
        fs::remove_dir_all(older).with_context(|| format!("cannot remove {}", older.display()))?;
        tracing::info!("took over the counters of an older build from {}", older.display());
        Ok(())
    }

    /// Where an interface's link is pinned, or where an older build has pinned it.
    #[must_use]
    pub fn pinned_link(&self, direction: Direction, interface: u32) -> PathBuf {
        let here = self.link(direction, interface);
        match self.older() {
            Some(older) if !here.exists() => older.join(link_name(direction, interface)),
            _ => here,
        }
    }

    /// Where an interface's link is pinned: by number, since a BPF file system takes no dots in names.
    #[must_use]
    pub fn link(&self, direction: Direction, interface: u32) -> PathBuf {
        self.directory.join(link_name(direction, interface))
    }

    /// Removes the pinned links of the interface of this number.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn remove_links(&self, interface: u32) -> Result<()> {
        for direction in [Direction::Ingress, Direction::Egress] {
            let path = self.pinned_link(direction, interface);
            if path.exists() {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Runs `work` while the directory is there to pin in.
    pub(super) fn with_directory<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.are_kept() {
            return work();
        }
        make(&self.directory)?;
        let result = work();
        // What cannot be removed now is removed by the next agent.
        drop(fs::remove_dir_all(&self.directory));
        result
    }
}

/// Directories of this process.
static DIRECTORIES: AtomicU32 = AtomicU32::new(0);

const PASSING: &str = "run-";

/// Where a BPF file system usually is.
const USUAL: &str = "/sys/fs/bpf";

const fn prefix(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "xdp_",
        Direction::Egress => "egress_",
    }
}

fn link_name(direction: Direction, interface: u32) -> String {
    format!("{}{interface}", prefix(direction))
}

fn version_directory(root: &Path, schema: u32) -> PathBuf {
    root.join(format!("v{schema}"))
}

/// The directories below `root`, with the versions of the schema that they are named after.
fn version_directories(root: &Path) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let versions = entries.filter_map(Result::ok).filter_map(|entry| {
        let version = entry.file_name().to_str()?.strip_prefix('v')?.parse().ok()?;
        Some((version, entry.path()))
    });
    versions.collect()
}

/// Refuses to work beside a newer build: its programs count where this one does not look.
fn refuse_newer(root: &Path) -> Result<()> {
    for (version, directory) in version_directories(root) {
        if version > SCHEMA_VERSION && !pinned_links(&directory).is_empty() {
            bail!(
                "{} is a newer build's, whose programs are attached and whose counters this build cannot read: \
                 start the newer build, or remove them with `sensor detach`, which ends their counts",
                directory.display()
            );
        }
    }
    Ok(())
}

/// The links pinned in a directory.
fn pinned_links(directory: &Path) -> Vec<(PathBuf, Link)> {
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

/// Removes what nothing is attached by any more from every version's directory below `root`: pinned links
/// that are detached, and where no link is left below it and no agent works, the counters too. Gives the directories
/// that are gone.
///
/// # Errors
/// A file cannot be removed.
pub fn clean(root: &Path) -> Result<Vec<PathBuf>> {
    let mut gone = Vec::new();
    let directories = version_directories(root);
    for (_, directory) in &directories {
        remove_dead_links(directory)?;
    }
    // A link in an older directory may be of a program that counts in a newer one.
    if directories.iter().any(|(_, directory)| !pinned_links(directory).is_empty()) {
        return Ok(gone);
    }
    for (_, directory) in directories {
        if lock(&directory)?.is_some() {
            fs::remove_dir_all(&directory)
                .with_context(|| format!("cannot remove {}", directory.display()))?;
            gone.push(directory);
        }
    }
    Ok(gone)
}

/// Removes pinned links that are detached: somebody did it, or their interface is gone.
fn remove_dead_links(directory: &Path) -> Result<()> {
    for (path, link) in pinned_links(directory) {
        if link.info().context("cannot ask the kernel about a pinned link")?.interface == 0 {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Removes what agents that were killed while loading have left.
fn remove_left_behind(root: &Path) {
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

/// An exclusive lock on a directory; `None` if somebody has it.
fn lock(directory: &Path) -> Result<Option<File>> {
    let file = File::open(directory).with_context(|| format!("cannot open {}", directory.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => {
            Err(anyhow!(error).context(format!("cannot lock {}", directory.display())))
        }
    }
}

/// Likewise, where nobody else may have it.
fn lock_alone(directory: &Path) -> Result<File> {
    lock(directory)?.ok_or_else(|| in_use(directory))
}

fn in_use(directory: &Path) -> Error {
    anyhow!("another agent works with {}: stop it, or give this one a --pins of its own", directory.display())
}

fn not_bpf(directory: &Path) -> Error {
    anyhow!(
        "{} is not on a BPF file system: leave --pins out, or mount one there with `mount -t bpf`",
        directory.display()
    )
}

/// Makes a directory on a BPF file system, which is mounted where it usually is if nothing is there yet.
fn make(directory: &Path) -> Result<()> {
    if directory.starts_with(USUAL) && !is_bpf(Path::new(USUAL)) {
        mount(USUAL).with_context(|| {
            format!("cannot mount a BPF file system on {USUAL}: run `mount -t bpf bpf {USUAL}`")
        })?;
    }
    fs::create_dir_all(directory).with_context(|| {
        format!("cannot make the directory {} for pins: name another with --pins", directory.display())
    })?;
    if !is_bpf(directory) {
        return Err(not_bpf(directory));
    }
    Ok(())
}

/// Asks by name: a folder that this user may not open tells too.
fn is_bpf(directory: &Path) -> bool {
    let Ok(name) = CString::new(directory.as_os_str().as_bytes()) else { return false };
    // SAFETY: all zeros are a valid value of this C struct of integers.
    let mut status: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the name ends in a zero, and the call writes to a struct; both outlive it.
    let failed = unsafe { libc::statfs(name.as_ptr(), &raw mut status) } != 0;
    !failed && status.f_type == libc::BPF_FS_MAGIC
}

fn mount(place: &str) -> io::Result<()> {
    let place = CString::new(place)?;
    // SAFETY: all strings end in a zero and outlive the call; no data is passed.
    let failed =
        unsafe { libc::mount(c"bpf".as_ptr(), place.as_ptr(), c"bpf".as_ptr(), 0, std::ptr::null()) } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}
