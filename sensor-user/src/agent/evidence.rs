//! What keeps evidence, and what looks at its sources: begun, stopped and begun anew as the configuration says.

use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};

use super::store::Store;
use crate::config::{Config, Evidence as Settings};
use crate::evidence::{Keeper, forgo};
use crate::kernel::Deployment;
use crate::notices::Book;
use crate::obstacle::in_words;
use crate::repeated::Trouble;
use crate::sources::{Observer, Register};
use crate::view::LastPackets;

/// How long a stop waits until what is known of sources is kept.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a start may take to read what was known of sources before.
const RESTORE: Duration = Duration::from_secs(5);
/// How far records had come when they were looked at before that is of no use: what was missed since was in other hours.
const STILL_OF_USE: SignedDuration = SignedDuration::from_hours(1);

/// What runs while evidence is kept.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    keeper: Option<Keeper>,
    /// What was to stop and waits for its disk: until it has, no other begins.
    stopping: Option<Keeper>,
    /// A reload does not forget what is known.
    sources: Option<Sources>,
    /// What notices are made by.
    book: Book,
    /// The packets that were seen last.
    last: LastPackets,
    /// Why none is kept, though it should be.
    trouble: Trouble,
}

/// What looks at sources.
#[derive(Debug)]
struct Sources {
    register: Register,
    observer: Observer,
}

impl Sources {
    /// Begins to look, with what an earlier agent has stored.
    fn begin(
        config: &Config,
        deployment: &Deployment,
        store: &Store,
        (book, last): (&Book, &LastPackets),
    ) -> Result<Self> {
        let register = Register::new(&config.sources, deployment.sensors())?;
        register.keep_in(store.feed());
        let mut before = Vec::new();
        match store.feed() {
            Some(feed) if feed.is_open_within(PATIENCE) => {
                register.restore(RESTORE);
                let ledger = deployment.ledger()?;
                let life = ledger.life().unwrap_or_default();
                let then = Timestamp::now() - STILL_OF_USE;
                before = feed.reader().reached(deployment.sensors(), life, then).unwrap_or_default();
            }
            Some(_) => register.not_restored(),
            None => {}
        }
        let sinks = vec![register.sink(), store.sink(), book.sink(register.clone()), last.sink()];
        let observer = Observer::start(sinks, register.missed_records(), before)?;
        Ok(Self { register, observer })
    }
}

impl Evidence {
    /// None is kept yet; notices are made of it by this book, the last packets seen there, and what is wrong said there.
    pub(super) fn new(book: Book, last: LastPackets, trouble: Trouble) -> Self {
        Self { book, last, trouble, ..Self::default() }
    }

    /// Begins as configured, unless what kept evidence before has not ended. What stands in its way does not stop the
    /// counting.
    pub(super) fn begin(&mut self, config: &Config, deployment: &mut Deployment, store: &Store) {
        if self.stopping.as_ref().is_some_and(|keeper| !keeper.has_ended()) {
            return;
        }
        self.stopping = None;
        self.trouble.set(None);
        let members = deployment.constituencies().iter().map(|it| &it.members);
        self.book.configure(config, members, deployment.sensors(), store.feed());
        self.last.configure(deployment.sensors());
        let Some(settings) = &config.evidence else {
            forget(deployment);
            self.stop_sources();
            return;
        };
        match self.keep(settings, config, deployment, store) {
            Ok(keeper) => self.keeper = Some(keeper),
            Err(error) => {
                let words = in_words(&error);
                tracing::error!("{words}: no evidence is kept until a reload or a restart; counting goes on");
                self.trouble.set(Some(format!("{words}: then `sensor reload`")));
            }
        }
    }

    fn keep(
        &mut self,
        settings: &Settings,
        config: &Config,
        deployment: &mut Deployment,
        store: &Store,
    ) -> Result<Keeper> {
        let ring = deployment.ring()?.context("the kernel hands nothing over")?;
        let sources = if let Some(sources) = self.sources.take() {
            sources.register.configure(&config.sources, deployment.sensors());
            sources.register.keep_in(store.feed());
            sources
        } else {
            Sources::begin(config, deployment, store, (&self.book, &self.last))?
        };
        let feed = self.sources.insert(sources).observer.feed();
        Keeper::start(settings, deployment.sensors(), ring, deployment.ledger()?, feed, self.trouble.clone())
    }

    /// Waits until all that was taken is looked at, of the sensors that there are.
    pub(super) fn settle(&self) {
        if self.sources.as_ref().is_some_and(|sources| !sources.observer.settle(PATIENCE)) {
            tracing::warn!(
                "what was taken as evidence last is looked at late: what is of sensors that go is not stored"
            );
        }
    }

    /// Has another store from now on.
    pub(super) fn store_in(&self, store: &Store) {
        self.book.store_in(store.feed());
        if let Some(sources) = &self.sources {
            sources.register.keep_in(store.feed());
        }
    }

    /// What is known of sources, while they are looked at.
    pub(super) fn register(&self) -> Option<Register> {
        self.sources.as_ref().map(|sources| sources.register.clone())
    }

    /// Whether what kept evidence before was to stop, and nothing has begun since.
    pub(super) const fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Stops keeping it. What is known of sources stays known.
    pub(super) fn stop(&mut self) {
        if let Some(Err(keeper)) = self.keeper.take().map(Keeper::stop) {
            let words = "the disk does not take evidence: none is kept until it has taken what waits";
            tracing::warn!("{words}");
            self.trouble.set(Some(words.to_owned()));
            self.stopping = Some(keeper);
        }
    }

    /// Stops, with what is known of sources.
    pub(super) fn end(&mut self) {
        self.stop();
        self.stop_sources();
    }

    fn stop_sources(&mut self) {
        if self.sources.take().is_some_and(|sources| !sources.observer.stop(PATIENCE)) {
            tracing::warn!("what was observed of sources last is not kept: its disk does not take it");
        }
    }
}

/// Notes that what the kernel has handed over is taken by nobody.
fn forget(deployment: &mut Deployment) {
    if let Ok(Some(_)) = deployment.ring() {
        let forgone = deployment.ledger().and_then(|ledger| forgo(deployment.sensors(), ledger));
        if let Err(error) = forgone {
            tracing::warn!(
                "{}: what was handed over as evidence and not taken is not counted as lost",
                in_words(&error)
            );
        }
        deployment.drop_ring();
    }
}
