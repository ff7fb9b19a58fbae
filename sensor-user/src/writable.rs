//! Whether this user may write somewhere, asked of the kernel: nothing is written to find out.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What keeps this user from making files in a folder or, where it is not there, from making it; `None` if nothing does.
#[must_use]
pub fn refused(folder: &Path) -> Option<io::Error> {
    let there = folder.ancestors().find(|folder| folder.exists())?;
    if !there.is_dir() {
        return Some(io::Error::from_raw_os_error(libc::ENOTDIR));
    }
    let name = CString::new(there.as_os_str().as_bytes()).ok()?;
    // SAFETY: the name ends in a zero, and outlives the call.
    let refused = unsafe { libc::access(name.as_ptr(), libc::W_OK | libc::X_OK) } != 0;
    refused.then(io::Error::last_os_error)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(refused(folder.path()).is_none() && refused(&folder.path().join("a/b")).is_none());
        for path in [file.clone(), file.join("a")] {
            assert_eq!(refused(&path).unwrap().raw_os_error(), Some(libc::ENOTDIR), "{}", path.display());
        }
    }
}
