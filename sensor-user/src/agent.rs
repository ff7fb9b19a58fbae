//! The running agent: what is deployed in the kernel, and the pages that are made of its counters.
//!
//! Both change together when the configuration is reloaded; a page is made of the one or of the other.

mod draining;
mod evidence;
mod notices;
mod pages;
mod reload;
mod status;
mod store;
mod view;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use aya_log::EbpfLogger;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{Config, Input};
use crate::confine::Confinement;
use crate::export::{Exporter, HttpStats, http};
use crate::kernel::{
    AttachOptions, Confirmation, Deployment, Interface, RateLimited, detach_command, rules_in_effect,
};
use crate::notices::Book;
use crate::preflight;
use crate::repeated::{Repeated, Trouble};
use crate::socket::{Door, PAGE, Questions};
use crate::sources::Resolver;
use crate::status::{AgentStatus, utc};
use crate::view::LastPackets;

use self::draining::drain;
use self::evidence::Evidence;
use self::notices::Notices;
use self::pages::Pages;
use self::store::Store;

/// The agent, attached. What it does to the kernel blocks; the tasks that it starts run on the runtime that it is
/// called within.
pub struct Agent {
    config: Config,
    input: Input,
    options: AttachOptions,
    confinement: Confinement,
    deployment: Deployment,
    pages: Arc<Pages>,
    house: http::House,
    draining: JoinHandle<()>,
    logging: Option<JoinHandle<()>>,
    evidence: Evidence,
    notices: Notices,
    store: Store,
    resolver: Resolver,
    /// Attempts to have the program know other members, that failed in a row.
    renewing: Repeated,
    awaits_confirmation: bool,
    /// Whether commands can ask it.
    told: Arc<AtomicBool>,
}

impl Agent {
    /// Attaches, and begins to drain, in a process that is confined like this. `told` says all along whether commands can
    /// ask the agent.
    ///
    /// # Errors
    /// Anything that stands in the way.
    pub fn start(
        config: Config,
        input: Input,
        options: AttachOptions,
        confinement: Confinement,
        told: Arc<AtomicBool>,
    ) -> Result<Self> {
        let interfaces = present(&config)?;
        if interfaces.is_empty() {
            // The first one's absence is the error.
            config.interfaces.iter().try_for_each(|name| Interface::named(name).map(drop))?;
        }
        // Only what would be cut off more than before counts against a start.
        let in_effect =
            rules_in_effect(&options, &interfaces).and_then(|rules| Config::of_rules(&rules).ok());
        preflight::check(&config, &options, in_effect.as_ref(), &interfaces)?.enforce()?;
        let mut resolver = Resolver::default();
        let members = resolver.resolve_known(&config);
        let mut deployment = Deployment::load(&config, members, &options)?;
        let series = Box::new(deployment.series()?);
        let mut exporter = Exporter::new(deployment.sensors(), &config.export, series)?;
        exporter.tell_constituencies(deployment.constituencies());
        exporter.constituencies_are_current(resolver.is_current());
        let (book, last, trouble) = (Book::default(), LastPackets::default(), Trouble::default());
        let about = AgentStatus { confined: confinement.status(), ..about(&config, &input, &options) };
        let pages =
            Pages::new(deployment.counters()?, exporter, about, book.clone(), last.clone(), trouble.clone());
        let pages = Arc::new(pages);
        // What counted nothing before it was attached is new to every Prometheus.
        drop(pages.drain()?);
        deployment.attach(&config, &options, &interfaces)?;
        pages.watch(deployment.watches());
        let draining = drain(&pages, &config);
        let logging = deployment.take_log(config.kernel_log)?.map(forward_log);
        let confirmation = deployment.confirmation()?;
        let awaits_confirmation = matches!(confirmation, Confirmation::Awaited(_));
        if let (Confirmation::Awaited(left), Some(_)) = (confirmation, options.confirm_within) {
            tracing::warn!(
                "run `sensor confirm` within {:.0} s, over a new connection, or the sensor detaches itself",
                left.as_secs_f64()
            );
        }
        deployment.settle();
        let mut store = Store::new(pages.lock().exporter.store_stats());
        store.begin(&config, &deployment);
        let mut evidence = Evidence::new(book.clone(), last, trouble);
        evidence.begin(&config, &mut deployment, &store);
        let mut notices = Notices::new(book, pages.lock().exporter.notice_log_stats());
        notices.begin(&config);
        pages.keep(folder(&config), store.feed(), evidence.register());
        let house = house(&config, pages.lock().exporter.http_stats());
        confinement.log();
        Ok(Self {
            config,
            input,
            options,
            confinement,
            deployment,
            pages,
            house,
            draining,
            logging,
            evidence,
            notices,
            store,
            resolver,
            renewing: Repeated::default(),
            awaits_confirmation,
            told,
        })
    }

    /// Serves the pages until `stop` becomes true.
    pub fn serve(&self, listener: TcpListener, stop: watch::Receiver<bool>) -> JoinHandle<()> {
        tracing::info!("serving http://{}/, and /metrics there", self.config.listen);
        self.serve_at(listener, stop)
    }

    /// Likewise by the Unix socket, with addresses.
    #[must_use]
    pub fn serve_page(&self, stop: watch::Receiver<bool>) -> JoinHandle<()> {
        let path = self.config.page_path(&self.options.pins);
        self.serve_at(Door::new(&path, &self.options.pins, PAGE), stop)
    }

