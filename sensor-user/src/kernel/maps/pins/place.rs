//! The BPF file system that the pins are on, and who may work in a directory of it.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use anyhow::{Context, Error, Result, anyhow};

use crate::kernel::retry::retried;
use crate::lock;
use crate::obstacle::WrongUse;

/// Where a BPF file system usually is.
pub(super) const USUAL: &str = "/sys/fs/bpf";

/// A directory, locked; `None` if somebody works with it.
pub(super) fn locked(directory: &Path) -> Result<Option<File>> {
    let file = File::open(directory).with_context(|| format!("cannot open {}", directory.display()))?;
    let taken = lock::take(&file).with_context(|| format!("cannot lock {}", directory.display()))?;
    Ok(taken.then_some(file))
}

/// Likewise, where nobody else may have it.
pub(super) fn locked_alone(directory: &Path) -> Result<File> {
    locked(directory)?.ok_or_else(|| in_use(directory))
}

pub(super) fn in_use(directory: &Path) -> Error {
    anyhow!("another agent works with {}: stop it, or give this one a --pins of its own", directory.display())
}

pub(super) fn not_bpf(directory: &Path) -> Error {
    Error::new(WrongUse(format!(
        "{} is not on a BPF file system: leave --pins out, or mount one there with `mount -t bpf`",
        directory.display()
    )))
}

/// Makes a directory on a BPF file system, which is mounted where it usually is if nothing is there yet.
pub(super) fn make(directory: &Path) -> Result<()> {
    check_names(directory)?;
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

/// The longest name in a directory, in bytes.
const LONGEST_NAME: usize = 255;

/// Refuses a directory that a BPF file system can't have, since it keeps dots in names for itself, and no name is
/// longer than 255 bytes.
///
/// # Errors
/// It can't.
pub fn check_names(directory: &Path) -> Result<()> {
    let mount = bpf_mount(directory);
    let Some(mount) = mount.or_else(|| directory.starts_with(USUAL).then_some(Path::new(USUAL))) else {
        return Ok(());
    };
    let below = directory.strip_prefix(mount).unwrap_or(directory);
    let has_dot =
        |part: Component<'_>| matches!(part, Component::Normal(name) if name.as_bytes().contains(&b'.'));
    if below.components().any(has_dot) {
        return Err(Error::new(WrongUse(format!(
            "a BPF file system takes no dot in a name, as in {}: give --pins a directory without",
            directory.display()
        ))));
    }
    if below.components().any(|part| part.as_os_str().len() > LONGEST_NAME) {
        return Err(Error::new(WrongUse(format!(
            "a name in --pins {} is too long: give it one of at most {LONGEST_NAME} bytes",
            directory.display()
        ))));
    }
    Ok(())
}

/// Where the BPF file system is mounted that a path is on, if it is on one; what is not there yet counts as what it
/// would be made in.
#[must_use]
pub fn bpf_mount(path: &Path) -> Option<&Path> {
    path.ancestors().filter(|folder| is_bpf(folder)).last()
}

/// Asks by name: a folder that this user may not open tells too.
pub(super) fn is_bpf(directory: &Path) -> bool {
    let Ok(name) = CString::new(directory.as_os_str().as_bytes()) else { return false };
    // SAFETY: all zeros are a valid value of this C struct of integers.
    let mut status: libc::statfs = unsafe { std::mem::zeroed() };
    let answered = retried(|| {
        // SAFETY: the name ends in a zero, and the call writes to a struct; both outlive it.
        let failed = unsafe { libc::statfs(name.as_ptr(), &raw mut status) } != 0;
        if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
    });
    answered.is_ok() && status.f_type == libc::BPF_FS_MAGIC
}

pub(super) fn mount(place: &str) -> io::Result<()> {
    let place = CString::new(place)?;
    // SAFETY: all strings end in a zero and outlive the call; no data is passed.
    let failed =
        unsafe { libc::mount(c"bpf".as_ptr(), place.as_ptr(), c"bpf".as_ptr(), 0, std::ptr::null()) } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}
