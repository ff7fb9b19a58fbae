//! The program and its counters outlive the agent: killed, stopped, started again, reloaded, nothing is lost,
//! nothing is counted twice, and nothing passes meanwhile that should not.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;
use rstest::rstest;
use sensor_common::classify::Verdict;
use sensor_common::layout::{SCHEMA_VERSION, Slot};
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::bpf::lift_memory_limit;
use sensor_harness::cli::sensor;
use sensor_harness::counts::Counts;
use sensor_harness::frame::frame;
use sensor_harness::metrics::Page;
use sensor_harness::mix::{self, Mix, Sample};
use sensor_harness::needs_root;
use sensor_harness::pace::{self, until};
use sensor_harness::pins::Pins;
use sensor_harness::sender::{Sender, cpus, pin_to_cpu};
use sensor_harness::wire::Wire;
use sensor_user::kernel::Link;

/// Telnet scans to a sensor of [`mix::SENSOR`], and what they add up to.
fn send(sender: &Sender<'_>, packets: usize, truth: &mut Counts) -> Result<()> {
    let syn = frame().ipv4().tcp(23).syn().bytes();
    sender.send(&vec![&syn; packets])?;
    for _ in 0..packets {
        truth.add(Verdict::Count { sensor: 0, slot: Slot::tcp(23) }, syn.len());
    }
    Ok(())
}

fn launch(wire: &Wire, pins: &Pins) -> Launch {
    Launch::new(&wire.near.namespace).interface("sensor0").config(mix::SENSOR).pins(pins)
}

#[rstest]
#[case::killed(Signal::SIGKILL)]
#[case::stopped(Signal::SIGTERM)]
#[case::interrupted(Signal::SIGINT)]
fn counting_goes_on_without_the_agent(#[case] signal: Signal) -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let sender = Sender::new(&wire)?;
    let mut truth = Counts::default();
    let mut agent = launch(&wire, &pins).start()?;
    send(&sender, 10, &mut truth)?;
    agent.stop(signal)?;
    ensure!(wire.near.has_xdp()?, "the program is gone");
    send(&sender, 100, &mut truth)?;
    let agent = launch(&wire, &pins).start()?;
    assert_eq!(agent.counts()?, truth);
    ensure!(agent.stderr().contains("took over sensor0"), "{}", agent.stderr());
    send(&sender, 1_000, &mut truth)?;
    assert_eq!(agent.counts()?, truth);
    Ok(())
}

/// What another build may have left under a name of ours.
#[rstest]
#[case::counters("COUNTERS_0")]
#[case::names("NAMES")]
#[case::flows("FLOWS_TCP")]
#[case::series("SERIES")]
fn a_layout_that_does_not_fit_is_refused(#[case] name: &str) -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    launch(&wire, &pins).start()?.stop(Signal::SIGTERM)?;
    let directory = fs::read_dir(pins.path())?.next().expect("something is pinned")?.path();
    let path = directory.join(name);
    fs::remove_file(&path)?;
    lift_memory_limit();
    aya::maps::Array::<_, u32>::create(7, 0)?.pin(&path)?;
    let (code, said) = launch(&wire, &pins).fail()?;
    assert_eq!(code, 1, "{said}");
    let last = said.lines().last().unwrap_or_default();
    let command = format!("`sensor detach --interface sensor0 --pins {}`", pins.path().display());
    for words in [name, "is not laid out as this build of the sensor expects", &command] {
        ensure!(last.contains(words), "{words:?} is not in: {last}");
    }
    ensure!(wire.near.has_xdp()?, "the program is gone");
    Ok(())
}

#[test]
fn one_agent_at_a_time_works_with_the_pins() -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let other = Wire::new()?;
    let mut agent = launch(&wire, &pins).start()?;
    let (code, said) = launch(&other, &pins).fail()?;
    assert_eq!(code, 1, "{said}");
    ensure!(said.contains("another agent works with"), "{said}");
    agent.stop(Signal::SIGTERM)?;
    // The pinned links are those of another namespace's interface.
    let (code, said) = launch(&other, &pins).fail()?;
    assert_eq!(code, 1, "{said}");
    ensure!(said.contains("another network namespace"), "{said}");
    ensure!(!other.near.has_xdp()? && wire.near.has_xdp()?, "the wrong one is attached");
    Ok(())
}

