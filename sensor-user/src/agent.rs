//! The running agent: what is deployed in the kernel, and the pages that are made of its counters.
//!
//! Both change together when the configuration is reloaded; a page is made of the one or of the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use aya_log::EbpfLogger;
use bytes::Bytes;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::config::{Config, ConfigError, Input};
use crate::export::{self, AttachStatus, Exporter, Scraper, http};
use crate::kernel::{AttachOptions, Attachment, Confirmation, Counters, Deployment, Interface, RateLimited};
use crate::preflight;

/// The agent, attached. What it does to the kernel blocks; the tasks that it starts run on the runtime that it is
/// called within.
pub struct Agent {
    config: Config,
    input: Input,
    options: AttachOptions,
    deployment: Deployment,
    pages: Arc<Pages>,
    names: http::Names,
    draining: JoinHandle<()>,
    logging: Option<JoinHandle<()>>,
    awaits_confirmation: bool,
}

impl Agent {
    /// Attaches, and begins to drain.
    ///
    /// # Errors
    /// Anything that stands in the way.
    pub fn start(config: Config, input: Input, options: AttachOptions) -> Result<Self> {
        let interfaces = interfaces(&config, &options, None)?;
        let mut deployment = Deployment::load(&config, &options)?;
        let series = Box::new(deployment.series()?);
        let exporter = Exporter::new(deployment.sensors(), &config.export, series)?;
        let pages = Arc::new(Pages {
            state: Mutex::new(State { counters: deployment.counters()?, exporter, attached: Vec::new() }),
        });
        // What counted nothing before it was attached is new to every Prometheus.
        drop(pages.drain()?);
        deployment.attach(&config, &options, &interfaces)?;
        pages.lock().attached = deployment.attachments();
        let draining = tokio::spawn(drain_on_interval(Arc::clone(&pages), config.drain_interval));
        let logging = deployment.take_log(config.kernel_log)?.map(forward_log);
        let awaits_confirmation = matches!(deployment.confirmation()?, Confirmation::Awaited(_));
        if let Some(within) = options.confirm_within {
            tracing::warn!(
                "run `sensor confirm` within {} s, over a new connection, or the sensor detaches itself",
                within.as_secs()
            );
        }
        let names = http::Names::new(&config.hosts);
        Ok(Self { config, input, options, deployment, pages, names, draining, logging, awaits_confirmation })
    }

    /// Serves the pages until `stop` becomes true.
    pub fn serve(&self, listener: TcpListener, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
        let pages = Arc::clone(&self.pages);
        let stats = pages.lock().exporter.http_stats();
        let names = self.names.clone();
        tracing::info!("serving http://{}/metrics", self.config.listen);
        tokio::spawn(async move {
            let stopped = async move {
                // An error means that the sender is gone, which it is only after it has sent.
                let _sender_gone = stop.wait_for(|stop| *stop).await;
            };
            http::serve(listener, pages, names, stats, stopped).await;
        })
    }

    /// Applies the configuration as it is written now, and says what that is.
    ///
    /// # Errors
    /// It is wrong, or cannot be applied; everything goes on as before then.
    pub fn reload(&mut self) -> Result<String> {
        self.try_reload().context("not reloaded, the old configuration stays")
    }

    fn try_reload(&mut self) -> Result<String> {
        let config = Config::load(self.input.clone()).map_err(|error| anyhow!(one_text(&error)))?;
        // What somebody has detached meanwhile does not count as in effect.
        let running = self.deployment.is_attached().then_some(&self.config);
        let interfaces = interfaces(&config, &self.options, running)?;
        self.deployment.reload(&config, &interfaces)?;
        let counters = self.deployment.counters()?;
        {
            let mut state = self.pages.lock();
            state.exporter.reconfigure(self.deployment.sensors(), &config.export)?;
            state.counters = counters;
            state.attached = self.deployment.attachments();
        }
        self.draining.abort();
        self.draining = tokio::spawn(drain_on_interval(Arc::clone(&self.pages), config.drain_interval));
        let mut said = format!(
            "reloaded: {} sensors, {} allow rules, {} interfaces",
            config.sensors.len(),
            config.allow.len(),
            config.interfaces.len()
        );
        if config.listen != self.config.listen {
            said += "; `listen` has changed, which takes a restart";
        }
        self.names.set(&config.hosts);
        self.config = Config { listen: self.config.listen, ..config };
        self.restart_log()?;
        Ok(said)
    }

    /// Each load of the programs logs to a buffer of its own.
    fn restart_log(&mut self) -> Result<()> {
        if let Some(logging) = self.logging.take() {
            logging.abort();
        }
        self.logging = self.deployment.take_log(self.config.kernel_log)?.map(forward_log);
        Ok(())
    }

    /// Whether one is to look now and then whether a confirmation was given.
    #[must_use]
    pub const fn awaits_confirmation(&self) -> bool {
        self.awaits_confirmation
    }

