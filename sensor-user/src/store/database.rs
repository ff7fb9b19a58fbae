//! The database, open for writing: by one agent, in one transaction a minute.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction};

use super::counting::{Growth, Known, known, write_growth};
use super::feed::Batch;
use super::place::Place;
use super::schema::bring_up_to_date;
use super::stats::{Refused, Stats};
use super::trouble::in_words;
use super::{forget, hourly, notices, write};
use crate::config::Store;

/// How long another program's lock is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the database is kept: freed pages can be given back; what was committed survives a loss of power; memory for 8 MiB
/// of pages; what does not fit elsewhere waits in memory, and not in a folder that everybody can write to; the log is cut
/// back to 16 MiB.
const SETTINGS: &str = "
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA cache_size = -8192;
PRAGMA temp_store = MEMORY;
PRAGMA journal_size_limit = 16777216;
";

/// Bytes that the log has at most while nobody keeps it from being cut back: see [`SETTINGS`].
const LOG: u64 = 16 << 20;
/// Bytes beyond that it grows to where somebody does: so many, or a quarter of what the store may have.
const MORE_LOG: u64 = 256 << 20;

/// Old hours are removed, and files are written, for so long at once, at most, and the one that was begun then.
const TIDYING: Duration = Duration::from_secs(10);

/// Pages that are given back to the disk at once: 16 MiB.
const GIVEN_BACK: u32 = 4096;

/// A store that is open. Nobody else writes to it until it is dropped.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
    settings: Store,
    stats: Arc<Stats>,
    /// Let go of last.
    place: Place,
}

/// What is written at once, with a number by which it is known whether it was.
#[derive(Debug, Default)]
pub(super) struct Writing {
    pub number: i64,
    pub batch: Batch,
    pub growth: Vec<Growth>,
    /// Packets that had a row of their own before there was no room for it.
    pub summed_up: u64,
}

impl Database {
    /// Opens the store, and makes what is missing of it.
    ///
    /// # Errors
    /// It cannot be written to, is damaged, or of a newer version; or another agent has it.
    pub fn open(settings: &Store, stats: &Arc<Stats>) -> Result<Self> {
        let place = Place::open(&settings.path)?;
        let path = place.database();
        is_whole(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let failed = |error: rusqlite::Error| in_words(&path, &error);
        let mut connection = Connection::open_with_flags(&path, flags).map_err(failed)?;
        connection.busy_timeout(PATIENCE).map_err(failed)?;
        connection.execute_batch(SETTINGS).map_err(failed)?;
        bring_up_to_date(&mut connection, &path)?;
        place.mark()?;
        hourly::sweep(&place.flows());
        let (settings, stats) = (settings.clone(), Arc::clone(stats));
        Ok(Self { connection, path, settings, stats, place })
    }

    /// The number of what was written last.
    pub(super) fn last_number(&self) -> Result<i64> {
        self.meta("number").map(Option::unwrap_or_default)
    }

    /// What the clock said when it was last trusted.
    pub(super) fn last_time(&self) -> Result<Option<Timestamp>> {
        let seconds = self.meta("time")?;
        Ok(seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()))
    }

    fn meta(&self, name: &str) -> Result<Option<i64>> {
        let query = "SELECT value FROM meta WHERE name = ?1";
        let value = self.connection.query_row(query, [name], |row| row.get(0)).optional();
        value.map_err(|error| in_words(&self.path, &error))
    }

    /// What a sensor's counters said when they were last written.
    pub(super) fn known(&self, sensor: &str) -> Result<Option<Known>> {
        known(&self.connection, sensor).map_err(|error| in_words(&self.path, &error))
    }

