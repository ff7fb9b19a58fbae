//! Sets the demo up, shows it, and takes it down.
//!
//! A veth pair joins a private network namespace to the host. The agent sits on the host's end, so that its
//! metrics are on the host's loopback; scans come in from the other. Nothing of it outlives the demo.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::namespace::Namespace;
use sensor_harness::wire::Wire;

use crate::lists;
use crate::options::Options;
use crate::reconcile;
use crate::screen::{Screen, say};
use crate::source::Source;
use crate::traffic::{Plan, Traffic};

/// How often the ranking is read and shown.
const REFRESH: Duration = Duration::from_secs(1);

/// Shows the agent at work.
///
/// # Errors
/// When a step fails, or when the sensor's counts differ from what was sent.
pub fn run(options: &Options, agent: &Path) -> Result<()> {
    let source = match &options.pcap {
        Some(path) => Source::capture(path, options.over_and_over)?,
        None => Source::mix(),
    };
    let stop = stop_on_signal()?;
    say(&source.introduction(options.rate))?;
    let balanced = show(options, source, agent, &stop)?;
    say("The namespace, the interface and the agent are gone.")?;
    ensure!(balanced, "the sensor's counts differ from what was sent");
    Ok(())
}

fn stop_on_signal() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).context("cannot wait for Ctrl-C")?;
    Ok(stop)
}

/// Sets everything up, shows it, and takes it down. Whether each packet was accounted for.
fn show(options: &Options, source: Source, binary: &Path, stop: &AtomicBool) -> Result<bool> {
    // Dropped in the opposite order, whatever happens: the agent first, then the interface.
    let host = Namespace::current()?;
    let name = free_name()?;
    let wire = Wire::between(host.clone(), &name, Namespace::new()?, source.mtu())?;
    say(&format!(
        "A veth pair joins a private network namespace to {name} on this host, where the sensor attaches."
    ))?;
    let folder = tempfile::Builder::new().prefix("sensor-demo-").tempdir().context("no room for evidence")?;
    let lists = lists::config(folder.path(), source.is_made_up())?;
    let mut agent = Launch::new(&host)
        .binary(binary)
        .interface(&name)
        .listen(options.listen)
        .config(&format!("{}{lists}", source.config()))
        .argument("--mode")
        .argument("native")
        .start()?;
    say(&format!("The page: http://{}/ (open it in a browser).", options.listen))?;
    say("Metrics: /metrics there (try curl), every counter: /api/v1/slots. Ctrl-C ends it.")?;
    say("")?;

    let plan = Plan { rate: options.rate, packets: options.packets };
    let traffic = Traffic::new(plan);
    let watched = std::thread::scope(|scope| {
        let sender = scope.spawn(|| traffic.send(&wire, source));
        let watched = watch(options, &mut agent, &traffic, stop);
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
fn watch(options: &Options, agent: &mut AgentProcess, traffic: &Traffic, stop: &AtomicBool) -> Result<()> {
    let start = Instant::now();
    let end = options.seconds.map(|seconds| start + Duration::from_secs(seconds));
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