    /// Looks whether a confirmation was given or missed.
    ///
    /// # Errors
    /// The kernel does not say, or the programs cannot be replaced by those that need no confirmation.
    pub fn confirmation(&mut self) -> Result<Confirmation> {
        let confirmation = self.deployment.confirmation()?;
        if confirmation == Confirmation::Given {
            self.awaits_confirmation = false;
            // A later change is nobody's to undo.
            self.options.confirm_within = None;
            self.deployment.unguard(&self.config)?;
            self.restart_log()?;
            self.pages.lock().attached = self.deployment.attachments();
            tracing::info!("confirmed: the sensor stays");
        }
        Ok(confirmation)
    }

    /// Ends the agent: what is attached stays, or goes, as configured.
    ///
    /// # Errors
    /// The kernel refuses to detach.
    pub fn end(&mut self) -> Result<()> {
        self.draining.abort();
        if !self.deployment.is_kept() {
            return self.detach();
        }
        let names: Vec<_> = self.config.interfaces.iter().map(String::as_str).collect();
        tracing::info!(
            "stopped; the program goes on counting and dropping: start the agent again, or remove it with \
             `sensor detach --interface {}`",
            names.join(" ")
        );
        Ok(())
    }

    /// Detaches from every interface.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn detach(&mut self) -> Result<()> {
        self.draining.abort();
        self.deployment.detach()
    }
}

fn one_text(error: &ConfigError) -> String {
    error.lines().join("\n")
}

/// Looks up the interfaces, and refuses what could cut the operator off.
fn interfaces(config: &Config, options: &AttachOptions, running: Option<&Config>) -> Result<Vec<Interface>> {
    let mut interfaces = Vec::new();
    for name in &config.interfaces {
        interfaces.push(Interface::named(name)?);
    }
    let findings = preflight::check(config, options, running, &interfaces)?;
    findings.enforce()?;
    Ok(interfaces)
}

async fn drain_on_interval(pages: Arc<Pages>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let pages = Arc::clone(&pages);
        let drained = tokio::task::spawn_blocking(move || pages.drain().map(drop)).await;
        if let Ok(Err(error)) = drained {
            tracing::error!("{error:#}");
        }
    }
}

/// Hands on what the programs log, until it is aborted.
fn forward_log(logger: EbpfLogger<RateLimited>) -> JoinHandle<()> {
    tokio::spawn(async move {
        // SAFETY: the logger owns the ring buffer's descriptor and gives that one, open, as long as it lives.
        let registered = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) };
        let Ok(mut logger) = registered else {
            tracing::error!("cannot wait for the programs' log: nothing of it will be shown");
            return;
        };
        while let Ok(mut ready) = logger.readable_mut().await {
            ready.get_inner_mut().flush();
            ready.clear_ready();
        }
    })
}

/// What pages are made of.
struct Pages {
    /// Held over drain and observe together: snapshots must be observed in the order they were taken.
    state: Mutex<State>,
}

struct State {
    counters: Counters,
    exporter: Exporter,
    attached: Vec<Attachment>,
}

impl Pages {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves at worst an older snapshot, which the next drain replaces.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drain(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        let State { counters, exporter, .. } = &mut *state;
        let started = Instant::now();
        match counters.drain() {
            Ok(snapshot) => {
                if let Some(memory) = exporter.observe(started, snapshot, started.elapsed()) {
                    counters.reuse(memory);
                }
            }
            Err(error) => {
                exporter.drain_failed();
                return Err(error);
            }
        }
        Ok(state)
    }

    /// What the kernel says is attached now.
    fn status(&self) -> Result<Vec<AttachStatus>> {
        let attached = self.lock().attached.clone();
        let mut status = Vec::new();
        for Attachment { interface, program, .. } in attached {
            let now = Interface::find(&interface)?;
            let ours = now.and_then(|now| now.xdp).filter(|xdp| xdp.program == program);
            status.push(AttachStatus { interface, mode: ours.and_then(|xdp| xdp.mode) });
        }
        Ok(status)
    }
}

impl export::Documents for Pages {
    fn metrics(&self, scraper: Scraper) -> Result<Bytes> {
        let attached = self.status()?;
        match self.drain() {
            Ok(mut state) => state.exporter.page(Instant::now(), &attached, scraper),
            // A page that failed would hide the very counter that tells of it.
            Err(error) => {
                tracing::error!("{error:#}: the page has no counters");
                self.lock().exporter.page_without_counters(&attached)
            }
        }
    }

    fn slots(&self) -> Result<Bytes> {
        self.drain()?.exporter.slots().map(Bytes::from)
    }

    fn ready(&self) -> Result<()> {
        drop(self.drain()?);
        match self.status()?.iter().find(|status| status.mode.is_none()) {
            Some(detached) => Err(anyhow!("the program is no longer attached to {}", detached.interface)),
            None => Ok(()),
        }
    }
}
