//! What keeps evidence, and what looks at its sources: begun, stopped and begun anew as the configuration says.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::store::Store;
use crate::config::{Config, Evidence as Settings};
use crate::evidence::{Keeper, forgo};
use crate::kernel::Deployment;
use crate::sources::{Observer, Register};

/// How long a stop waits until what is known of sources is kept.
const PATIENCE: Duration = Duration::from_secs(3);

/// What runs while evidence is kept.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    keeper: Option<Keeper>,
    /// What was to stop and waits for its disk: until it has, no other begins.
    stopping: Option<Keeper>,
    /// A reload does not forget what is known.
    sources: Option<Sources>,
}

/// What looks at sources.
#[derive(Debug)]
struct Sources {
    register: Register,
    observer: Observer,
}

impl Evidence {
    /// Begins as configured, unless what kept evidence before has not ended. What stands in its way does not stop the
    /// counting.
    pub(super) fn begin(&mut self, config: &Config, deployment: &mut Deployment, store: &Store) {
        if self.stopping.as_ref().is_some_and(|keeper| !keeper.has_ended()) {
            return;
        }
        self.stopping = None;
        let Some(settings) = &config.evidence else {
            forget(deployment);
            self.stop_sources();
            return;
        };
        match self.keep(settings, config, deployment, store) {
            Ok(keeper) => self.keeper = Some(keeper),
            Err(error) => {
                tracing::error!(
                    "{error:#}: no evidence is kept until a reload or a restart; counting goes on"
                );
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
            sources
        } else {
            let register = Register::new(&config.sources, deployment.sensors())?;
            let observer = Observer::start(vec![register.sink(), store.sink()], register.missed_records())?;
            Sources { register, observer }
        };
        let feed = self.sources.insert(sources).observer.feed();
        Keeper::start(settings, deployment.sensors(), ring, deployment.ledger()?, feed)
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
            tracing::warn!("the disk does not take evidence: none is kept until it has taken what waits");
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
                "{error:#}: what was handed over as evidence and not taken is not counted as lost"
            );
        }
        deployment.drop_ring();
    }
}
