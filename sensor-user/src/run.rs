//! `sensor run`: attach, drain, serve, and leave the host as it was found.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use aya_log::EbpfLogger;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracing_subscriber::EnvFilter;

use crate::config::Config;
use crate::export::{Agent, AttachStatus, Exporter, Scraper, http};
use crate::kernel::{
    Attached, Counters, Framing, Interface, Loaded, Netlink, Options, RateLimited, attach,
    below_default_routes, check_capabilities, check_kernel,
};

/// What is logged whatever the level: of the libraries only what is wrong, and all that the programs in the
/// kernel were loaded to log.
const ALWAYS: &str = "aya=warn,aya_obj=warn,hyper=warn,netlink_proto=warn,sensor_ebpf=trace";

/// Sends the agent's log, and what the programs in the kernel log, to standard error.
pub fn log_to_stderr(level: Option<&str>) {
    let level = level.map(str::to_owned).or_else(|| std::env::var("RUST_LOG").ok());
    let level = level.as_deref().unwrap_or("info");
    let filter = EnvFilter::builder().parse_lossy(format!("{ALWAYS},{level}"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
}

/// Runs the agent until SIGINT or SIGTERM.
///
/// # Errors
/// Anything that stands in the way of attaching or listening; nothing is left attached then.
pub fn run(config: Config) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<()> {
    check_kernel()?;
    check_capabilities()?;
    let stop = stop_signal()?;
    let listener = http::bind(config.listen).await?;
    let netlink = Netlink::connect()?;
    let interfaces = interfaces(&netlink, &config).await?;

    let mut loaded = Loaded::new(&Options {
        sensors: &config.sensors,
        allow: &config.allow,
        observe: config.observe,
        log: config.kernel_log,
    })?;
    let mut attached = Vec::new();
    for interface in &interfaces {
        attached.push(attach(&mut loaded, &netlink, interface, config.mode).await?);
    }
    let counters = loaded.take_counters()?;
    if let Some(logger) = loaded.take_log(config.kernel_log)? {
        tokio::spawn(forward_log(logger));
    }

    let exporter = Exporter::new(&config.sensors, &config.export);
    let stats = exporter.http_stats();
    let running = Arc::new(Running {
        state: Mutex::new((counters, exporter)),
        attached,
        netlink,
        runtime: Handle::current(),
    });
    let ticker = tokio::spawn(drain_on_interval(Arc::clone(&running), config.drain_interval));
    tracing::info!("serving http://{}/metrics", config.listen);
    http::serve(listener, running, stats, stopped(stop)).await;
    ticker.abort();
    drop(loaded);
    tracing::info!("detached");
    Ok(())
}

/// Looks up the interfaces, and refuses those that could cut the operator off.
async fn interfaces(netlink: &Netlink, config: &Config) -> Result<Vec<Interface>> {
    let mut interfaces = Vec::new();
    for name in &config.interfaces {
        interfaces.push(netlink.interface(name).await?);
    }
    if config.observe || config.console_access {
        return Ok(interfaces);
    }
    let needed = below_default_routes(netlink).await?;
    for Interface { name, index, framing, .. } in &interfaces {
        if *framing == Framing::Loopback {
            bail!(
                "interface {name} is the loopback, which gets nothing from outside and without which the host's \
                 own programs cannot talk: use another interface, or count without dropping with --observe"
            );
        }
        if needed.contains(index) {
            bail!(
                "interface {name} carries the default route, or lies below one that does: attaching would drop \
                 the answers to everything this host asks, and your SSH session if it comes in there and no \
                 rule allows it; use an interface of the sensor's own, count without dropping with --observe, \
                 or pass --i-have-console-access if you can reach the host without the network"
            );
        }
    }
    Ok(interfaces)
}

/// Becomes true at the first SIGINT or SIGTERM.
fn stop_signal() -> Result<watch::Receiver<bool>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
        // Nobody waits any more when the agent is already on its way out.
        let _nobody_waits = stop.send(true);
    });
    Ok(stopped)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender is gone, which it is only after it has sent.
    let _sender_gone = stop.wait_for(|stop| *stop).await;
}

async fn drain_on_interval(running: Arc<Running>, interval: std::time::Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let running = Arc::clone(&running);
        let drained = tokio::task::spawn_blocking(move || running.drain().map(drop)).await;
        if let Ok(Err(error)) = drained {
            tracing::error!("{error:#}");
        }
    }
}

async fn forward_log(logger: EbpfLogger<RateLimited>) {
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
}

/// The agent, attached.
struct Running {
    /// Held over drain and observe together: snapshots must be observed in the order they were taken.
    state: Mutex<(Counters, Exporter)>,
    attached: Vec<Attached>,
    netlink: Netlink,
    runtime: Handle,
}

impl Running {
    fn drain(&self) -> Result<MutexGuard<'_, (Counters, Exporter)>> {
        // A panic under the lock leaves at worst an older snapshot, which the next drain replaces.
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (counters, exporter) = &mut *guard;
        let started = Instant::now();
        match counters.drain() {
            Ok(snapshot) => exporter.observe(started, snapshot, started.elapsed()),
            Err(error) => {
                exporter.drain_failed();
                return Err(error);
            }
        }
        Ok(guard)
    }

    /// What the kernel says is attached now.
    fn status(&self) -> Result<Vec<AttachStatus>> {
        self.runtime.block_on(async {
            let mut status = Vec::new();
            for Attached { interface, program, .. } in &self.attached {
                let now = self.netlink.find(interface).await?;
                let ours = now.and_then(|now| now.xdp).filter(|xdp| xdp.program == *program);
                status
                    .push(AttachStatus { interface: interface.clone(), mode: ours.and_then(|xdp| xdp.mode) });
            }
            Ok(status)
        })
    }
}

impl Agent for Running {
    fn metrics(&self, scraper: Scraper) -> Result<String> {
        let attached = self.status()?;
        self.drain()?.1.page(Instant::now(), &attached, scraper)
    }

    fn slots(&self) -> Result<Vec<u8>> {
        self.drain()?.1.slots()
    }

    fn ready(&self) -> Result<()> {
        drop(self.drain()?);
        match self.status()?.iter().find(|status| status.mode.is_none()) {
            Some(detached) => Err(anyhow!("the program is no longer attached to {}", detached.interface)),
            None => Ok(()),
        }
    }
}
