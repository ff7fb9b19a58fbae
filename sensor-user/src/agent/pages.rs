//! The documents that are served, made of the counters and of what the kernel says at that moment.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Result, anyhow};
use bytes::Bytes;

use crate::export::{self, AttachStatus, Exporter, Scraper};
use crate::kernel::{Counters, Watch};
use crate::repeated::Repeated;

/// What pages are made of.
pub(super) struct Pages {
    /// Held over drain and observe together: snapshots must be observed in the order they were taken.
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) counters: Counters,
    pub(super) exporter: Exporter,
    /// What should be attached.
    pub(super) watches: Vec<Watch>,
    /// Drains that fail in a row.
    failing: Repeated,
}

impl Pages {
    /// Nothing is attached yet.
    pub(super) fn new(counters: Counters, exporter: Exporter) -> Self {
        Self {
            state: Mutex::new(State {
                counters,
                exporter,
                watches: Vec::new(),
                failing: Repeated::default(),
            }),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves at worst an older snapshot, which the next drain replaces.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn drain(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        let State { counters, exporter, failing, .. } = &mut *state;
        let started = Instant::now();
        match counters.drain() {
            Ok(snapshot) => {
                if let Some(memory) = exporter.observe(started, snapshot, started.elapsed()) {
                    counters.reuse(memory);
                }
                if let Some(times) = failing.worked() {
                    tracing::info!("the counters can be read again: {times} drains had failed");
                }
            }
            Err(error) => {
                exporter.drain_failed();
                if let Some(reason) = failing.failed(&error) {
                    tracing::error!("{reason}: until the counters can be read, /metrics is without them");
                }
                return Err(error);
            }
        }
        Ok(state)
    }

    /// What the kernel says is attached now.
    fn status(&self) -> Result<Vec<AttachStatus>> {
        let status = |watch: Watch| {
            let (mode, egress) = watch.now()?;
            Ok(AttachStatus { interface: watch.interface, mode, egress })
        };
        let watches = self.lock().watches.clone();
        watches.into_iter().map(status).collect()
    }

    /// Why the programs are not attached somewhere.
    fn trouble(&self) -> Result<Option<String>> {
        let watches = self.lock().watches.clone();
        for watch in watches {
            let interface = &watch.interface;
            let trouble = match (watch.now()?, &watch.trouble) {
                (_, Some(trouble)) => trouble.clone(),
                ((None, _), None) => format!("the program is no longer attached to {interface}"),
                ((_, false), None) => {
                    format!("the program that sees what {interface} sends is no longer attached")
                }
                _ => continue,
            };
            return Ok(Some(trouble));
        }
        Ok(None)
    }
}

impl export::Documents for Pages {
    fn metrics(&self, scraper: Scraper) -> Result<Bytes> {
        let attached = self.status()?;
        match self.drain() {
            Ok(mut state) => state.exporter.page(Instant::now(), &attached, scraper),
            // A page that failed would hide the very counter that tells of it.
            Err(_) => self.lock().exporter.page_without_counters(&attached),
        }
    }

    fn slots(&self) -> Result<Bytes> {
        self.drain()?.exporter.slots()
    }

    fn ready(&self) -> Result<()> {
        drop(self.drain()?);
        self.trouble()?.map_or(Ok(()), |trouble| Err(anyhow!(trouble)))
    }
}
