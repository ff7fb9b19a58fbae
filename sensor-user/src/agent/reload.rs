//! Another configuration, or others as members of constituencies, while the agent runs.

use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, anyhow};
use sensor_common::noun::noun;

use super::draining::drain;
use super::{Agent, folder, present};
use crate::config::{Config, ConfigError, Members, Page};
use crate::kernel::{Interface, check_interface, check_named_once};
use crate::obstacle::{WrongUse, in_words};
use crate::preflight;
use crate::repeated::Repeated;
use crate::sources::Resolver;

impl Agent {
    /// Applies the configuration as it is written now, and says what that is.
    ///
    /// # Errors
    /// It is wrong, or cannot be applied; everything goes on as before then.
    pub fn reload(&mut self) -> Result<String> {
        self.try_reload().context("not reloaded, the old configuration stays")
    }

    fn try_reload(&mut self) -> Result<String> {
        let config = Config::load(self.input.clone()).map_err(|error| anyhow!(WrongUse(one_text(&error))))?;
        self.confinement.allows(&config, &self.input, &self.options)?;
        let mut resolver = Resolver::default();
        let members = resolver.resolve(&config)?;
        let said = self.apply(config, members)?;
        self.resolve_by(resolver);
        Ok(said)
    }

    fn resolve_by(&mut self, resolver: Resolver) {
        self.pages.lock().exporter.constituencies_are_current(resolver.is_current());
        self.resolver = resolver;
    }

    /// Looks anew whose addresses are a constituency's, once a file that tells it has changed.
    pub(super) fn renew_constituencies(&mut self) {
        if !self.resolver.is_stale() {
            return;
        }
        let mut resolver = Resolver::default();
        let members = match resolver.resolve(&self.config) {
            Ok(members) => members,
            Err(error) => {
                tracing::warn!("{}; constituencies stay as they were", in_words(&error));
                // It is read again once it is another.
                return self.resolve_by(resolver);
            }
        };
        match self.apply(self.config.clone(), members) {
            Ok(_) => {
                self.renewing = Repeated::default();
                tracing::info!("constituencies: whose addresses are whose is read anew");
                self.resolve_by(resolver);
            }
            // What stands in the way may go.
            Err(error) => {
                if let Some(reason) = self.renewing.failed(&error) {
                    tracing::warn!("{reason}; constituencies stay as they were until that works");
                }
                self.pages.lock().exporter.constituencies_are_current(Some(false));
            }
        }
    }

    /// Applies a configuration, with the members of its constituencies, and says what that is.
    fn apply(&mut self, config: Config, members: Vec<Members>) -> Result<String> {
        // What somebody has detached meanwhile does not count as in effect.
        let running = self.deployment.is_attached().then_some(&self.config);
        for name in config.interfaces.iter().filter(|name| !self.config.interfaces.contains(name)) {
            // Before anything is moved to others.
            check_interface(&Interface::named(name)?)?;
        }
        check_named_once(&config.interfaces)?;
        let interfaces = present(&config)?;
        preflight::check(&config, &self.options, running, &interfaces)?.enforce()?;
        self.deployment.reload(&config, members, &interfaces)?;
        let counters = self.deployment.counters()?;
        {
            let mut state = self.pages.lock();
            state.exporter.reconfigure(self.deployment.sensors(), &config.export)?;
            state.exporter.tell_constituencies(self.deployment.constituencies());
            state.counters = counters;
            state.observe = config.observe;
        }
        self.pages.watch(self.deployment.watches());
        self.draining.abort();
        self.draining = drain(&self.pages, &config);
        let of = |many: usize, one, more| format!("{many} {}", noun(many as u64, one, more));
        let mut said = format!(
            "reloaded: {}, {}, {}",
            of(config.sensors.len(), "sensor", "sensors"),
            of(config.allow.len(), "allow rule", "allow rules"),
            of(config.interfaces.len(), "interface", "interfaces")
        );
        if config.listen != self.config.listen {
            said += "; `listen` has changed, which takes a restart";
        }
        if config.socket != self.config.socket {
            said += "; `path` in [socket] has changed, which takes a restart";
        }
        if config.page.path != self.config.page.path {
            said += "; `path` in [page] has changed, which takes a restart";
        }
        self.house.names.set(&config.hosts);
        self.house.addresses_on_loopback.store(config.page.addresses_on_loopback, Ordering::Relaxed);
        let page = Page { path: self.config.page.path.take(), ..config.page };
        let (listen, socket) = (self.config.listen, self.config.socket.take());
        self.config = Config { listen, socket, page, ..config };
        // What the old programs handed over is of the old sensors.
        self.evidence.stop();
        self.evidence.settle();
        self.store.begin(&self.config, &self.deployment);
        self.evidence.begin(&self.config, &mut self.deployment, &self.store);
        self.notices.begin(&self.config);
        self.pages.keep(folder(&self.config), self.store.feed(), self.evidence.register());
        self.restart_log()?;
        Ok(said)
    }
}

fn one_text(error: &ConfigError) -> String {
    error.lines().join("\n")
}
