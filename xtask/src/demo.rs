//! `cargo xtask demo`: the sensor at work on real packets, with nothing else at hand.
//!
//! A veth pair joins a private network namespace to the host. The agent sits on the host's end, so that its
//! metrics are on the host's loopback; scans come in from the other. Nothing of it outlives the demo.

mod capture;
mod ranking;
mod reconcile;
mod screen;
mod source;
mod traffic;

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use sensor_harness::agent::{AgentProcess, LISTEN, Launch};
use sensor_harness::namespace::Namespace;
use sensor_harness::wire::Wire;

use self::screen::{Screen, say};
use self::source::Source;
use self::traffic::{Plan, Traffic};
use crate::{build, shell};

/// What `cargo xtask demo` takes.
#[derive(clap::Args)]
pub struct Demo {
    /// End after this many seconds [default: at Ctrl-C]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Replay this capture (pcap or pcapng) instead of made-up scans
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Start the capture over when it ends
    #[arg(long = "loop", requires = "pcap")]
    over_and_over: bool,
    /// Stop sending after this many packets, and serve on
    #[arg(long, value_name = "N")]
    packets: Option<u64>,
    /// Packets to send in a second
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
    /// Where to serve the metrics
    #[arg(long, value_name = "ADDR:PORT", default_value_t = LISTEN)]
    listen: SocketAddr,
    /// The agent, built before becoming root
    #[arg(long, hide = true, value_name = "PATH")]
    agent: Option<PathBuf>,
}

/// How often the ranking is read and shown.
const REFRESH: Duration = Duration::from_secs(1);

/// Runs the demo.
///
/// # Errors
/// When a step fails, or when the sensor's counts differ from what was sent.
pub fn run(demo: &Demo) -> Result<()> {
    let source = match &demo.pcap {
        Some(path) => Source::capture(path, demo.over_and_over)?,
        None => Source::mix(),
    };
    let binary = demo.agent.clone().map_or_else(build::agent, Ok)?;
    if !shell::is_root() {
        return become_root(&binary);
    }
    let stop = stop_on_signal()?;
    say(&source.introduction(demo.rate))?;
    let balanced = show(demo, source, &binary, &stop)?;
    say("The namespace, the interface and the agent are gone.")?;
    ensure!(balanced, "the sensor's counts differ from what was sent");
    Ok(())
}

/// Starts the demo again as root: network namespaces and XDP need it.
fn become_root(agent: &Path) -> Result<()> {
    let this = std::env::current_exe().context("cannot tell where this program is")?;
    let mut command = shell::as_root(this)?;
    say("Network namespaces and XDP need root: going on through sudo.")?;
    let error = command.args(std::env::args_os().skip(1)).arg("--agent").arg(agent).exec();
    Err(error).context("cannot run sudo")
}

fn stop_on_signal() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).context("cannot wait for Ctrl-C")?;
    Ok(stop)
}

/// Sets everything up, shows it, and takes it down. Whether each packet was accounted for.
fn show(demo: &Demo, source: Source, binary: &Path, stop: &AtomicBool) -> Result<bool> {
    // Dropped in the opposite order, whatever happens: the agent first, then the interface.
    let host = Namespace::current()?;
    let name = free_name()?;
    let wire = Wire::between(host.clone(), &name, Namespace::new()?, source.mtu())?;
    say(&format!(
        "A veth pair joins a private network namespace to {name} on this host, where the sensor attaches."
    ))?;
    let mut agent = Launch::new(&host)
        .binary(binary)
        .interface(&name)
        .listen(demo.listen)
        .config(&source.config())
        .argument("--mode")
        .argument("native")
        .start()?;
    say(&format!(
        "Metrics: http://{}/metrics (try curl), every counter: /api/v1/slots. Ctrl-C ends it.",
        demo.listen
    ))?;
    say("")?;

    let plan = Plan { rate: demo.rate, packets: demo.packets };
    let traffic = Traffic::new(plan);
    let watched = std::thread::scope(|scope| {
        let sender = scope.spawn(|| traffic.send(&wire, source));
        let watched = watch(demo, &mut agent, &traffic, stop);
        traffic.stop();
        match sender.join() {
            Ok(sent) => watched.and(sent),
            Err(payload) => std::panic::resume_unwind(payload),
        }
    });
    watched?;
    let balanced = reconcile::reconcile(&traffic.truth(), &agent)?;
    let status = agent.stop(Signal::SIGTERM)?;
    ensure!(status.success(), "the agent ended ({status}): {}", agent.last_words());
    Ok(balanced)
}

/// Shows the ranking until it is time to stop.
fn watch(demo: &Demo, agent: &mut AgentProcess, traffic: &Traffic, stop: &AtomicBool) -> Result<()> {
    let start = Instant::now();
    let end = demo.seconds.map(|seconds| start + Duration::from_secs(seconds));
    let mut screen = Screen::new();
    let mut next = start + REFRESH;
    loop {
        // Sleep in small steps: a stop is obeyed at once.
        while Instant::now() < next {
            if stop.load(Ordering::Relaxed)
                || traffic.failed()
                || end.is_some_and(|end| Instant::now() >= end)
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        next += REFRESH;
        if let Some(status) = agent.ended()? {
            bail!("the agent ended ({status}): {}", agent.last_words());
        }
        screen.show(start.elapsed(), &agent.counts()?, traffic.finished())?;
    }
}

/// A name for the host's end that no interface has: another demo may be running.
fn free_name() -> Result<String> {
    let taken = Namespace::current()?.interfaces()?;
    (0..100)
        .map(|number| format!("sensor-demo{number}"))
        .find(|name| !taken.contains(name))
        .context("there are 100 interfaces called sensor-demo already: remove them with `ip link delete`")
}