/// In one namespace too, one after the other and both at once: one of them is refused, and has touched nothing.
#[rstest]
#[case::one_after_the_other(false)]
#[case::both_at_once(true)]
fn of_two_agents_one_is_refused(#[case] at_once: bool) -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let elsewhere = "127.0.0.1:19818".parse()?;
    let mut first = launch(&wire, &pins).spawn()?;
    if !at_once {
        until(|| Ok(first.get("/readyz").is_ok_and(|it| it.status == 200)), || first.stderr())?;
    }
    let before = pinned_links(&pins)?;
    let mut second = launch(&wire, &pins).listen(elsewhere).spawn()?;
    let mut ended = [false; 2];
    until(
        || {
            ended = [first.ended()?.is_some(), second.ended()?.is_some()];
            Ok(ended.contains(&true))
        },
        || "both agents run".to_owned(),
    )?;
    let (mut refused, stays) = if ended[0] { (first, second) } else { (second, first) };
    ensure!(at_once || !ended[0], "the first one has ended: {}", refused.stderr());
    assert_eq!(refused.wait()?.code(), Some(1));
    // One that has just begun may not listen yet.
    let words = [
        format!("another agent runs here with --pins {}", pins.path().display()),
        "another agent".to_owned(),
    ];
    ensure!(refused.last_words().contains(&words[usize::from(at_once)]), "{}", refused.stderr());
    until(|| Ok(stays.get("/readyz").is_ok_and(|it| it.status == 200)), || stays.stderr())?;
    ensure!(at_once || pinned_links(&pins)? == before, "the second one has changed what is pinned");
    let mut truth = Counts::default();
    send(&Sender::new(&wire)?, 5, &mut truth)?;
    assert_eq!(stays.counts()?, truth);
    Ok(())
}

/// The numbers of the links that are pinned, by their paths, and of the programs that they attach.
fn pinned_links(pins: &Pins) -> Result<BTreeMap<PathBuf, String>> {
    let Ok(entries) = fs::read_dir(pins.path().join(format!("v{SCHEMA_VERSION}"))) else {
        return Ok(BTreeMap::new());
    };
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths
        .into_iter()
        .filter(|path| {
            path.to_string_lossy().contains("/xdp_") || path.to_string_lossy().contains("/egress_")
        })
        .map(|path| Ok((path.clone(), format!("{:?}", Link::from_pin(&path)?.info()?))))
        .collect()
}

/// Killed between two steps of attaching, which leaves some of it undone.
#[rstest]
#[case::the_way_out_not_pinned(&["egress_"], true)]
#[case::no_link_pinned(&["egress_", "xdp_"], false)]
#[case::the_way_in_not_pinned(&["xdp_"], false)]
fn what_a_kill_left_undone_is_done(#[case] undone: &[&str], #[case] attached: bool) -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let sender = Sender::new(&wire)?;
    let mut truth = Counts::default();
    let mut agent = launch(&wire, &pins).start()?;
    send(&sender, 3, &mut truth)?;
    agent.stop(Signal::SIGKILL)?;
    for path in pinned_links(&pins)?.into_keys() {
        if undone.iter().any(|name| path.to_string_lossy().contains(name)) {
            fs::remove_file(path)?;
        }
    }
    // Where the kernel has no TCX, a filter would stay.
    drop(wire.near.namespace.command("tc", "qdisc del dev sensor0 clsact"));
    until(|| Ok(wire.near.has_xdp()? == attached), || "the program is as it was".to_owned())?;
    let mut passed = Counts::default();
    send(&sender, 4, if attached { &mut truth } else { &mut passed })?;
    let mut agent = launch(&wire, &pins).start()?;
    send(&sender, 5, &mut truth)?;
    assert_eq!(agent.counts()?, truth);
    let page = Page::parse(&agent.metrics()?)?;
    for metric in ["sensor_xdp_attached", "sensor_egress_attached"] {
        assert_eq!(page.sum(metric, &[("interface", "sensor0")]), 1, "{metric}: {}", agent.stderr());
    }
    // Whole again: the next one takes all of it over.
    agent.stop(Signal::SIGKILL)?;
    send(&sender, 6, &mut truth)?;
    let agent = launch(&wire, &pins).start()?;
    until(|| Ok(agent.stderr().contains("took over sensor0")), || agent.stderr())?;
    assert_eq!(agent.counts()?, truth);
    Ok(())
}

/// A NIC that goes away takes its attachment with it; one that comes back gets a new one.
#[test]
fn an_interface_may_go_and_come_back() -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let mut truth = Counts::default();
    let mut agent = launch(&wire, &pins).start()?;
    send(&Sender::new(&wire)?, 3, &mut truth)?;
    let near = wire.near.namespace.clone();
    near.ip("link delete sensor0")?;
    assert_eq!(agent.get("/readyz")?.status, 503);
    let wire = Wire::between(near, "sensor0", wire.far.namespace.clone(), sensor_harness::wire::MTU)?;
    agent.stop(Signal::SIGTERM)?;
    let agent = launch(&wire, &pins).start()?;
    send(&Sender::new(&wire)?, 4, &mut truth)?;
    assert_eq!(agent.counts()?, truth);
    assert_eq!(agent.get("/readyz")?.status, 200);
    Ok(())
}

