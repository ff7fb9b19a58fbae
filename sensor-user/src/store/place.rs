//! The store's folder: one agent's at a time.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result, bail};

use super::hourly;
use crate::lock::Lock;

/// The database's name.
pub const DATABASE: &str = "sensor.db";
/// The folder of the files by the hour.
pub(super) const FLOWS: &str = "flows";
/// What is locked: a file that stays.
const LOCK: &str = "sensor.db.lock";
/// Says which file the database is, so that its log is not taken for another's.
const MARK: &str = "sensor.db.mark";

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
    /// The database's file, by its device and number.
    database: (u64, u64),
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
        let database =
            database.metadata().map(|file| identity(&file)).context("cannot look at the database")?;
        let place = Self { path: path.to_owned(), lock, database };
        place.prove_log()?;
        Ok(place)
    }

    /// Marks the database that the log belongs to from now on.
    ///
    /// # Errors
    /// The mark cannot be written.
    pub(super) fn mark(&self) -> Result<()> {
        let (mark, path) = (self.found_mark(), self.path.join(MARK));
        if fs::read_to_string(&path).is_ok_and(|known| known == mark) {
            return Ok(());
        }
        let mut file = make(&path)?;
        file.set_len(0)
            .and_then(|()| file.write_all(mark.as_bytes()))
            .with_context(|| format!("cannot write to {}: {REMEDY}", path.display()))
    }

    /// A log holds what is not in its database yet, and SQLite reads any that lies beside one: that of another would break it.
    ///
    /// # Errors
    /// There is one, and the database was put there in place of the one that it belongs to.
    fn prove_log(&self) -> Result<()> {
        let path = self.path.join(MARK);
        let known = fs::read_to_string(&path).ok().filter(|known| !known.is_empty());
        if self.log_bytes() == 0 || known.is_none_or(|known| known == self.found_mark()) {
            return Ok(());
        }
        let (database, mark) = (self.database(), path.display());
        let database = database.display();
        bail!(
            "{database} is not the file that {database}-wal was written for: if it is a backup that was put there, remove \
             {database}-wal and {database}-shm; if the folder was copied as a whole, remove {mark} instead"
        );
    }

    /// What tells the database's file from any other, also from one that got its number later.
    fn found_mark(&self) -> String {
        let born = fs::metadata(self.database()).and_then(|file| file.created()).ok();
        let born = born.and_then(|born| born.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let (device, number) = self.database;
        format!("{device} {number} {}\n", born.as_nanos())
    }

    /// The database.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The folder of the files by the hour.
    pub(super) fn flows(&self) -> PathBuf {
        self.path.join(FLOWS)
    }

    /// Whether it is still where it was, with the very database: somebody may have removed or replaced it, or mounted another
    /// folder above it.
    pub(super) fn is_there(&self) -> bool {
        let found = fs::metadata(self.database()).map(|file| identity(&file));
        self.lock.is_there() && found.is_ok_and(|found| found == self.database)
    }

    /// Bytes of the database's log.
    pub(super) fn log_bytes(&self) -> u64 {
        length(&self.path, "-wal")
    }

    /// Bytes of it all.
    pub(super) fn bytes(&self) -> u64 {
        bytes_in(&self.path)
    }
}

/// Bytes of the store in a folder, as far as this user may look: of its database and of its files by the hour.
#[must_use]
pub fn bytes_in(path: &Path) -> u64 {
    let database: u64 = ["", "-wal", "-shm"].map(|end| length(path, end)).iter().sum();
    database + hourly::bytes(&path.join(FLOWS))
}

/// Bytes of the database, or of what belongs to it.
fn length(path: &Path, end: &str) -> u64 {
    fs::metadata(path.join(format!("{DATABASE}{end}"))).map_or(0, |file| file.len())
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

fn make(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(FILE_MODE);
    options.open(path).with_context(|| format!("cannot write to {}: {REMEDY}", path.display()))
}
