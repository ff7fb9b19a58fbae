//! Where records of evidence come in, and the thread that looks at them. Who hands them over never waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use jiff::Timestamp;

use super::observation::{Observation, Position};
use super::reader::Reader;
use crate::evidence::each;
use crate::kernel::since_1970;

/// Bytes of batches that wait to be looked at, at most.
const MOST_WAITING: usize = 8 << 20;
/// What a batch that waits takes beside its records, in bytes: few records may come in many batches.
const OVERHEAD: usize = 128;
/// How often sinks are told the time.
const TICK: Duration = Duration::from_secs(1);

/// What observations are made for. It holds up what comes behind it: what may take long, as a disk does, is to go on
/// elsewhere.
pub trait Sink: Send {
    /// Takes what was observed. Times may go back a little, and clocks may be set.
    fn observe(&mut self, observations: &[Observation]);

    /// Takes one from a constituency, with the first bytes of its frame, before it is among those that were observed.
    fn constituents(&mut self, _: &Observation, _frame: &[u8]) {}

    /// Tells how far records have come, of which it has taken all that they tell.
    fn reached(&mut self, _: &[Position]) {}

    /// Tells the time, about each second.
    fn tick(&mut self, now: Timestamp);

    /// Ends: nothing more will come.
    fn end(self: Box<Self>);
}

/// Where records come in. A copy leads to the same place.
#[derive(Clone, Debug)]
pub struct Feed {
    batches: Sender<Batch>,
    /// Bytes of batches that wait.
    waiting: Arc<AtomicUsize>,
    missed: Arc<AtomicU64>,
}

/// What the thread takes.
#[derive(Debug)]
enum Batch {
    /// Records to look at.
    Records(Bytes),
    /// All before it is looked at once this is gone.
    Settled(Sender<()>),
}

impl Feed {
    /// Offers a batch of records, without ever waiting; what cannot be taken is counted.
    pub fn offer(&self, records: &Bytes) {
        if records.is_empty() {
            return;
        }
        let bytes = weight(records);
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let fits = before + bytes <= MOST_WAITING;
        if !fits || self.batches.send(Batch::Records(records.clone())).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            miss(&self.missed, records);
        }
    }
}

/// The thread that looks at records. It ends when it and all copies of its feed are gone.
#[derive(Debug)]
pub struct Observer {
    feed: Feed,
    /// Nothing comes here; it is closed when all sinks have ended.
    ended: Receiver<()>,
}

impl Observer {
    /// Begins to look, for these sinks. What there is no time for is counted in `missed`, in records. `before`: how far an
    /// earlier agent had come with what it has kept.
    ///
    /// # Errors
    /// There are no threads left.
    pub fn start(sinks: Vec<Box<dyn Sink>>, missed: Arc<AtomicU64>, before: Vec<Position>) -> Result<Self> {
        let (batches, waiting) = channel();
        let (at_work, ended) = channel::<()>();
        let feed = Feed { batches, waiting: Arc::default(), missed };
        let (bytes, of_thread) = (Arc::clone(&feed.waiting), Arc::clone(&feed.missed));
        thread::Builder::new()
            .name("sources".to_owned())
            .spawn(move || {
                observe(&waiting, &bytes, Reader::new(before), sinks, &of_thread);
                drop(at_work);
            })
            .context("cannot start the thread that looks at sources")?;
        Ok(Self { feed, ended })
    }

    /// Where records come in.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Waits so long until all that was offered is looked at; says whether it is.
    #[must_use]
    pub fn settle(&self, patience: Duration) -> bool {
        let (settled, is_settled) = channel();
        self.feed.batches.send(Batch::Settled(settled)).is_ok()
            && is_settled.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }

    /// Ends, once nobody has a feed any more, and waits so long for the sinks to have ended; says whether they have.
    #[must_use]
    pub fn stop(self, patience: Duration) -> bool {
        let Self { feed, ended } = self;
        drop(feed);
        ended.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }
}

/// What a batch takes while it waits, in bytes.
const fn weight(records: &Bytes) -> usize {
    records.len() + OVERHEAD
}

/// Counts records that nobody looks at.
fn miss(missed: &AtomicU64, records: &[u8]) {
    missed.fetch_add(each(records).count() as u64, Ordering::Relaxed);
}

/// Does something of which a bug costs what it was done for, and not the thread; says whether it was done.
fn survived(work: impl FnOnce()) -> bool {
    let survived = catch_unwind(AssertUnwindSafe(work)).is_ok();
    if !survived {
        tracing::error!(
            "the agent has a bug, told above: what it looked at is not known of sources; all else goes on"
        );
    }
    survived
}

