//! The thread that writes, and what happens when it cannot.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use jiff::Timestamp;

use super::age::Clock;
use super::counting::Counting;
use super::database::{Database, Writing};
use super::feed::{Feed, Woken};
use super::place::DATABASE;
use super::stats::{Refused, Stats};
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
        let writer = Writer::new(settings, schedule, stats);
        let feed = writer.feed.clone();
        let (at_work, ended) = channel();
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

    /// Writes what there is, and ends. Waits so long for it.
    ///
    /// # Errors
    /// It has not ended by then: itself, which goes on until its disk has taken what there is.
    pub fn stop(self, patience: Duration) -> Result<(), Self> {
        self.feed.stop();
        match self.ended.recv_timeout(patience) {
            Err(RecvTimeoutError::Timeout) => Err(self),
            _ => Ok(()),
        }
    }

    /// Whether it has ended, which it does once it is to stop: until then nobody else can write there.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.try_recv() == Err(TryRecvError::Disconnected)
    }
}

struct Writer {
    settings: Store,
    schedule: Schedule,
    stats: Arc<Stats>,
    feed: Feed,
    /// `None` until it could be opened, and after it has failed.
    database: Option<Database>,
    /// When all that waits was last taken to be written.
    whole: Option<Instant>,
    /// What was to be written when it failed.
    writing: Option<Writing>,
    counting: Counting,
    clock: Clock,
    failing: Repeated,
    /// Tidying that fails: what is written is written all the same.
    untidy: Repeated,
}

impl Writer {
    fn new(settings: &Store, schedule: Schedule, stats: Arc<Stats>) -> Self {
        Self {
            settings: settings.clone(),
            schedule,
            feed: Feed::new(&settings.path.join(DATABASE), Arc::clone(&stats)),
            stats,
            database: None,
            whole: None,
            writing: None,
            counting: Counting::default(),
            clock: Clock::default(),
            failing: Repeated::default(),
            untidy: Repeated::default(),
        }
    }

    fn run(mut self) {
        // Obstacles are told at once, and not in a minute.
        let mut works = self.attempt(true);
        loop {
            let woken = if works {
                self.feed.wait(self.schedule.every)
            } else {
                self.feed.wait_for_the_end(self.schedule.again)
            };
            let is_late = self.writing.is_some();
            let is_due = self.whole.is_none_or(|whole| whole.elapsed() >= self.schedule.every);
            works = self.attempt(woken != Woken::Notices || is_due);
            if woken == Woken::Stop {
                if works && is_late {
                    // What has come since that failed.
                    works = self.attempt(true);
                }
                if !works {
                    self.give_up();
                }
                return;
            }
        }
    }

    /// Says what is lost now that the store ends and its disk has not taken it.
    fn give_up(&mut self) {
        let waiting = self.writing.take().map(|writing| writing.batch);
        let batches = waiting.into_iter().chain([self.feed.take()]);
        let packets = batches.map(|batch| batch.gathered.observed()).sum();
        self.stats.refuse(Refused::Ended, packets);
        tracing::error!(
            "the store {} ends, and its disk has not taken what there was: {packets} packets that were observed are not \
             stored; counts go on from the last that were",
            self.settings.path.display()
        );
    }

    /// Writes what there is, or notices alone; says whether that worked.
    fn attempt(&mut self, all: bool) -> bool {
        let stats = Arc::clone(&self.stats);
        let at_work = stats.work(&self.settings.path);
        match caught(|| self.write(all)) {
            Ok(()) => {
                self.stats.worked();
                if let Some(times) = self.failing.worked() {
                    tracing::info!("the store is written again: {times} attempts had failed");
                }
                drop(at_work);
                if !all {
                    return true;
                }
                let _at_work = stats.work(&self.settings.path);
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

    fn write(&mut self, all: bool) -> Result<()> {
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
                let samples = if all { self.feed.take_samples() } else { Vec::new() };
                for sample in samples {
                    growth.extend(self.counting.grow(sample, |sensor| database.known(sensor))?);
                }
                let number = database.last_number()? + 1;
                let batch = if all { self.feed.take() } else { self.feed.take_notices() };
                self.whole = if all { Some(Instant::now()) } else { self.whole };
                none.insert(Writing { number, batch, growth, summed_up: 0 })
            }
        };
        database.write(writing, Timestamp::now())?;
        self.feed.wrote(writing.batch.asked);
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
        let tidied = caught(|| {
            let is_trusted = clock.is_trusted(Instant::now(), now, database.last_time()?);
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

/// Does something; a fault of the agent's own in it fails like anything else, and does not end the thread unnoticed.
fn caught(act: impl FnOnce() -> Result<()>) -> Result<()> {
    let words = |panic: Box<dyn Any + Send>| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        anyhow!(
            "the store is not written by a fault of the agent itself ({said}): report it, with the agent's log"
        )
    };
    // What was halfway is given up: a transaction that is open is undone as its database is closed.
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| Err(words(panic)))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::feed::Batch;
    use super::super::flow::{Flow, Key, SlotNumber};
    use super::super::tests::observation;
    use super::*;
    use crate::config::{NumberedSensor, Sensor, SensorNumber};
    use crate::sources::Source;

    /// Flows of a source whose packets have no sum, which nothing that is observed comes near.
    fn impossible() -> Writing {
        let mut batch = Batch { names: vec!["a".to_owned()], ..Batch::default() };
        for slot in [22, 23] {
            let source = Source::V6(1);
            let key = Key { hour: 494_000, sensor: 0, slot: SlotNumber(slot), source, tool: None };
            let flow = Flow { packets: u64::MAX, ..Flow::packet(0, 60) };
            batch.gathered.flows.insert(key, flow);
        }
        Writing { number: 1, batch, ..Writing::default() }
    }

    #[test]
    #[cfg(debug_assertions)]
    fn a_fault_of_its_own_is_told_and_does_not_end_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Store { path: folder.path().to_owned(), ..Store::default() };
        let mut writer = Writer::new(&settings, Schedule::default(), Arc::default());
        writer.writing = Some(impossible());
        assert!(!writer.attempt(true));
        let said = writer.stats.trouble().unwrap();
        assert!(said.contains("fault of the agent itself (attempt to add with overflow)"), "{said}");
        writer.writing = None;
        assert!(writer.attempt(true) && !writer.stats.fails());
    }

    /// Where no folder can be: what waits is lost at the end, and told.
    #[test]
    fn what_is_lost_at_the_end_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "").unwrap();
        let settings = Store { path, ..Store::default() };
        let mut writer = Writer::new(&settings, Schedule::default(), Arc::default());
        let (feed, stats) = (writer.feed.clone(), Arc::clone(&writer.stats));
        let sensor =
            Sensor { name: "a".to_owned(), region: String::new(), alias: None, prefixes: Vec::new() };
        feed.sensors(&[NumberedSensor { number: SensorNumber(0), sensor }], None);
        let packets = [1, 2, 3].map(|port| observation(Ipv4Addr::LOCALHOST, port, 1_700_000_000));
        feed.observe(&packets[..2]);
        assert!(!writer.attempt(true));
        feed.observe(&packets[2..]);
        feed.stop();
        writer.run();
        assert_eq!(stats.refused(Refused::Ended), 3);
    }
}
