//! What the store is asked: each question on a connection of its own that only reads, within bounds of time and rows.

mod count;
pub(super) mod event;
mod heaviest;
pub(super) mod notice;
mod source;
mod whole;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use sensor_common::layout::SlotKind;
use sensor_common::layout::side::Tool;

pub use self::count::{AskCounted, Counted, Step};
pub(crate) use self::heaviest::Heaviest;
pub use self::notice::{AskNoticed, NoticeRow, NoticedOver};
pub use self::source::{Basis, FlowRow, SourceRow, TopSources, What};
pub use self::whole::{Flowed, HourRow, Kept};

use super::flow::HOUR_MS;
use super::schema;
use super::trouble::in_words;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at the clock: so many of SQLite's instructions, some ten thousandths of a second.
const LOOK: i32 = 10_000;
/// Rows of an answer, at most.
pub(super) const MOST: usize = 100_000;

/// What is asked for: all of it must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// From the hour of this time on.
    pub from: Timestamp,
    /// Up to the hour of this time, which is part of it unless it begins then.
    pub to: Timestamp,
    /// Of the sensor with this name.
    pub sensor: Option<String>,
    /// Counted as this.
    pub slot: Option<SlotKind>,
    /// Made by this.
    pub tool: Option<Tool>,
    /// So many rows at most: 100,000 are given.
    pub most: usize,
}

impl Ask {
    /// All that is stored of a time.
    #[must_use]
    pub const fn of(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to, sensor: None, slot: None, tool: None, most: 100 }
    }

    /// The hours that it is about: the first, and the one behind the last.
    fn hours(&self) -> (i64, i64) {
        let last = self.to.as_millisecond().div_euclid(HOUR_MS);
        let is_begun = self.to.as_millisecond().rem_euclid(HOUR_MS) > 0;
        (self.from.as_millisecond().div_euclid(HOUR_MS), last + i64::from(is_begun))
    }

    fn most(&self) -> usize {
        self.most.min(MOST)
    }
}

/// Reads a store, whoever writes it.
#[derive(Clone, Debug)]
pub struct Reader {
    path: PathBuf,
    patience: Duration,
}

impl Reader {
    /// Of the database at this path.
    #[must_use]
    pub fn new(database: &Path) -> Self {
        Self { path: database.to_owned(), patience: PATIENCE }
    }

    /// One that gives up after so long.
    #[must_use]
    pub fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// A connection that reads, and gives up in time.
    fn open(&self) -> Result<Connection> {
        if !self.path.exists() {
            return Err(anyhow!(
                "there is no store {} yet: it is written once a minute",
                self.path.display()
            ));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let deadline = Instant::now() + self.patience;
        let opened = Connection::open_with_flags(&self.path, flags).and_then(|mut connection| {
            connection.busy_timeout(self.patience)?;
            connection.execute_batch("PRAGMA temp_store = MEMORY")?;
            connection.progress_handler(LOOK, Some(move || Instant::now() >= deadline))?;
            Ok(connection)
        });
        let connection = opened.map_err(|error| in_words(&self.path, &error))?;
        schema::check(&connection, &self.path)?;
        Ok(connection)
    }

    /// Reads what was there at one moment: an answer and what it rests on are of the same rows.
    fn read<T>(&self, act: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let mut connection = self.open()?;
        let read = connection.transaction().and_then(|transaction| act(&transaction));
        read.map_err(|error| in_words(&self.path, &error))
    }
}

/// The number of no sensor.
const NOBODY: i64 = -1;

/// A sensor's number; that of no sensor if it is not known.
fn sensor(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    let query = "SELECT number FROM sensor WHERE name = ?1";
    Ok(connection.query_row(query, [name], |row| row.get(0)).optional()?.unwrap_or(NOBODY))
}