/// Packets that are made up; they come again and again.
const BATCH: usize = 20_000;
/// How many packets arrive while the agent is killed and reloaded.
const FLOOD_PACKETS: usize = 10_000_000;
/// How often it is killed, and how often it is reloaded.
const TIMES: usize = 50;

/// Ten million packets from two CPUs, and the agent is killed at random moments, started again and reloaded.
#[test]
fn nothing_is_lost_whenever_the_agent_is_killed() -> Result<()> {
    needs_root!();
    let (wire, pins) = (Wire::new()?, Pins::new()?);
    let mut agent = launch(&wire, &pins).start()?;
    let troubled = AtomicBool::new(false);
    let mut truth = Counts::default();
    let floods = thread::scope(|scope| {
        let floods: Vec<_> = (0_u64..2)
            .map(|number| {
                let (wire, troubled) = (&wire, &troubled);
                scope.spawn(move || flood(wire, number, troubled))
            })
            .collect();
        // Whatever becomes of the trouble, the floods must end, and with them the test.
        let result = catch_unwind(AssertUnwindSafe(|| trouble(&mut agent, &wire, &pins)));
        troubled.store(true, Ordering::Relaxed);
        let result = result.unwrap_or_else(|panic| resume_unwind(panic));
        let floods = floods
            .into_iter()
            .map(|flood| flood.join().expect("no flood panics"))
            .collect::<Result<Vec<_>>>();
        result.and(floods)
    })?;
    for flood in floods {
        truth.merge(&flood);
    }
    ensure!(truth.packets() >= pace::amount(FLOOD_PACKETS) as u64);
    let counts = agent.counts()?;
    assert_eq!(counts.packets(), truth.packets(), "of slots and passed");
    assert_eq!(counts, truth);
    let times = pace::amount(TIMES);
    eprintln!("{} packets, {times} kills, {times} reloads: difference 0", truth.packets());
    Ok(())
}

/// Sends its half of the packets, and goes on until the agent had all its trouble.
fn flood(wire: &Wire, number: u64, troubled: &AtomicBool) -> Result<Counts> {
    let cpus = cpus()?;
    let index = usize::try_from(number)? % cpus.len();
    pin_to_cpu(cpus[index])?;
    let samples: Vec<Sample> = Mix::new(number).take(BATCH).collect();
    let frames: Vec<&[u8]> = samples.iter().map(|sample| sample.frame.as_slice()).collect();
    let sender = Sender::new(wire)?;
    let packets = pace::amount(FLOOD_PACKETS) as u64;
    let mut rounds = 0;
    while rounds * BATCH as u64 * 2 < packets || !troubled.load(Ordering::Relaxed) {
        sender.send(&frames)?;
        rounds += 1;
    }
    let mut truth = Counts::default();
    for sample in samples {
        truth.add(sample.verdict, sample.frame.len());
    }
    Ok(truth.times(rounds))
}

/// Kills and reloads the agent, at moments that have nothing to do with what it is doing.
fn trouble(agent: &mut AgentProcess, wire: &Wire, pins: &Pins) -> Result<()> {
    let mut random = SplitMix64::seed_from_u64(7);
    for time in 0..pace::amount(TIMES) {
        // One sensor more, then one less: its counters are made beside those that count.
        let more =
            format!("{}[[sensor]]\nname = \"more-{time}\"\nprefixes = [\"203.0.113.0/24\"]\n", mix::SENSOR);
        agent.rewrite_config(if time % 2 == 0 { &more } else { mix::SENSOR })?;
        thread::sleep(Duration::from_micros(random.random_range(0..20_000)));
        let path = pins.path().display().to_string();
        let said = sensor(&wire.near.namespace, &["reload", "--pins", &path])?;
        assert_eq!(said.code, 0, "{}", said.stderr);
        agent.rewrite_config(mix::SENSOR)?;
        agent.signal(Signal::SIGHUP)?;
        thread::sleep(Duration::from_micros(random.random_range(0..50_000)));
        agent.stop(Signal::SIGKILL)?;
        let starting = launch(wire, pins).spawn()?;
        thread::sleep(Duration::from_micros(random.random_range(0..100_000)));
        drop(starting);
        *agent = launch(wire, pins).start()?;
    }
    Ok(())
}
