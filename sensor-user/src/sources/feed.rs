//! Where records of evidence come in, and the thread that looks at them. Who hands them over never waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use jiff::Timestamp;

use super::observation::Observation;
use super::reader::Reader;
use crate::evidence::each;
use crate::kernel::since_1970;

/// Batches that wait to be looked at, at most: 8 MiB.
const WAITING: usize = 32;
/// How often sinks are told the time.
const TICK: Duration = Duration::from_secs(1);

/// What observations are made for. It holds up what comes behind it: what may take long, as a disk does, is to go on
/// elsewhere.
pub trait Sink: Send {
    /// Takes what was observed. Times may go back a little, and clocks may be set.
    fn observe(&mut self, observations: &[Observation]);

    /// Tells the time, about each second.
    fn tick(&mut self, now: Timestamp);

    /// Ends: nothing more will come.
    fn end(self: Box<Self>);
}

/// Where records come in. A copy leads to the same place.
#[derive(Clone, Debug)]
pub struct Feed {
    batches: SyncSender<Bytes>,
    missed: Arc<AtomicU64>,
}

impl Feed {
    /// Offers a batch of records, without ever waiting; what cannot be taken is counted.
    pub fn offer(&self, records: &Bytes) {
        if records.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(records) | TrySendError::Disconnected(records)) =
            self.batches.try_send(records.clone())
        {
            let count = each(&records).count() as u64;
            self.missed.fetch_add(count, Ordering::Relaxed);
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
    /// Begins to look, for these sinks.
    ///
    /// # Errors
    /// There are no threads left.
    pub fn start(sinks: Vec<Box<dyn Sink>>) -> Result<Self> {
        let (batches, waiting) = sync_channel(WAITING);
        let (at_work, ended) = channel::<()>();
        thread::Builder::new()
            .name("sources".to_owned())
            .spawn(move || {
                observe(&waiting, sinks);
                drop(at_work);
            })
            .context("cannot start the thread that looks at sources")?;
        Ok(Self { feed: Feed { batches, missed: Arc::default() }, ended })
    }

    /// Where records come in.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Records that it had no time for.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.feed.missed.load(Ordering::Relaxed)
    }

    /// Ends, once nobody has a feed any more, and waits so long for the sinks to have ended; says whether they have.
    #[must_use]
    pub fn stop(self, patience: Duration) -> bool {
        let Self { feed, ended } = self;
        drop(feed);
        ended.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }
}

/// Looks at what comes, until nobody is left who could send more.
fn observe(batches: &Receiver<Bytes>, mut sinks: Vec<Box<dyn Sink>>) {
    let mut reader = Reader::default();
    let mut observations = Vec::new();
    let mut due = Instant::now();
    loop {
        match batches.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(records) => {
                reader.read(&records, since_1970(), |observation| observations.push(observation));
                for sink in &mut sinks {
                    sink.observe(&observations);
                }
                observations.clear();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if due <= Instant::now() {
            let now = Timestamp::now();
            for sink in &mut sinks {
                sink.tick(now);
            }
            due = Instant::now() + TICK;
        }
    }
    sinks.into_iter().for_each(Sink::end);
}
