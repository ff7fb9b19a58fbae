//! Confirm or undo: what nobody confirms undoes itself, whatever becomes of the agent.

use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use rstest::rstest;
use sensor_common::classify::Verdict;
use sensor_common::layout::{Passed, Slot};
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::cli::sensor;
use sensor_harness::counts::Counts;
use sensor_harness::frame::frame;
use sensor_harness::mix;
use sensor_harness::needs_root;
use sensor_harness::pace::{self, until};
use sensor_harness::pins::Pins;
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;

/// How long there is to confirm, for a test that waits for the end of it.
fn briefly() -> Duration {
    pace::time(Duration::from_secs(3))
}

/// How long there is for a test that starts programs meanwhile: they must be done before it is over.
fn at_leisure() -> Duration {
    pace::time(Duration::from_secs(20))
}

/// Waits until `within` is over, counted from `attached`.
fn wait_until_over(within: Duration, attached: Instant) {
    thread::sleep((within + Duration::from_millis(200)).saturating_sub(attached.elapsed()));
}

/// The launch of an agent that waits for as long.
fn unconfirmed(launch: Launch, within: Duration) -> Launch {
    launch.argument("--confirm-within").argument(&format!("{}s", within.as_secs()))
}

struct Scene {
    wire: Wire,
    pins: Pins,
    _server: TcpListener,
}

impl Scene {
    /// A host with a server that no rule lets anybody reach.
    fn new() -> Result<Self> {
        let (wire, pins) = (Wire::new()?, Pins::new()?);
        wire.near.address("198.51.100.7/24")?;
        wire.far.address("198.51.100.66/24")?;
        let server = wire.near.namespace.run(|| TcpListener::bind("198.51.100.7:22"))??;
        Ok(Self { wire, pins, _server: server })
    }

    fn launch(&self) -> Launch {
        Launch::new(&self.wire.near.namespace).interface("sensor0").config(mix::SENSOR).pins(&self.pins)
    }

    fn attach(&self, within: Duration) -> Result<AgentProcess> {
        let agent = unconfirmed(self.launch(), within).start()?;
        ensure!(!self.is_reachable()?, "the server can be reached");
        Ok(agent)
    }

    fn is_reachable(&self) -> Result<bool> {
        let server = "198.51.100.7:22".parse()?;
        let patience = pace::time(Duration::from_millis(300));
        self.wire.far.namespace.run(|| std::net::TcpStream::connect_timeout(&server, patience).is_ok())
    }
}

#[rstest]
#[case::killed(Signal::SIGKILL)]
#[case::hanging(Signal::SIGSTOP)]
fn it_undoes_itself_without_the_agent(#[case] signal: Signal) -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let mut agent = scene.attach(briefly())?;
    let attached = Instant::now();
    agent.signal(signal)?;
    if signal == Signal::SIGKILL {
        agent.wait()?;
    }
    wait_until_over(briefly(), attached);
    ensure!(scene.is_reachable()?, "the server cannot be reached");
    let late = sensor(&scene.wire.near.namespace, &["confirm"])?;
    assert_eq!(late.code, 1, "{}", late.stdout);
    ensure!(late.stderr.contains("too late for sensor0"), "{}", late.stderr);
    // What is to be typed takes the pins along, though `confirm` was not told of them.
    let command = format!("`sensor detach --interface sensor0 --pins {}`", scene.pins.path().display());
    ensure!(late.stderr.contains(&command), "{}", late.stderr);
    Ok(())
}

/// The same, and every packet is accounted for.
#[test]
fn what_passes_unconfirmed_is_counted() -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let launch = || Launch::new(&wire.near.namespace).interface("sensor0").config(mix::SENSOR).pins(&pins);
    let sender = Sender::new(&wire)?;
    let syn = frame().ipv4().tcp(23).syn().bytes();
    let mut truth = Counts::default();
    let mut agent = unconfirmed(launch(), briefly()).start()?;
    let attached = Instant::now();
    sender.send(&[&syn; 5])?;
    agent.stop(Signal::SIGKILL)?;
    wait_until_over(briefly(), attached);
    sender.send(&[&syn; 7])?;
    // A new agent is a new decision.
    let agent = launch().start()?;
    sender.send(&[&syn; 11])?;
    for _ in 0..16 {
        truth.add(Verdict::Count { sensor: 0, slot: Slot::tcp(23) }, syn.len());
    }
    for _ in 0..7 {
        truth.add(Verdict::Pass(Passed::Unconfirmed), syn.len());
    }
    assert_eq!(agent.counts()?, truth);
    Ok(())
}

#[test]
fn an_agent_that_lives_detaches_and_says_so() -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let mut agent = scene.attach(briefly())?;
    let status = agent.wait()?;
    assert_eq!(status.code(), Some(1));
    ensure!(agent.last_words().contains("nobody ran `sensor confirm` in time"), "{}", agent.stderr());
    ensure!(!scene.wire.near.has_xdp()?, "something is attached");
    ensure!(scene.is_reachable()?, "the server cannot be reached");
    Ok(())
}