    /// Writes all of it, or nothing.
    ///
    /// # Errors
    /// The disk is full or fails, the database is damaged, or somebody has removed it or holds it.
    pub(super) fn write(&mut self, writing: &mut Writing, now: Timestamp) -> Result<()> {
        if !self.place.is_there() {
            return Err(anyhow!(
                "somebody has removed or replaced {}: what is there now is opened, or another begun",
                self.path.display()
            ));
        }
        if self.last_number()? == writing.number {
            // The transaction was said to have failed, and had not.
            self.stats.refuse(Refused::Size, writing.summed_up);
            return Ok(());
        }
        if !self.make_room(now)? {
            writing.summed_up += writing.batch.gathered.sum_up();
        }
        let written = self.transact(|transaction| {
            let sensors = write::sensors(transaction, writing)?;
            let refused = write::flows(transaction, &sensors, &writing.batch, now)?;
            write::reached(transaction, &sensors, &writing.batch, now)?;
            write::windows(transaction, &writing.batch.windows)?;
            write::events(transaction, &writing.batch.events)?;
            for growth in &writing.growth {
                write_growth(transaction, growth)?;
            }
            write::meta(transaction, "number", writing.number)?;
            Ok((refused, notices::write(transaction, &writing.batch.notices)?))
        });
        let (refused, noticed) = written?;
        self.stats.refuse(Refused::Rows, refused);
        self.stats.noticed(noticed);
        self.stats.wrote();
        self.stats.refuse(Refused::Size, writing.summed_up);
        self.look()
    }

    /// Writes the files of hours that are full, removes what is older than it may be, and gives the disk back what is free;
    /// as much of each as a moment allows, and no more once nobody `waits_for_more`. `is_trusted`: whether the clock is.
    ///
    /// # Errors
    /// As for [`Database::write`].
    pub(super) fn tidy(
        &mut self,
        now: Timestamp,
        is_trusted: bool,
        waits_for_more: &dyn Fn() -> bool,
    ) -> Result<()> {
        if is_trusted {
            let until = forget::oldest_hour(now, self.settings.max_age);
            // Files first: removing them takes no room.
            hourly::forget(&self.place.flows(), until)?;
            let begun = Instant::now();
            while self.transact(|transaction| forget::older(transaction, until))? {
                self.checkpoint()?;
                if begun.elapsed() >= TIDYING || !waits_for_more() {
                    break;
                }
            }
            self.transact(|transaction| {
                forget::minutes(transaction, now)?;
                write::meta(transaction, "time", now.as_second())
            })?;
        }
        self.file(now, waits_for_more)?;
        self.give_back()?;
        self.look()
    }

    /// Writes the files of full hours that have none.
    fn file(&mut self, now: Timestamp, waits_for_more: &dyn Fn() -> bool) -> Result<()> {
        let flows = self.place.flows();
        let begun = Instant::now();
        while begun.elapsed() < TIDYING
            && waits_for_more()
            && let Some((hour, sensor, name)) = self.read(|it| hourly::due(it, now))?
        {
            let refused = self.transact(|transaction| write::trim(transaction, hour, sensor, 0))?;
            self.stats.refuse(Refused::Rows, refused);
            hourly::write(&self.connection, &self.path, &flows, hour, sensor, &name)?;
            self.transact(|transaction| hourly::filed(transaction, hour, sensor))?;
        }
        Ok(())
    }

    /// Removes the oldest hours until there is room for more; says whether there is. Where somebody holds the log, removing
    /// makes no room.
    fn make_room(&mut self, now: Timestamp) -> Result<bool> {
        let flows = self.place.flows();
        let most = self.settings.max_size;
        if self.size()? <= most {
            return Ok(true);
        }
        self.cut_log(LOG)?;
        // A little more than has to go, so that it is not done each minute.
        let until = most - most / 16;
        while self.size()? > until {
            let oldest = self.read(forget::oldest)?.into_iter().chain(hourly::oldest(&flows)).min();
            let Some(hour) = oldest.filter(|&hour| hour < super::flow::hour_of(now).0) else {
                return Ok(self.size()? <= most);
            };
            // Files first: removing them takes no room.
            hourly::forget(&flows, hour + 1)?;
            self.transact(|transaction| forget::older(transaction, hour + 1))?;
            self.cut_log(LOG)?;
        }
        self.give_back()?;
        Ok(true)
    }

