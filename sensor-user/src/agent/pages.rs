//! The documents that are served, made of the counters and of what the kernel says at that moment.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use anyhow::{Result, anyhow};
use bytes::Bytes;
use jiff::Timestamp;

use super::status::Since;
use super::view::{PortsLately, Ranked, ToldLately};
use crate::export::{self, AttachStatus, Exporter, Scraper};
use crate::kernel::{Counters, Watch};
use crate::notices::Book;
use crate::obstacle::WrongUse;
use crate::page::{self, Asked};
use crate::repeated::{Repeated, Trouble};
use crate::sources::Register;
use crate::status::AgentStatus;
use crate::store::Feed;
use crate::view::{LastPackets, Pace, Sight};

/// What pages are made of.
pub(super) struct Pages {
    /// Held over drain and observe together: snapshots must be observed in the order they were taken.
    state: Mutex<State>,
    /// What was told lately. Held while it is told.
    told: Mutex<ToldLately>,
    /// Likewise, of ports.
    told_of_ports: Mutex<PortsLately>,
}

pub(super) struct State {
    pub(super) counters: Counters,
    pub(super) exporter: Exporter,
    /// What should be attached.
    pub(super) watches: Vec<Watch>,
    /// Since when it is.
    pub(super) since: Since,
    /// What the agent is, but for what a reload changes.
    pub(super) about: AgentStatus,
    /// Whether nothing is dropped.
    pub(super) observe: bool,
    /// Where evidence is kept, if it is.
    pub(super) evidence: Option<PathBuf>,
    /// Where what is to be stored comes in, if anything is.
    pub(super) store: Option<Feed>,
    /// What notices are made by.
    pub(super) book: Book,
    /// When the counters were last read.
    pub(super) drained: Option<SystemTime>,
    /// Likewise, by a clock that nobody sets.
    pub(super) read: Option<Instant>,
    /// How fast packets come.
    pub(super) pace: Pace,
    /// The packets that were seen last.
    pub(super) last: LastPackets,
    /// What the last snapshot's packets were sent to, if somebody has looked.
    pub(super) ranked: Ranked,
    /// Why evidence is not kept, though it should be.
    pub(super) trouble: Trouble,
    /// Drains that fail in a row.
    failing: Repeated,
}

impl Pages {
    /// Nothing is attached yet.
    pub(super) fn new(
        counters: Counters,
        exporter: Exporter,
        about: AgentStatus,
        book: Book,
        last: LastPackets,
        trouble: Trouble,
    ) -> Self {
        Self {
            state: Mutex::new(State {
                counters,
                exporter,
                watches: Vec::new(),
                since: Since::default(),
                observe: about.observe,
                about,
                evidence: None,
                store: None,
                book,
                drained: None,
                read: None,
                pace: Pace::default(),
                last,
                ranked: Ranked::default(),
                trouble,
                failing: Repeated::default(),
            }),
            told: Mutex::default(),
            told_of_ports: Mutex::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves at worst an older snapshot, which the next drain replaces.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ports(&self) -> MutexGuard<'_, PortsLately> {
        self.told_of_ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lately(&self) -> MutexGuard<'_, ToldLately> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where evidence is kept from now on, what is stored, and what is known of sources, if they are.
    pub(super) fn keep(&self, evidence: Option<PathBuf>, store: Option<Feed>, sources: Option<Register>) {
        {
            let mut state = self.lock();
            state.evidence = evidence;
            state.store = store;
            state.exporter.tell_of(sources);
        }
        // Counts go on from now.
        self.store_counts();
    }

    /// Has the counters stored as they are now. What keeps them from being read is in the log.
    pub(super) fn store_counts(&self) {
        if self.lock().store.is_some()
            && let Ok(state) = self.drain()
        {
            state.store_counts(Timestamp::now());
        }
    }

    pub(super) fn drain(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        let State { counters, exporter, failing, drained, read, pace, .. } = &mut *state;
        let started = Instant::now();
        match counters.drain() {
            Ok(snapshot) => {
                *drained = Some(SystemTime::now());
                if let Some(memory) = exporter.observe(started, snapshot, started.elapsed()) {
                    counters.reuse(memory);
                }
                if let Some(times) = failing.worked() {
                    tracing::info!("the counters can be read again: {times} drains had failed");
                }
                let now = Timestamp::now();
                *read = Some(started);
                pace.note(
                    started,
                    now,
                    exporter.counted().map(|(name, slots)| (name, slots.total().packets)),
                );
                if state.store.as_ref().is_some_and(|store| store.wants_counts(now)) {
                    state.store_counts(now);
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

    /// What should be attached from now on.
    pub(super) fn watch(&self, watches: Vec<Watch>) {
        let mut state = self.lock();
        let whole = watches.iter().filter(|watch| watch.is_whole());
        let whole: Vec<_> = whole.map(|watch| watch.interface.clone()).collect();
        state.since.note(&whole);
        state.watches = watches;
    }

    /// What the kernel says is attached now, and why the programs are not attached somewhere.
    pub(super) fn looked_at(&self) -> Result<Vec<(AttachStatus, Option<String>)>> {
        let look = |watch: Watch| {
            let (mode, egress) = watch.now()?;
            let interface = watch.interface;
            let trouble = watch.trouble.or_else(|| match (mode, egress) {
                (None, _) => Some(format!("the program is no longer attached to {interface}")),
                (_, false) => {
                    Some(format!("the program that sees what {interface} sends is no longer attached"))
                }
                _ => None,
            });
            Ok((AttachStatus { interface, mode, egress }, trouble))
        };
        let watches = self.lock().watches.clone();
        watches.into_iter().map(look).collect()
    }
}

impl State {
    fn store_counts(&self, now: Timestamp) {
        if let Some(store) = &self.store {
            store.counts(now, self.exporter.counted());
        }
    }
}

impl export::Documents for Pages {
    fn metrics(&self, scraper: Scraper) -> Result<Bytes> {
        let attached: Vec<_> = self.looked_at()?.into_iter().map(|(attached, _)| attached).collect();
        match self.drain() {
            Ok(mut state) => state.exporter.page(Instant::now(), &attached, scraper),
            // A page that failed would hide the very counter that tells of it.
            Err(_) => self.lock().exporter.page_without_counters(&attached),
        }
    }

    fn page(&self, asked: &Asked, sight: Sight) -> Result<Bytes> {
        let page = match asked.port() {
            None => page::front(&self.view(&asked.view())?.within(sight), asked),
            Some(port) => {
                let view = self.port_view(port, asked.sensor.as_deref(), sight)?;
                page::port_page(&view, asked)
            }
        };
        Ok(page.into())
    }

    fn has(&self, asked: &Asked) -> Result<()> {
        let state = self.lock();
        match asked.sensor.as_deref() {
            Some(name) if state.exporter.names().all(|known| known != name) => {
                Err(WrongUse::no_sensor(name).into())
            }
            _ => Ok(()),
        }
    }

    fn news(&self, asked: &Asked, sight: Sight, number: u64) -> Result<Bytes> {
        Ok(page::news(&self.view(&asked.view())?.within(sight), asked, number).into())
    }

    fn slots(&self) -> Result<Bytes> {
        self.drain()?.exporter.slots()
    }

    fn ready(&self) -> Result<()> {
        drop(self.drain()?);
        let trouble = self.looked_at()?.into_iter().find_map(|(_, trouble)| trouble);
        trouble.map_or(Ok(()), |trouble| Err(anyhow!(trouble)))
    }
}
