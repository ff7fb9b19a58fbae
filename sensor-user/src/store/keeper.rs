//! The thread that writes, and what happens when it cannot.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::age::Clock;
use super::counting::Counting;
use super::database::{Database, Writing};
use super::feed::{Feed, Woken};
use super::place::DATABASE;
use super::stats::Stats;
use crate::config::Store;
use crate::obstacle::in_words;
use crate::repeated::Repeated;

/// When the store is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// So long after the last time, or when the counters are sampled.
    pub every: Duration,
    /// So long after it has failed.
    pub again: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { every: Duration::from_mins(1), again: Duration::from_secs(10) }
    }
}

/// What keeps the store, until it is stopped.
#[derive(Debug)]
pub struct Keeper {
    settings: Store,
    feed: Feed,
    /// Nothing comes here; it is closed when everything is written.
    ended: Receiver<()>,
}

impl Keeper {
    /// Begins to keep it, and to say so in `stats`. What stands in its way is logged, and tried again.
    ///
    /// # Errors
    /// There are no threads left.
    pub fn start(settings: &Store, schedule: Schedule, stats: Arc<Stats>) -> Result<Self> {
        let feed = Feed::new(&settings.path.join(DATABASE), Arc::clone(&stats));
        let (at_work, ended) = channel();
        let writer = Writer {
            settings: settings.clone(),
            schedule,
            stats,
            feed: feed.clone(),
            database: None,
            writing: None,
            counting: Counting::default(),
            clock: Clock::default(),
            failing: Repeated::default(),
            untidy: Repeated::default(),
        };
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                writer.run();
                drop::<Sender<()>>(at_work);
            })
            .context("cannot start the thread that writes the store")?;
        Ok(Self { settings: settings.clone(), feed, ended })
    }

    /// Where what is to be stored comes in.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// How it is kept.
    #[must_use]
    pub const fn settings(&self) -> &Store {
        &self.settings
    }

    /// Writes what there is, and ends: waits so long for it, and says whether it has ended.
    #[must_use]
    pub fn stop(self, patience: Duration) -> bool {
        self.feed.stop();
        self.ended.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }
}

struct Writer {
    settings: Store,
    schedule: Schedule,
    stats: Arc<Stats>,
    feed: Feed,
    /// `None` until it could be opened, and after it has failed.
    database: Option<Database>,
    /// What was to be written when it failed.
    writing: Option<Writing>,
    counting: Counting,
    clock: Clock,
    failing: Repeated,
    /// Tidying that fails: what is written is written all the same.
    untidy: Repeated,
}

impl Writer {
    fn run(mut self) {
        // Obstacles are told at once, and not in a minute.
        let mut works = self.attempt();
        loop {
            let woken = if works {
                self.feed.wait(self.schedule.every)
            } else {
                self.feed.wait_for_the_end(self.schedule.again)
            };
            let is_late = self.writing.is_some();
            works = self.attempt();
            if woken == Woken::Stop {
                if works && is_late {
                    // What has come since that failed.
                    self.attempt();
                }
                return;
            }
        }
    }

    /// Writes what there is; says whether that worked.
    fn attempt(&mut self) -> bool {
        match self.write() {
            Ok(()) => {
                self.stats.worked();
                if let Some(times) = self.failing.worked() {
                    tracing::info!("the store is written again: {times} attempts had failed");
                }
                self.tidy();
                true
            }
            Err(error) => {
                self.database = None;
                self.stats.failed(in_words(&error));
                if let Some(reason) = self.failing.failed(&error) {
                    tracing::error!("{reason}; nothing is stored until that works, and counting goes on");
                }
                false
            }
        }
    }

    fn write(&mut self) -> Result<()> {
        let database = match &mut self.database {
            Some(database) => database,
            none => {
                let database = Database::open(&self.settings, &self.stats)?;
                // What is written there is what counts go on from.
                self.counting = Counting::default();
                none.insert(database)
            }
        };
        let writing = match &mut self.writing {
            Some(writing) => writing,
            none => {
                let mut growth = Vec::new();
                for sample in self.feed.take_samples() {
                    growth.extend(self.counting.grow(sample, |sensor| database.known(sensor))?);
                }
                let number = database.last_number()? + 1;
                none.insert(Writing { number, batch: self.feed.take(), growth })
            }
        };
        database.write(writing, Timestamp::now())?;
        self.writing = None;
        Ok(())
    }

    /// Files what is full and removes what is old, unless this is the end.
    fn tidy(&mut self) {
        let Self { database: Some(database), clock, feed, .. } = self else { return };
        let goes_on = || !feed.is_stopped();
        if !goes_on() {
            return;
        }
        let now = Timestamp::now();
        let tidied = database.last_time().and_then(|trusted| {
            let is_trusted = clock.is_trusted(Instant::now(), now, trusted);
            database.tidy(now, is_trusted, &goes_on)
        });
        match tidied {
            Ok(()) => {
                if let Some(times) = self.untidy.worked() {
                    tracing::info!("the store is tidied again: {times} attempts had failed");
                }
            }
            Err(error) => {
                if let Some(reason) = self.untidy.failed(&error) {
                    tracing::error!(
                        "{reason}; until that works, old hours may stay and full ones lack files"
                    );
                }
            }
        }
    }
}