#[rstest]
#[case::with_the_agent(false)]
#[case::without_the_agent(true)]
fn what_is_confirmed_stays(#[case] kill: bool) -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let mut agent = scene.attach(at_leisure())?;
    let attached = Instant::now();
    if kill {
        agent.stop(Signal::SIGKILL)?;
    }
    let near = &scene.wire.near.namespace;
    let said = sensor(near, &["confirm"])?;
    assert_eq!(said.code, 0, "{}", said.stderr);
    ensure!(said.stdout.contains("confirmed: the sensor stays on sensor0"), "{}", said.stdout);
    let again = sensor(near, &["confirm"])?;
    assert_eq!(again.code, 1, "{}", again.stdout);
    ensure!(again.stderr.contains("nothing awaits a confirmation"), "{}", again.stderr);
    wait_until_over(at_leisure(), attached);
    ensure!(!scene.is_reachable()?, "the server can be reached");
    ensure!(kill || agent.ended()?.is_none(), "the agent has ended: {}", agent.stderr());
    Ok(())
}

/// An interface that is not there, or has no sensor, keeps none of the others from being confirmed.
#[test]
fn every_interface_that_is_named_is_tried() -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let _agent = scene.attach(at_leisure())?;
    let attached = Instant::now();
    let said =
        sensor(&scene.wire.near.namespace, &["confirm", "--interface", "gone0", "lo", "sensor0", "gone1"])?;
    assert_eq!(said.code, 1, "{said:?}");
    for failure in ["no interface gone0", "no interface gone1", "no sensor is attached to lo"] {
        ensure!(said.stderr.contains(failure), "{said:?}");
    }
    assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
    ensure!(said.stdout.contains("confirmed: the sensor stays on sensor0"), "{said:?}");
    wait_until_over(at_leisure(), attached);
    ensure!(!scene.is_reachable()?, "the server can be reached");
    Ok(())
}

/// The number before ` s` that follows these words.
fn seconds(text: &str, words: &str) -> Result<u64> {
    let rest = text.split_once(words).with_context(|| format!("no {words:?} in {text}"))?.1;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    number.parse().with_context(|| format!("no number behind {words:?} in {text}"))
}

/// The seconds that an agent says there are; it may be ready before its log is written.
fn time_to_confirm(agent: &AgentProcess) -> Result<u64> {
    let words = "run `sensor confirm` within ";
    until(|| Ok(agent.stderr().contains(words)), || format!("it does not say: {}", agent.stderr()))?;
    seconds(&agent.stderr(), words)
}

/// What is left is said, and not what there was at first: an agent that starts again has no more time than that.
#[test]
fn the_time_that_is_said_is_what_is_left() -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let within = at_leisure();
    let started = Instant::now();
    let mut agent = scene.attach(within)?;
    let attached = Instant::now();
    let said = time_to_confirm(&agent)?;
    let at_least = within.saturating_sub(started.elapsed()).as_secs();
    ensure!((at_least..=within.as_secs()).contains(&said), "{said} s of {within:?}: {}", agent.stderr());
    agent.stop(Signal::SIGKILL)?;
    thread::sleep(within / 3);
    let again = unconfirmed(scene.launch(), within).start()?;
    let at_most = within.saturating_sub(attached.elapsed()).as_secs() + 2;
    let said = time_to_confirm(&again)?;
    ensure!(said < within.as_secs() - 1 && said <= at_most, "{said} s of {within:?}: {}", again.stderr());
    let confirmed = sensor(&scene.wire.near.namespace, &["confirm"])?;
    let left = seconds(&confirmed.stdout, "stays on sensor0 (")?;
    ensure!(left <= said, "{confirmed:?}, of {said} s");
    Ok(())
}

/// An agent that a service manager starts again does not confirm what a person has not.
#[test]
fn a_restart_confirms_nothing() -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let mut agent = scene.attach(at_leisure())?;
    agent.stop(Signal::SIGKILL)?;
    let mut again = scene.launch().argument("--i-have-console-access").start()?;
    ensure!(again.stderr().contains("is not confirmed yet"), "{}", again.stderr());
    assert_eq!(again.wait()?.code(), Some(1));
    ensure!(scene.is_reachable()?, "the server cannot be reached");
    Ok(())
}

/// A confirmation is known even while no other programs can be loaded, and those are loaded later.
#[test]
fn a_confirmation_that_cannot_be_put_into_effect_yet() -> Result<()> {
    needs_root!();
    let scene = Scene::new()?;
    let agent = unconfirmed(scene.launch(), Duration::from_mins(10)).start()?;
    let limit = |descriptors: &str| -> Result<()> {
        let (pid, limit) = (agent.pid().to_string(), format!("--nofile={descriptors}:"));
        let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status()?;
        ensure!(status.success(), "prlimit: {status}");
        Ok(())
    };
    limit("3")?;
    let said = sensor(&scene.wire.near.namespace, &["confirm"])?;
    assert_eq!(said.code, 0, "{said:?}");
    for words in ["confirmed, but", "confirmed: the sensor stays", "the confirmation is seen to again"] {
        until(|| Ok(agent.stderr().contains(words)), || format!("not {words}: {}", agent.stderr()))?;
        limit("1024")?;
    }
    ensure!(!agent.stderr().contains("cannot be known"), "{}", agent.stderr());
    Ok(())
}
