//! The folder of evidence: files named after a number and the time, the oldest of which go first.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::lock::Lock;

/// The folder is for root, and for who is in its group.
const FOLDER_MODE: u32 = 0o750;
/// So are its files.
const FILE_MODE: u32 = 0o640;

/// A folder that one agent writes to.
pub(super) struct Folder {
    path: PathBuf,
    lock: Lock,
}

/// A file of evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvidenceFile {
    /// Files are numbered as they are made, whatever the clock says.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written to, if the file system says.
    pub written: Option<SystemTime>,
}

impl Folder {
    /// Makes the folder where it is missing, and holds it.
    ///
    /// # Errors
    /// It cannot be made or written to, or another agent holds it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let remedy = "name a folder on a disk with room in [evidence] path";
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(path)
            .with_context(|| format!("cannot make the folder {}: {remedy}", path.display()))?;
        let name = path.join(LOCK);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&name)
            .with_context(|| format!("cannot write to {}: {remedy}", path.display()))?;
        let held = format!("cannot lock {}", name.display());
        let lock = Lock::by(name, file).context(held)?.with_context(|| {
            format!(
                "another agent keeps its evidence in {}: give this one another [evidence] path",
                path.display()
            )
        })?;
        Ok(Self { path: path.to_owned(), lock })
    }

    /// Whether it is still where it was: somebody may have removed it, or mounted another above it.
    pub(super) fn is_there(&self) -> bool {
        self.lock.is_there()
    }

    /// Its files, oldest first.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn files(&self) -> io::Result<Vec<EvidenceFile>> {
        files(&self.path)
    }

    /// Makes another file, the newest.
    ///
    /// # Errors
    /// The disk is full, or fails.
    pub(super) fn create(&self, time: &str) -> io::Result<(File, PathBuf)> {
        let number = self.files()?.last().map_or(1, |newest| newest.number + 1);
        let path = self.path.join(format!("{PREFIX}{number:08}-{time}{SUFFIX}"));
        let file = File::options().read(true).append(true).create_new(true).mode(FILE_MODE).open(&path)?;
        Ok((file, path))
    }

    /// Removes the oldest files until the others have at most so many bytes.
    ///
    /// # Errors
    /// The folder cannot be read, or a file cannot be removed.
    pub(super) fn make_room(&self, most: u64) -> io::Result<()> {
        let files = self.files()?;
        let mut size: u64 = files.iter().map(|file| file.size).sum();
        for file in files {
            if size <= most {
                break;
            }
            fs::remove_file(&file.path)?;
            size -= file.size;
        }
        Ok(())
    }
}

const LOCK: &str = "lock";
const PREFIX: &str = "evidence-";
const SUFFIX: &str = ".pcapng";

/// The files of evidence in a folder, oldest first.
///
/// # Errors
/// It cannot be read.
pub(super) fn files(folder: &Path) -> io::Result<Vec<EvidenceFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| {
            let (number, _time) = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.split_once('-')?;
            number.parse().ok()
        });
        // A file that has gone meanwhile is none.
        if let (Some(number), Ok(metadata)) = (number, entry.metadata())
            && metadata.is_file()
        {
            let (size, written) = (metadata.len(), metadata.modified().ok());
            files.push(EvidenceFile { number, path: entry.path(), size, written });
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_oldest_go_first_and_one_agent_at_a_time_writes() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let folder = Folder::open(&path).unwrap();
        let error = Folder::open(&path).err().unwrap();
        assert!(error.to_string().contains("another agent keeps its evidence in"), "{error}");
        fs::write(path.join("notes.txt"), "not ours").unwrap();
        for time in ["20261129T020000Z", "20261129T010000Z", "20261129T030000Z"] {
            folder.create(time).unwrap().0.write_all(&[0; 100]).unwrap();
        }
        let numbers = |folder: &Folder| -> Vec<_> {
            folder.files().unwrap().iter().map(|file| (file.number, file.size)).collect()
        };
        assert_eq!(numbers(&folder), [(1, 100), (2, 100), (3, 100)]);
        folder.make_room(250).unwrap();
        assert_eq!(numbers(&folder), [(2, 100), (3, 100)]);
        folder.make_room(0).unwrap();
        folder.create("20261129T040000Z").unwrap();
        // Numbers go on from what is there.
        assert_eq!(numbers(&folder), [(1, 0)]);
        assert!(path.join("notes.txt").exists() && folder.is_there());
        fs::remove_dir_all(&path).unwrap();
        assert!(!folder.is_there());
        drop(Folder::open(&path).unwrap());
        assert!(!folder.is_there());
        drop(folder);
        Folder::open(&path).unwrap();
    }
}
