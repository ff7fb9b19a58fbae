//! What keeps the store: begun, stopped and begun anew as the configuration says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::config::{Config, NumberedSensor};
use crate::sources::{Observation, Sink};
use crate::store::{Feed, Keeper, Schedule, Stats};

/// How long a stop waits for the disk.
const PATIENCE: Duration = Duration::from_secs(3);

/// The store, while there is one.
#[derive(Debug)]
pub(super) struct Store {
    keeper: Option<Keeper>,
    stats: Arc<Stats>,
    stored: Stored,
}

impl Store {
    /// Nothing is stored yet; `stats` is where metrics look.
    pub(super) fn new(stats: Arc<Stats>) -> Self {
        Self { keeper: None, stats, stored: Stored::default() }
    }

    /// Begins, goes on or ends as configured, for these sensors. What stands in its way does not stop the counting.
    pub(super) fn begin(&mut self, config: &Config, sensors: &[NumberedSensor]) {
        if self.keeper.as_ref().map(Keeper::settings) != config.store.as_ref() {
            self.end();
        }
        if let (None, Some(settings)) = (&self.keeper, &config.store) {
            match Keeper::start(settings, Schedule::default(), Arc::clone(&self.stats)) {
                Ok(keeper) => self.keeper = Some(keeper),
                Err(error) => {
                    tracing::error!(
                        "{error:#}: nothing is stored until a reload or a restart; counting goes on"
                    );
                }
            }
        }
        let feed = self.feed();
        if let Some(feed) = &feed {
            feed.sensors(sensors);
        }
        *self.stored.lock() = feed;
    }

    /// Where what is to be stored comes in, if anything is.
    pub(super) fn feed(&self) -> Option<Feed> {
        self.keeper.as_ref().map(Keeper::feed)
    }

    /// What takes observations, whatever store there is.
    pub(super) fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.stored.clone())
    }

    /// Writes what there is, and ends.
    pub(super) fn end(&mut self) {
        *self.stored.lock() = None;
        if self.keeper.take().is_some_and(|keeper| !keeper.stop(PATIENCE)) {
            tracing::warn!("the disk does not take what is to be stored: the last minute of it is lost");
        }
        self.stats.reset();
    }
}

/// Hands observations on to the store that there is.
#[derive(Clone, Debug, Default)]
struct Stored(Arc<Mutex<Option<Feed>>>);

impl Stored {
    fn lock(&self) -> MutexGuard<'_, Option<Feed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Stored {
    fn observe(&mut self, observations: &[Observation]) {
        if let Some(feed) = &*self.lock() {
            feed.observe(observations);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        if let Some(feed) = &*self.lock() {
            feed.attend(now);
        }
    }

    fn end(self: Box<Self>) {}
}
