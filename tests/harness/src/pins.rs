//! A folder for an agent's pins, of the test's own, that is gone after it.
//!
//! What is pinned there outlives a killed agent, as it should; nothing of it outlives the test.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::statfs;

const BPFFS: &str = "/sys/fs/bpf";
const PREFIX: &str = "sensor-test-";

/// A folder in the BPF file system; dropping it removes all that is pinned in it.
#[derive(Debug)]
pub struct Pins(PathBuf);

impl Pins {
    /// A new folder. Mounts the BPF file system where it usually is, unless it is there.
    ///
    /// # Errors
    /// Without root.
    pub fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static MOUNTING: Mutex<()> = Mutex::new(());
        {
            let _one_at_a_time = MOUNTING.lock();
            mount_bpffs().with_context(|| format!("cannot mount the BPF file system on {BPFFS}"))?;
            remove_left_behind();
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(BPFFS).join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self(folder))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// The kernel's file systems have no recursive removal of their own: pins are files, in folders.
fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

/// Removes the folders of tests that were killed.
fn remove_left_behind() {
    for entry in fs::read_dir(BPFFS).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // Another test may be at it.
            drop(remove(&entry.path()));
        }
    }
}

fn mount_bpffs() -> Result<()> {
    if statfs(BPFFS)?.filesystem_type().0 == libc::BPF_FS_MAGIC {
        return Ok(());
    }
    mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), None::<&str>)?;
    Ok(())
}