    fn serve_at(
        &self,
        doors: impl http::Accept + 'static,
        mut stop: watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        let (pages, house) = (Arc::clone(&self.pages), self.house.clone());
        tokio::spawn(async move {
            let stopped = async move {
                // An error means that the sender is gone, which it is only after it has sent.
                let _sender_gone = stop.wait_for(|stop| *stop).await;
            };
            http::serve(doors, pages, house, stopped).await;
        })
    }

    /// What answers questions about the agent.
    #[must_use]
    pub fn questions(&self) -> Arc<dyn Questions> {
        Arc::clone(&self.pages) as Arc<dyn Questions>
    }

    /// Compares what is attached with what is configured, and mends what differs.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn reconcile(&mut self) -> Result<()> {
        self.renew_constituencies();
        if self.evidence.is_stopping() {
            self.evidence.begin(&self.config, &mut self.deployment, &self.store);
            self.pages.keep(folder(&self.config), self.store.feed(), self.evidence.register());
        }
        if self.store.is_stopping() {
            self.store.begin(&self.config, &self.deployment);
            self.evidence.store_in(&self.store);
            self.pages.keep(folder(&self.config), self.store.feed(), self.evidence.register());
        }
        let Self { config, options, deployment, told, .. } = self;
        let admit = |interface: &Interface| {
            preflight::check(config, options, None, std::slice::from_ref(interface))?.enforce()
        };
        let result = deployment.reconcile(&admit, told.load(Ordering::Relaxed));
        self.pages.watch(self.deployment.watches());
        result
    }

    /// Detaches from an interface because a person has said so: it stays detached until a reload.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn detach_one(&mut self, interface: u32) -> Result<String> {
        let result = self.deployment.detach_one(interface);
        self.pages.watch(self.deployment.watches());
        result.map(|()| "detached".to_owned())
    }

    /// What it does, in a line, and what is wrong.
    ///
    /// # Errors
    /// The kernel does not say what is attached.
    pub fn doing(&self) -> Result<String> {
        self.pages.doing()
    }

    /// Time between two drains.
    #[must_use]
    pub const fn drain_interval(&self) -> Duration {
        self.config.drain_interval
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
        let confirmation =
            self.deployment.confirmation().context("whether somebody has confirmed cannot be known")?;
        if confirmation == Confirmation::Given {
            self.awaits_confirmation = false;
            // A later change is nobody's to undo.
            self.options.confirm_within = None;
            self.deployment
                .unguard(&self.config)
                .context("confirmed, but programs that need no confirmation cannot take over yet")?;
            self.restart_log()?;
            self.pages.watch(self.deployment.watches());
            tracing::info!("confirmed: the sensor stays");
        }
        Ok(confirmation)
    }

    /// Ends the agent: what is attached stays, or goes, as configured.
    ///
    /// # Errors
    /// The kernel refuses to detach.
    pub fn end(&mut self) -> Result<()> {
        self.stop();
        if !self.deployment.is_kept() {
            return self.detach();
        }
        let attached = self.deployment.attached_now();
        let names = attached.join(" and ");
        let interfaces: Vec<_> = attached.iter().map(String::as_str).collect();
        let command = detach_command(&interfaces, &self.options.pins);
        let remedy = format!("start the agent again, or remove it with {command}");
        let work = if self.config.observe { "counting" } else { "counting and dropping" };
        match self.deployment.ends_with_this_process() {
            _ if attached.is_empty() => tracing::info!("stopped; nothing is attached any more"),
            Some(true) => tracing::warn!(
                "stopped; the pins are on a mount that is this process's own, so the program on {names} and its counts \
                 end with it"
            ),
            Some(false) => {
                tracing::info!("stopped; the program goes on {work} on {names}: {remedy}");
            }
            None => tracing::info!(
                "stopped; unless the pins are on a mount that is this process's own, which cannot be known without \
                 /proc/1, the program goes on {work} on {names}: {remedy}"
            ),
        }
        Ok(())
    }

    /// Detaches from every interface.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn detach(&mut self) -> Result<()> {
        self.stop();
        self.deployment.detach()
    }

    /// Stops whatever runs, and has what there is written.
    fn stop(&mut self) {
        self.draining.abort();
        self.evidence.end();
        self.notices.end();
        self.pages.store_counts();
        self.store.end();
    }
}

/// What the agent is, and how it was started.
fn about(config: &Config, input: &Input, options: &AttachOptions) -> AgentStatus {
    AgentStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        since: utc(SystemTime::now()),
        config: input.file.as_ref().map(|file| file.display().to_string()),
        pins: (!options.detach_on_exit).then(|| options.pins.display().to_string()),
        listen: config.listen.to_string(),
        observe: config.observe,
        ..AgentStatus::default()
    }
}

/// Who is let in over HTTP, and what they may see.
fn house(config: &Config, stats: HttpStats) -> http::House {
    http::House {
        names: http::Names::new(&config.hosts),
        stats,
        addresses_on_loopback: Arc::new(AtomicBool::new(config.page.addresses_on_loopback)),
    }
}

/// Where evidence is kept, if it is.
fn folder(config: &Config) -> Option<PathBuf> {
    config.evidence.as_ref().map(|evidence| evidence.path.clone())
}

/// Those of the configured interfaces that are there.
fn present(config: &Config) -> Result<Vec<Interface>> {
    let found = config.interfaces.iter().map(|name| Interface::find(name));
    found.filter_map(Result::transpose).collect()
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