    /// Bytes that are in use, without what the log always may have: of what is free in the database, new rows are made.
    fn size(&self) -> Result<u64> {
        let pages = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let used = pages("page_count")
            .and_then(|all| Ok((all - pages("freelist_count")?) * pages("page_size")?))
            .map_err(|error| in_words(&self.path, &error))?;
        let log = self.place.log_bytes().saturating_sub(LOG);
        Ok(u64::try_from(used).unwrap_or_default() + log + hourly::bytes(&self.place.flows()))
    }

    /// Cuts the log back where it has more than it always may have.
    ///
    /// # Errors
    /// Somebody who reads keeps it from that, and it has more bytes than `most`.
    fn cut_log(&self, most: u64) -> Result<()> {
        if self.place.log_bytes() <= LOG {
            return Ok(());
        }
        let cut = self.read(|connection| {
            // Whoever asks the agent has read in a moment; nobody waits here for others.
            connection.busy_timeout(Duration::ZERO)?;
            let cut = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
            connection.busy_timeout(PATIENCE)?;
            cut.map(|busy| busy == 0)
        })?;
        let log = self.place.log_bytes();
        if cut || log <= most {
            return Ok(());
        }
        Err(anyhow!(
            "another program reads {} and does not end, so that its log has grown to {} MiB: end that program; `fuser {}` \
             shows which",
            self.path.display(),
            log >> 20,
            self.path.display()
        ))
    }

    fn checkpoint(&self) -> Result<()> {
        let query = "PRAGMA wal_checkpoint(PASSIVE)";
        let done = self.connection.query_row(query, [], |_| Ok(()));
        done.map_err(|error| in_words(&self.path, &error))
    }

    fn give_back(&self) -> Result<()> {
        self.read(|connection| {
            let mut give_back = connection.prepare(&format!("PRAGMA incremental_vacuum({GIVEN_BACK})"))?;
            // Each row that is asked for gives back one page.
            let mut pages = give_back.query([])?;
            while pages.next()?.is_some() {}
            Ok(())
        })?;
        self.checkpoint()
    }

    /// Has metrics say how large it is.
    fn look(&self) -> Result<()> {
        let query = "SELECT coalesce(sum(rows), 0) FROM hour";
        let rows: i64 = self.read(|connection| connection.query_row(query, [], |row| row.get(0)))?;
        self.stats.is(self.place.bytes(), u64::try_from(rows).unwrap_or_default());
        Ok(())
    }

    fn read<T>(&self, act: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        act(&self.connection).map_err(|error| in_words(&self.path, &error))
    }

    fn transact<T>(&mut self, act: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T> {
        self.cut_log(LOG + MORE_LOG.min(self.settings.max_size / 4))?;
        let done = self.connection.transaction().and_then(|transaction| {
            let done = act(&transaction)?;
            transaction.commit()?;
            Ok(done)
        });
        done.map_err(|error| in_words(&self.path, &error))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // What stays in the log is taken from it by who opens it next.
        drop(self.checkpoint());
    }
}

/// Whether a database is as long as it says itself. SQLite finds out only where it looks at what is missing.
fn is_whole(path: &Path) -> Result<()> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if Path::new(&log).metadata().is_ok_and(|log| log.len() > 0) {
        // The log has the rest.
        return Ok(());
    }
    let mut header = [0; 100];
    let mut file = File::open(path).map_err(|error| anyhow!("cannot read {}: {error}", path.display()))?;
    let length = file.metadata().map_or(0, |file| file.len());
    if length == 0 {
        return Ok(());
    }
    let said = match file.read_exact(&mut header) {
        Ok(()) => {
            let page = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
                1 => 65_536,
                bytes => bytes,
            };
            let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
            u64::from(pages) * page
        }
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => u64::MAX,
        Err(error) => return Err(anyhow!("cannot read {}: {error}", path.display())),
    };
    if length < said {
        return Err(in_words(
            path,
            &rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
                Some("it is cut short".to_owned()),
            ),
        ));
    }
    Ok(())
}
