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
/// Where agents have their sockets.
const SOCKETS: &str = "/run/sensor";

/// A folder in the BPF file system; dropping it removes all that is pinned in it.
#[derive(Debug)]
pub struct Pins(PathBuf);

impl Pins {
    /// A new folder. Mounts the BPF file system where it usually is, unless it is there.
    ///
    /// # Errors
    /// Without root.
    pub fn new() -> Result<Self> {
        static MOUNTING: Mutex<()> = Mutex::new(());
        {
            let _one_at_a_time = MOUNTING.lock();
            mount_bpffs().with_context(|| format!("cannot mount the BPF file system on {BPFFS}"))?;
            remove_left_behind();
        }
        let folder = unused();
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self(folder))
    }

    /// The socket of the agent with these pins.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket_of(&self.0)
    }

    /// The socket of its page.
    #[must_use]
    pub fn page_socket(&self) -> PathBuf {
        page_socket_of(&self.0)
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
        remove_socket(&self.0);
    }
}

/// Whether that is the folder of agents' sockets.
pub(crate) fn has_sockets(folder: &Path) -> bool {
    folder == Path::new(SOCKETS)
}

/// Whether a file there is called after the pins of a test: with those it goes.
pub(crate) fn is_of_test(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
}

/// A folder that nobody has, and that is not there.
pub(crate) fn unused() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Path::new(BPFFS).join(format!("{PREFIX}{}-{number}", std::process::id()))
}

/// Removes what agents have left that were to leave nothing pinned there, and may have been killed.
pub(crate) fn remove_traces(folder: &Path) {
    drop(remove(folder));
    remove_socket(folder);
}

/// The socket of the agent with these pins, unless its configuration names another.
#[must_use]
pub fn socket_of(folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    Path::new(SOCKETS).join(format!("{name}.sock"))
}

/// The socket of the page of the agent with these pins, likewise.
#[must_use]
pub fn page_socket_of(folder: &Path) -> PathBuf {
    socket_of(folder).with_extension("page.sock")
}

fn remove_socket(folder: &Path) {
    let (socket, page) = (socket_of(folder), page_socket_of(folder));
    for path in [socket.with_extension("sock.lock"), socket, page.with_extension("sock.page-lock"), page] {
        // Most agents have removed theirs.
        drop(fs::remove_file(path));
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
    let folders = [BPFFS, SOCKETS].into_iter().flat_map(fs::read_dir);
    for entry in folders.flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // Another test may be at it.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            drop(if is_folder { remove(&entry.path()) } else { fs::remove_file(entry.path()) });
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
