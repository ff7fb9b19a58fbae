//! Locks on files and folders (`flock(2)`): who works with one holds it alone, who only looks shares it for a moment.
//!
//! So looks never disturb one another, and who comes to work waits until a look has passed. The kernel releases a lock
//! however its holder ends.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// How often a lock is tried, and the pause between.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(40);

/// A file by which this process alone works with something, as long as this lives.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// By this file, which is open; `None` if somebody else works with it. Takes as long as [`take`].
    ///
    /// # Errors
    /// As for [`take`].
    pub fn by(path: PathBuf, file: File) -> io::Result<Option<Self>> {
        Ok(take(&file)?.then_some(Self { path, file }))
    }

    /// Whether its file is still where it was: somebody may have cleaned up, or mounted another folder above its own.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let (held, found) = (self.file.metadata(), fs::metadata(&self.path));
        matches!((held.map(identity), found.map(identity)), (Ok(held), Ok(found)) if held == found)
    }
}

/// Locks it for this process alone, as long as the file is open; `false` if somebody else works with it. Takes at most
/// 200 ms.
///
/// # Errors
/// The file system takes no locks, or has no more.
pub fn take(file: &File) -> io::Result<bool> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// Whether somebody works with it. Keeps nobody else from looking.
#[must_use]
pub fn is_taken(file: &File) -> bool {
    match file.try_lock_shared() {
        Ok(()) => {
            // Closing the file would do; nobody is to wait for that.
            drop(file.unlock());
            false
        }
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn open(path: &Path) -> File {
        File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap()
    }

    #[test]
    fn looks_disturb_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let look = open(&path);
        look.try_lock_shared().unwrap();
        assert!(!is_taken(&open(&path)), "another looks");
        let worker = open(&path);
        thread::scope(|scope| {
            let taken = scope.spawn(|| take(&worker));
            thread::sleep(PAUSE);
            look.unlock().unwrap();
            assert!(taken.join().unwrap().unwrap(), "who works waits for a look");
        });
        assert!(is_taken(&open(&path)) && !take(&open(&path)).unwrap());
        drop(worker);
        assert!(!is_taken(&open(&path)) && take(&open(&path)).unwrap());
    }
}
