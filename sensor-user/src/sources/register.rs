//! Everything that is known of sources by now, for whoever asks; and where observations come in.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;

use super::answer::Belongs;
use super::clock::Doubt;
use super::feed::Sink;
use super::lists::{ListStatus, Lists, Reader};
use super::memory::{Counted, Memory};
use super::observation::Observation;
use super::sketch::SketchKey;
use super::source::Source;
use super::victims::Victim;
use crate::config::{NumberedSensor, SensorNumber, Sources};
use crate::obstacle::in_words;
use crate::store;

/// How often events are stored, in seconds.
const EVENTS_EACH: i64 = 60;
/// For so long beyond that they are told again, in seconds: a clock may be set, and records come a little late.
const MARGIN: i64 = 60;

/// What is known of sources. A copy is the same.
#[derive(Clone)]
pub struct Register(Arc<Shared>);

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Register").finish_non_exhaustive()
    }
}

type Counts = BTreeMap<SensorNumber, Vec<Counted>>;

struct Shared {
    memory: Mutex<Memory>,
    lists: Reader,
    /// What the counters said last, until memory has it: whoever reads them does not wait for an answer to be put together.
    counted: Mutex<Counts>,
    /// Records that there was no time to look at.
    missed: Arc<AtomicU64>,
    /// Where events are stored, and what was before memory is asked; `None` without a store.
    store: Mutex<Option<store::Feed>>,
    /// When events were stored last, in seconds since 1970.
    stored: AtomicI64,
}

impl Register {
    /// One that knows nothing yet.
    ///
    /// # Errors
    /// There are no threads left.
    pub fn new(settings: &Sources, sensors: &[NumberedSensor]) -> Result<Self> {
        let lists = Reader::start(settings)?;
        let memory = Mutex::new(Memory::new(settings, sketch_key(settings), sensors));
        Ok(Self(Arc::new(Shared {
            memory,
            lists,
            counted: Mutex::default(),
            missed: Arc::default(),
            store: Mutex::default(),
            stored: AtomicI64::new(0),
        })))
    }

    /// Knows of these sensors from now on, by these settings. What was known of sensors that were there before, by name and
    /// number, stays known.
    pub fn configure(&self, settings: &Sources, sensors: &[NumberedSensor]) {
        self.0.lists.settings(settings);
        self.memory().configure(settings, sketch_key(settings), sensors);
    }

    /// Has this store from now on, or none: for events, and for what is asked of a time that memory does not reach back to.
    pub fn keep_in(&self, store: Option<store::Feed>) {
        *self.0.store.lock().unwrap_or_else(PoisonError::into_inner) = store;
    }

    /// What reads the store, if there is one.
    pub(super) fn reader(&self) -> Option<store::Reader> {
        self.feed().map(|feed| feed.reader())
    }

    fn feed(&self) -> Option<store::Feed> {
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes from the store what it has of the current and the last hour and day, as long as there is time.
    pub fn restore(&self, patience: Duration) {
        if let Some(reader) = self.reader() {
            let lists = self.lists();
            self.memory().restore(&reader, &lists, Timestamp::now(), patience);
        }
    }

    /// Notes that the store could not be asked at a start, though it may have something of this hour and day.
    pub fn not_restored(&self) {
        self.memory().not_restored(Timestamp::now());
    }

    /// Stores the windows and events that have begun, gone on or ended since that was last done: once a minute, and at the end.
    fn store_events(&self, now: Timestamp, at_the_end: bool) {
        let Some(feed) = self.feed() else { return };
        let last = self.0.stored.load(Ordering::Relaxed);
        if !at_the_end && now.as_second() - last < EVENTS_EACH && now.as_second() >= last {
            return;
        }
        self.0.stored.store(now.as_second(), Ordering::Relaxed);
        // One that was seen since is told again, and one that ended meanwhile for the last time.
        let since = last - MARGIN;
        // Bounded by what memory has room for; what is written of them is made while nobody waits.
        let (events, windows) = {
            let memory = self.memory();
            (memory.events(since), memory.all_windows())
        };
        for event in events {
            feed.event(event.into());
        }
        for (sensor, window) in windows.into_iter().filter(|(_, window)| window.end() > since) {
            feed.window(window.stored(sensor));
        }
    }

    /// Whose an address is, as far as lists tell.
    #[must_use]
    pub fn belongs(&self, source: Source) -> Belongs {
        Belongs::of(source, &self.lists())
    }

    /// Victims that were seen then or later, in seconds since 1970, by the sensor that saw them.
    #[must_use]
    pub fn victims_since(&self, since: i64) -> Vec<(String, Victim)> {
        self.memory().victims(since)
    }

    /// Where observations come in.
    #[must_use]
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.clone())
    }

    /// Takes how many packets of each sensor were counted by now and not handed over as evidence: what is observed rests on
    /// the share of all others.
    pub fn counted(&self, time: Timestamp, skipped: impl IntoIterator<Item = (SensorNumber, u64)>) {
        let mut counted = self.lock_counted();
        for (sensor, skipped) in skipped {
            // Of those that memory does not have yet, the oldest and this one stay.
            let waiting = counted.entry(sensor).or_default();
            waiting.truncate(1);
            waiting.push(Counted { time, skipped });
        }
    }

    /// How the lists of countries, autonomous systems and known scanners stand that the settings name.
    #[must_use]
    pub fn list_status(&self) -> Vec<ListStatus> {
        self.0.lists.status()
    }

    /// Where it is counted how many records of evidence there was no time to look at.
    #[must_use]
    pub fn missed_records(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0.missed)
    }

    pub(super) fn lists(&self) -> Lists {
        self.0.lists.lists()
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        // What a panic may leave half done are counts of one packet.
        let mut memory = self.0.memory.lock().unwrap_or_else(PoisonError::into_inner);
        for (sensor, waiting) in std::mem::take(&mut *self.lock_counted()) {
            for counted in waiting {
                memory.count(sensor, counted);
            }
        }
        memory
    }

    fn lock_counted(&self) -> MutexGuard<'_, Counts> {
        // What a panic may leave out is told by the next.
        self.0.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What sketches are made with; that there is something wrong with it is logged.
fn sketch_key(settings: &Sources) -> Option<SketchKey> {
    let key = SketchKey::read(settings.sketch_key_file.as_deref()?);
    key.inspect_err(|error| {
        tracing::error!("{}; until a reload with a key no window has a sketch", in_words(error));
    })
    .ok()
}

impl Sink for Register {
    fn observe(&mut self, observations: &[Observation]) {
        let lists = self.lists();
        let mut memory = self.memory();
        for observation in observations {
            memory.add(observation, &lists);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        // Both clocks before there is a wait for who asks: memory compares them.
        let on_both = Instant::now();
        let doubt = self.memory().tick(now, on_both);
        if let (Some(Doubt { before, now }), Some(feed)) = (doubt, self.feed()) {
            feed.doubt(before, now);
        }
        self.store_events(now, false);
    }

    fn end(self: Box<Self>) {
        self.store_events(Timestamp::now(), true);
    }
}
