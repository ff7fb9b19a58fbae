//! What keeps the store: begun, stopped and begun anew as the configuration says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::kernel::{Deployment, Ledger};
use crate::obstacle::in_words;
use crate::sources::{Observation, Position, Sink};
use crate::store::{Feed, Keeper, Schedule, Stats};

/// How long a stop waits for the disk.
const PATIENCE: Duration = Duration::from_secs(3);

/// The store, while there is one.
#[derive(Debug)]
pub(super) struct Store {
    keeper: Option<Keeper>,
    /// What was to stop and waits for its disk: until it has, no other begins in its folder.
    stopping: Option<Keeper>,
    stats: Arc<Stats>,
    stored: Stored,
}

impl Store {
    /// Nothing is stored yet; `stats` is where metrics look.
    pub(super) fn new(stats: Arc<Stats>) -> Self {
        Self { keeper: None, stopping: None, stats, stored: Stored::default() }
    }

    /// Begins, goes on or ends as configured, for the sensors that are deployed; waits with it for what has not ended in the same folder.
    /// What stands in its way does not stop the counting.
    pub(super) fn begin(&mut self, config: &Config, deployment: &Deployment) {
        if self.keeper.as_ref().map(Keeper::settings) != config.store.as_ref() {
            self.end();
        }
        if self.stopping.take_if(|stopping| stopping.has_ended()).is_some() && self.keeper.is_none() {
            // It may have said since that it fails.
            self.stats.reset();
        }
        if let (None, Some(settings)) = (&self.keeper, &config.store)
            && self.stopping.as_ref().is_none_or(|stopping| stopping.settings().path != settings.path)
        {
            match Keeper::start(settings, Schedule::default(), Arc::clone(&self.stats)) {
                Ok(keeper) => self.keeper = Some(keeper),
                Err(error) => {
                    tracing::error!(
                        "{}: nothing is stored until a reload or a restart; counting goes on",
                        in_words(&error)
                    );
                }
            }
        }
        let feed = self.feed();
        if let Some(feed) = &feed {
            let ledger = deployment.ledger();
            feed.sensors(deployment.sensors(), ledger.as_ref().ok().and_then(Ledger::life));
        }
        *self.stored.lock() = feed;
    }

    /// Whether a store that was to end had not when it was last begun.
    pub(super) const fn is_stopping(&self) -> bool {
        self.stopping.is_some()
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
        if let Some(Err(keeper)) = self.keeper.take().map(|keeper| keeper.stop(PATIENCE)) {
            tracing::warn!(
                "the disk does not take what is to be stored: the last minute of it is lost if the agent ends before it has"
            );
            self.stopping = Some(keeper);
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

    fn reached(&mut self, positions: &[Position]) {
        if let Some(feed) = &*self.lock() {
            feed.reached(positions);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        if let Some(feed) = &*self.lock() {
            feed.attend(now);
        }
    }

    fn end(self: Box<Self>) {}
}
