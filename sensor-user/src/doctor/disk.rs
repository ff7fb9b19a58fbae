//! The disk that a folder is on, or would be made on: what kind of a file system, and how much room it has.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    /// The kind of its file system, as in `ext4`; empty if that is not known.
    pub kind: String,
    /// Bytes that are free for those who are not root.
    pub free: u64,
}

impl Disk {
    /// The disk of a folder.
    ///
    /// # Errors
    /// The kernel does not say.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let there = folder.ancestors().find_map(|folder| folder.canonicalize().ok());
        let there = there.ok_or(io::ErrorKind::NotFound)?;
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap_or_default();
        Ok(Self { kind: kind_of(&mounts, &there).unwrap_or_default(), free: free(&there)? })
    }
}

fn free(folder: &Path) -> io::Result<u64> {
    let name = CString::new(folder.as_os_str().as_bytes())?;
    // SAFETY: all zeros are a valid value of this C struct of integers.
    let mut status: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the name ends in a zero, and the call writes to a struct; both outlive it.
    if unsafe { libc::statvfs(name.as_ptr(), &raw mut status) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(status.f_bavail.saturating_mul(status.f_frsize))
}

/// The kind of file system that is mounted where a path is, as `proc_pid_mountinfo(5)` lists them: of several in one place,
/// the last lies on top.
fn kind_of(mounts: &str, path: &Path) -> Option<String> {
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let place = PathBuf::from(unescaped(before.split(' ').nth(4)?));
        let kind = after.split(' ').next()?.to_owned();
        path.starts_with(&place).then(|| (place.components().count(), kind))
    };
    mounts.lines().filter_map(mount).max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

/// A name without the octal numbers that stand for blanks in it.
fn unescaped(name: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(name.to_owned(), |name, (escaped, plain)| name.replace(escaped, plain))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MOUNTS: &str = "\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:28 / /var/lib rw - tmpfs tmpfs rw
31 30 0:29 / /var/lib/a\\040b rw master:1 shared:9 - nfs4 host:/x rw
32 22 0:30 / /var/lib rw - xfs /dev/vdb rw
";

    #[rstest]
    #[case::root("/etc", "ext4")]
    #[case::last_of_two("/var/lib/sensor", "xfs")]
    #[case::blank("/var/lib/a b/c", "nfs4")]
    #[case::no_prefix_of_a_name("/var/library", "ext4")]
    fn a_path_is_on_the_innermost_mount(#[case] path: &str, #[case] kind: &str) {
        assert_eq!(kind_of(MOUNTS, Path::new(path)).as_deref(), Some(kind));
    }

    #[test]
    fn what_is_not_there_would_be_made_where_its_folder_is() {
        let folder = tempfile::tempdir().unwrap();
        let [there, below] = [folder.path(), &folder.path().join("a/b")].map(|path| Disk::of(path).unwrap());
        assert_eq!((there.kind.is_empty(), &there.kind), (false, &below.kind));
    }
}
