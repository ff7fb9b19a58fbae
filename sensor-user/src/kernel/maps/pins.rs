//! Where that which outlives the agent is: a directory on a BPF file system, named after the layout's version.
//!
//! Pinned there are the maps that all programs share, and the links that keep the programs attached. One agent
//! at a time works with them: it holds a lock on the directory, which the kernel releases however it ends.

mod left;
mod place;
mod seen;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use sensor_common::layout::SCHEMA_VERSION;

use self::left::{
    PASSING, link_name, pinned_links, refuse_newer, remove_dead_links, remove_left_behind, version_directory,
    version_name,
};
use self::place::{USUAL, in_use, is_bpf, locked, locked_alone, make, not_bpf};
use crate::lock;

pub use self::left::{Cleaned, Direction, Earlier, clean};
pub use self::place::{bpf_mount, check_names};
pub use self::seen::{DEFAULT_PINS, Root, detach_command, detach_command_of, typed_detach};

/// The directory of one agent's pins.
#[derive(Debug)]
pub struct Pins {
    directory: PathBuf,
    /// What had to be made for it, while nothing depends on it: it goes with this, before the lock does.
    made: Option<Made>,
    lifetime: Lifetime,
    /// What a build with an older schema has left, to be taken over.
    older: Option<Older>,
}

/// A directory that was not there before: unless it is kept, it goes with this, and with all that is pinned in it.
#[derive(Debug)]
struct Made {
    directory: PathBuf,
    /// The first of the directories above it that was there before.
    below: PathBuf,
    /// Closed for the descriptor that removing takes: a start may fail because there is none left.
    spare: Option<File>,
}

impl Made {
    /// To be called before it is made; `None` if it is there.
    fn unless_there(directory: &Path) -> Result<Option<Self>> {
        if directory.exists() {
            return Ok(None);
        }
        let below = directory.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/")).to_owned();
        let spare = File::open(&below).with_context(|| format!("cannot open {}", below.display()))?;
        Ok(Some(Self { directory: directory.to_owned(), below, spare: Some(spare) }))
    }

    /// Leaves it where it is.
    fn keep(mut self) {
        self.spare = None;
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let Some(spare) = self.spare.take() else { return };
        drop(spare);
        // What an older build attached may hang on a link that has moved here.
        let older = self.directory.with_file_name(version_name(SCHEMA_VERSION - 1));
        if older.exists() && !pinned_links(&self.directory).is_empty() {
            return;
        }
        // What cannot be removed is what the next start finds, and takes for an earlier agent's.
        drop(fs::remove_dir_all(&self.directory));
        for folder in self.directory.ancestors().skip(1).take_while(|folder| *folder != self.below) {
            drop(fs::remove_dir(folder));
        }
    }
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

impl Pins {
    /// Opens the directory of this layout's version below `root` and locks it; makes it if need be.
    ///
    /// # Errors
    /// Another agent works with it, or there is no BPF file system.
    pub fn keep(root: &Path) -> Result<Self> {
        let directory = version_directory(root, SCHEMA_VERSION);
        let made = Made::unless_there(&directory)?;
        make(&directory)?;
        let Some(lock) = locked(&directory)? else {
            // Somebody else has made it at the same time.
            if let Some(made) = made {
                made.keep();
            }
            return Err(in_use(&directory));
        };
        remove_dead_links(&directory)?;
        refuse_newer(root)?;
        let older = Some(version_directory(root, SCHEMA_VERSION - 1)).filter(|older| older.exists());
        let older = match older {
            Some(directory) => {
                let lock = locked_alone(&directory)?;
                remove_dead_links(&directory)?;
                Some(Older { directory, _lock: lock })
            }
            None => None,
        };
        Ok(Self { directory, lifetime: Lifetime::Kept { _lock: lock }, older, made })
    }

    /// Whether [`Pins::keep`] would succeed, or [`Pins::passing`] where nothing is to be `kept`. Makes nothing.
    ///
    /// # Errors
    /// This user may not know. Inside: what stands in the way.
    pub fn check(root: &Path, kept: bool) -> io::Result<Result<()>> {
        if let Err(error) = check_names(root) {
            return Ok(Err(error));
        }
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
            match File::open(&directory) {
                Ok(file) if lock::is_taken(&file) => return Ok(Err(in_use(&directory))),
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
        Ok(Self { directory, lifetime: Lifetime::Passing, older: None, made: None })
    }

    /// Keeps what is pinned from now on, when this goes too.
    pub(super) fn settle(&mut self) {
        if let Some(made) = self.made.take() {
            made.keep();
        }
    }

    /// Whether pins stay when the agent ends.
    #[must_use]
    pub const fn are_kept(&self) -> bool {
        matches!(self.lifetime, Lifetime::Kept { .. })
    }

    /// Whether the host's first process does not have their file system mounted: it then goes with those that do.
    /// `None` if that cannot be known.
    #[must_use]
    pub fn are_private(&self) -> Option<bool> {
        let device = fs::metadata(&self.directory).ok()?.dev();
        let device = format!("{}:{}", libc::major(device), libc::minor(device));
        // Unlike what else there is of another process, this takes no privileges. The third field is the device.
        let mounts = fs::read_to_string("/proc/1/mountinfo").ok()?;
        Some(!mounts.lines().any(|mount| mount.split(' ').nth(2) == Some(&device)))
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory above it, which `--pins` names.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.directory.parent().unwrap_or(&self.directory)
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
        for (path, link) in pinned_links(older) {
            let Some(name) = path.file_name() else { continue };
            let here = self.directory.join(name);
            if !here.exists() {
                let moved = fs::rename(&path, &here).or_else(|error| match error.kind() {
                    // The first Landlock lets nothing move to another folder. What is pinned there goes below.
                    io::ErrorKind::CrossesDevices => link.pin(&here),
                    _ => Err(error),
                });
                moved.with_context(|| format!("cannot move {}", path.display()))?;
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
