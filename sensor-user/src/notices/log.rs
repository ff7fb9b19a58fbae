//! The event log: each notice as a line of a file, within a minute of the first packet that it is about.
//!
//! Whatever the file cannot take stays in the store as not sent, and is written once it can. Lines that are in the file, and
//! of which the store does not know, since the agent was killed in between, are found there and not written again.

mod file;
mod stats;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use self::file::LogFile;
pub use self::stats::Stats;
use super::book::Book;
use super::event::{Event, id};
use super::intelmq;
use crate::config;
use crate::obstacle::in_words;
use crate::repeated::Repeated;
use crate::store::AskNoticed;

/// How often it is looked for notices that are not sent.
const LOOK: Duration = Duration::from_secs(5);
/// How long the store may take to write some.
const PATIENCE: Duration = Duration::from_secs(10);

/// What writes the log, until it is stopped.
#[derive(Debug)]
pub struct Logger {
    settings: config::Notices,
    stop: Sender<()>,
    /// Nothing comes here; it is closed when it has ended.
    ended: Receiver<()>,
}

impl Logger {
    /// Begins to write the log that the settings name; `None` if they name none.
    ///
    /// # Errors
    /// There are no threads left.
    pub fn start(settings: &config::Notices, book: &Book, stats: &Arc<Stats>) -> Result<Option<Self>> {
        let Some(path) = settings.log.clone() else { return Ok(None) };
        let (stop, stopped) = channel();
        let (at_work, ended) = channel::<()>();
        book.read_first(true);
        stats.begun(Path::new(&path));
        let writer = Writer {
            path: path.into(),
            most: settings.log_max_size,
            book: book.clone(),
            stats: Arc::clone(stats),
            file: None,
            told: HashSet::new(),
            failing: Repeated::default(),
        };
        thread::Builder::new()
            .name("notices".to_owned())
            .spawn(move || {
                writer.run(&stopped);
                drop(at_work);
            })
            .context("cannot start the thread that writes the event log")?;
        Ok(Some(Self { settings: settings.clone(), stop, ended }))
    }

    /// How it is written.
    #[must_use]
    pub const fn settings(&self) -> &config::Notices {
        &self.settings
    }

    /// Writes what there is, and ends; says whether it has within so long.
    #[must_use]
    pub fn stop(self, patience: Duration) -> bool {
        let Self { stop, ended, .. } = self;
        drop(stop);
        ended.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }
}

/// What stands in the way of a log at this path, as far as can be seen without writing there.
#[must_use]
pub fn obstacle(path: &Path) -> Option<String> {
    file::obstacle(path)
}

struct Writer {
    path: Arc<Path>,
    most: u64,
    book: Book,
    stats: Arc<Stats>,
    file: Option<LogFile>,
    /// Notices in the file that are not known to be marked.
    told: HashSet<String>,
    failing: Repeated,
}

impl Writer {
    fn run(mut self, stopped: &Receiver<()>) {
        self.attempt();
        self.book.read_first(false);
        loop {
            let ends = stopped.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout);
            self.attempt();
            if ends {
                self.stats.ended();
                return;
            }
        }
    }

    fn attempt(&mut self) {
        let stats = Arc::clone(&self.stats);
        let at_work = stats.work(&self.path);
        match self.write() {
            Ok(()) => {
                stats.worked();
                if let Some(times) = self.failing.worked() {
                    tracing::info!("the event log is written again: {times} attempts had failed");
                }
            }
            Err(error) => {
                self.file = None;
                stats.failed(in_words(&error));
                if let Some(reason) = self.failing.failed(&error) {
                    tracing::error!(
                        "{reason}; notices wait in the store until the event log can be written, and all else goes on"
                    );
                }
            }
        }
        drop(at_work);
    }

    /// Writes all that is not sent.
    fn write(&mut self) -> Result<()> {
        let file = if let Some(file) = self.file.take().filter(LogFile::is_there) {
            file
        } else {
            let (file, told) = LogFile::open(&self.path)?;
            self.told.extend(told);
            file
        };
        let file = self.file.insert(file);
        let by = self.book.by();
        let Some(feed) = &by.feed else { return Ok(()) };
        if feed.has_notices() {
            feed.write_notices(PATIENCE)?;
        }
        let (unsent, mut after) = (AskNoticed { unsent: true, ..AskNoticed::default() }, None);
        loop {
            let mut claim = self.book.claim();
            let (rows, next) = self.book.rows(&feed.reader(), &unsent, after, Some(&mut claim))?;
            let now = Timestamp::now();
            let rows = rows.into_iter().filter(|row| !self.told.contains(&id(&row.key)));
            let events: Vec<_> = rows.map(|row| Event::of(row, &by, false)).collect();
            let lines: String = events.iter().map(|event| intelmq::line(event, now)).collect();
            if !lines.is_empty() {
                file.append(lines.as_bytes(), self.most / 2)?;
                self.stats.wrote(events.len());
                self.told.extend(events.into_iter().map(|event| event.id));
            }
            if !claim.is_empty() {
                claim.sent()?;
            }
            after = next;
            if after.is_none() {
                // All of it is marked.
                self.told.clear();
                return Ok(());
            }
        }
    }
}