/// Looks at what comes, until nobody is left who could send more.
fn observe(
    batches: &Receiver<Batch>,
    waiting: &AtomicUsize,
    mut reader: Reader,
    mut sinks: Vec<Box<dyn Sink>>,
    missed: &AtomicU64,
) {
    let mut observations = Vec::new();
    let mut due = Instant::now();
    loop {
        match batches.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(Batch::Settled(settled)) => drop(settled),
            Ok(Batch::Records(records)) => {
                let looked = survived(|| {
                    reader.read(&records, since_1970(), |observation, frame| {
                        if observation.is_constituents {
                            for sink in &mut sinks {
                                sink.constituents(&observation, frame);
                            }
                        }
                        observations.push(observation);
                    });
                    let positions = reader.positions();
                    for sink in &mut sinks {
                        sink.observe(&observations);
                        sink.reached(&positions);
                    }
                });
                if !looked {
                    miss(missed, &records);
                }
                observations.clear();
                waiting.fetch_sub(weight(&records), Ordering::Relaxed);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if due <= Instant::now() {
            let now = Timestamp::now();
            for sink in &mut sinks {
                survived(|| sink.tick(now));
            }
            due = Instant::now() + TICK;
        }
    }
    sinks.into_iter().for_each(Sink::end);
}

#[cfg(test)]
mod tests {
    use sensor_common::layout::Slot;
    use sensor_common::layout::side::Side;

    use super::super::reader::tests::record;
    use super::*;

    /// Breaks down over the first batch.
    struct Fragile {
        batches: Arc<AtomicU64>,
    }

    impl Sink for Fragile {
        fn observe(&mut self, _: &[Observation]) {
            assert!(self.batches.fetch_add(1, Ordering::Relaxed) > 0, "a bug, as a test wants it");
        }

        fn tick(&mut self, _: Timestamp) {}

        fn end(self: Box<Self>) {}
    }

    #[test]
    fn what_was_offered_is_looked_at_once_it_is_settled() {
        let batches = Arc::<AtomicU64>::default();
        let fragile = Fragile { batches: Arc::clone(&batches) };
        let observer = Observer::start(vec![Box::new(fragile)], Arc::default(), Vec::new()).unwrap();
        for number in 1..=20 {
            let record = record(number, 0, 0, Slot::tcp(23), Side::NONE, &[0; 60]);
            observer.feed().offer(&record.into());
        }
        assert!(observer.settle(Duration::from_mins(1)));
        assert_eq!(batches.load(Ordering::Relaxed), 20);
    }

    /// Waits until it is let go on.
    struct Stalled(Receiver<()>);

    impl Sink for Stalled {
        fn observe(&mut self, _: &[Observation]) {
            let _ = self.0.recv();
        }

        fn tick(&mut self, _: Timestamp) {}

        fn end(self: Box<Self>) {}
    }

    #[test]
    fn what_waits_is_bounded_by_bytes_and_the_rest_is_counted() {
        let (go_on, stalled) = channel();
        let missed = Arc::<AtomicU64>::default();
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Stalled(stalled))];
        let observer = Observer::start(sinks, Arc::clone(&missed), Vec::new()).unwrap();
        let bytes = Bytes::from(record(1, 0, 0, Slot::tcp(23), Side::NONE, &[0; 60]));
        let fit = MOST_WAITING / weight(&bytes);
        for _ in 0..fit + 10 {
            observer.feed().offer(&bytes);
        }
        // The first may be looked at, and waits nevertheless.
        assert_eq!(missed.load(Ordering::Relaxed), 10);
        drop(go_on);
        assert!(observer.stop(Duration::from_mins(1)));
    }

    #[test]
    fn a_bug_costs_what_it_was_met_at_and_is_counted() {
        let (batches, missed) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let fragile = Fragile { batches: Arc::clone(&batches) };
        let observer = Observer::start(vec![Box::new(fragile)], Arc::clone(&missed), Vec::new()).unwrap();
        for number in 1..=3 {
            let record = record(number, 0, 0, Slot::tcp(23), Side::NONE, &[0; 60]);
            observer.feed().offer(&record.into());
        }
        assert!(observer.stop(Duration::from_mins(1)));
        assert_eq!((batches.load(Ordering::Relaxed), missed.load(Ordering::Relaxed)), (3, 1));
    }
}
