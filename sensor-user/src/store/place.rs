//! The store's folder: one agent's at a time.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::lock::Lock;

/// The database's name.
pub const DATABASE: &str = "sensor.db";
/// The folder of the files by the hour.
pub(super) const FLOWS: &str = "flows";
/// What is locked: a file that stays.
const LOCK: &str = "sensor.db.lock";

/// Folders are for root, and for who is in their group.
const FOLDER_MODE: u32 = 0o750;
/// So are files.
pub(super) const FILE_MODE: u32 = 0o640;

const REMEDY: &str = "name a folder on a disk with room in [store] path";

/// The folder of a store that one agent writes to.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    lock: Lock,
}

impl Place {
    /// Makes the folder where it is missing, with a database without anything in it, and holds it.
    ///
    /// # Errors
    /// It cannot be made or written to, or another agent holds it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let folder = path.join(FLOWS);
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(&folder)
            .with_context(|| format!("cannot make the folder {}: {REMEDY}", folder.display()))?;
        let name = path.join(LOCK);
        let held = format!("cannot lock {}", name.display());
        let file = make(&name)?;
        let lock = Lock::by(name, file).context(held)?.with_context(|| {
            format!("another agent keeps its store in {}: give this one another [store] path", path.display())
        })?;
        // Its log and index get the modes that it has.
        let database = make(&path.join(DATABASE))?;
        if database.metadata().is_ok_and(|database| database.len() == 0) {
            // A log without its database is another one's, which somebody has removed.
            for end in ["-wal", "-shm"] {
                drop(fs::remove_file(path.join(format!("{DATABASE}{end}"))));
            }
        }
        Ok(Self { path: path.to_owned(), lock })
    }

    /// The database.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The folder of the files by the hour.
    pub(super) fn flows(&self) -> PathBuf {
        self.path.join(FLOWS)
    }

    /// Whether it is still where it was, database and all: somebody may have removed it, or mounted another above it.
    pub(super) fn is_there(&self) -> bool {
        self.lock.is_there() && self.database().exists()
    }

    /// Bytes of the database, its log among them.
    pub(super) fn database_bytes(&self) -> u64 {
        let names = ["", "-wal", "-shm"].map(|end| self.path.join(format!("{DATABASE}{end}")));
        names.iter().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum()
    }
}

fn make(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(FILE_MODE);
    options.open(path).with_context(|| format!("cannot write to {}: {REMEDY}", path.display()))
}
