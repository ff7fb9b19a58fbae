//! The store: what an agent keeps of sources and counts, and that it outlives kills, full disks and damaged files.

mod engines;
mod killed;
mod trouble;

use std::path::Path;

use anyhow::{Result, ensure};
use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use sensor_common::layout::side::Tool;
use sensor_common::layout::{Slot, SlotKind};
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::cli;
use sensor_harness::frame::frame;
use sensor_harness::metrics::Page;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use sensor_harness::pins::Pins;
use sensor_harness::sender::{Sender, cpus, pin_to_cpu};
use sensor_harness::wire::Wire;
use sensor_user::store::{Ask, AskCounted, DATABASE, Reader, Step};
use serde_json::Value;

/// A sensor that monitors everything, keeps evidence and stores what that tells.
fn config(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "[[sensor]]\nname = \"a\"\n[evidence]\npath = \"{folder}/evidence\"\nbudget = 1000000\n\
         [store]\npath = \"{folder}\"\n"
    )
}

/// Three of Mirai's SYNs and two UDP packets of one source, and an IPv6 packet.
fn frames() -> Vec<Vec<u8>> {
    let mirai = frame().ipv4().tcp(23).syn().sequence(u32::from(sensor_harness::frame::SENSOR_V4)).bytes();
    let udp = frame().ipv4().udp(53).payload([7; 30]).bytes();
    let six = frame().ipv6().tcp(443).syn().bytes();
    vec![mirai.clone(), udp.clone(), mirai.clone(), six, udp, mirai]
}

/// From an hour ago to the end of this one.
fn now() -> Ask {
    let now = Timestamp::now();
    Ask::of(now - SignedDuration::from_hours(1), now)
}

/// Packets of the sensor that were counted in a slot, or in all.
fn packets(reader: &Reader, of: Option<Slot>, step: Step, time: &Ask) -> Result<u64> {
    let slots = of.map(|slot| slot.index()..=slot.index());
    let ask = AskCounted { sensor: Some("a"), slots, step, from: time.from, to: time.to };
    let (_, counted, _) = reader.counts(&ask)?;
    Ok(counted.iter().map(|count| count.packets).sum())
}

fn counted(agent: &AgentProcess, packets: u64) -> Result<()> {
    let counted = || anyhow::Ok(Page::parse(&agent.metrics()?)?.sum("sensor_packets_total", &[]));
    until(|| Ok(counted()? == packets), || format!("{:?} of {packets}", counted()))
}

#[test]
fn what_an_agent_observes_and_counts_is_stored_over_restarts() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let folder = tempfile::tempdir()?;
    let pins = Pins::new()?;
    let launch =
        Launch::new(&wire.near.namespace).interface("sensor0").config(&config(folder.path())).pins(&pins);
    let reader = Reader::new(&folder.path().join(DATABASE));
    let sent = frames();
    for round in 1..=2 {
        let mut agent = launch.clone().start()?;
        Sender::new(&wire)?.send(&sent)?;
        counted(&agent, round * sent.len() as u64)?;
        agent.stop(Signal::SIGTERM)?;
        assert!(!agent.stderr().contains("store"), "{}", agent.stderr());
        let found = reader.sources(&now())?;
        let told: Vec<_> = found.rows.iter().map(|row| row.packets).collect();
        assert_eq!(told, [5 * round, round]);
        let (all, slots) = reader.what(found.rows[0].source, &now())?;
        let what = &all[0];
        assert_eq!(slots, 2);
        assert_eq!((what.slot, what.tool, what.packets), (SlotKind::Tcp(23), Some(Tool::Mirai), 3 * round));
        assert_eq!((found.basis.observed, found.basis.missed, found.basis.share()), (6 * round, 0, 1.0));
        let rest = now();
        assert_eq!(packets(&reader, Some(Slot::tcp(23)), Step::Hour, &rest)?, 3 * round);
        assert_eq!(packets(&reader, None, Step::Minute, &rest)?, 6 * round);
    }
    Ok(())
}

/// An agent that is killed has taken records that it has not stored: they were missed, and nothing else was.
#[test]
fn what_a_killed_agent_has_not_stored_was_missed() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let folder = tempfile::tempdir()?;
    let pins = Pins::new()?;
    let launch =
        Launch::new(&wire.near.namespace).interface("sensor0").config(&config(folder.path())).pins(&pins);
    // What is missing of a CPU's records is known by its next one.
    pin_to_cpu(cpus()?[0])?;
    let sent = frames();
    let each = sent.len() as u64;
    for (round, signal) in (1..).zip([Signal::SIGTERM, Signal::SIGKILL, Signal::SIGTERM]) {
        let mut agent = launch.clone().start()?;
        Sender::new(&wire)?.send(&sent)?;
        counted(&agent, round * each)?;
        // What is known of this hour goes on from what is stored.
        let looked_at = || observed(&wire, &pins);
        let expected = round.min(2) * each;
        until(|| Ok(looked_at()? >= expected), || format!("{:?} of {expected}", looked_at()))?;
        agent.stop(signal)?;
    }
    let basis = Reader::new(&folder.path().join(DATABASE)).sources(&now())?.basis;
    assert_eq!(basis.observed + basis.missed, 3 * each);
    // If the minute was over just then, it had all been stored.
    ensure!([0, each].contains(&basis.missed), "{basis:?}");
    Ok(())
}

/// Packets that an agent has observed in this hour and the last.
fn observed(wire: &Wire, pins: &Pins) -> Result<u64> {
    let pins = pins.path().display().to_string();
    let said = cli::sensor(&wire.near.namespace, &["sources", "--json", "--pins", &pins])?;
    let lines = said.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(lines.filter_map(|line| line["window"]["observed"].as_u64()).sum())
}

#[test]
fn two_agents_never_write_to_one_store() -> Result<()> {
    needs_root!();
    let (one, other) = (Wire::new()?, Wire::new()?);
    let folder = tempfile::tempdir()?;
    let start = |wire: &Wire, evidence: &str| {
        let config = config(folder.path()).replace("/evidence\"", evidence);
        Launch::new(&wire.near.namespace).interface("sensor0").config(&config).start()
    };
    let mut first = start(&one, "/evidence\"")?;
    until(|| Ok(folder.path().join(DATABASE).exists()), || first.stderr())?;
    let second = start(&other, "/evidence-2\"")?;
    let failing =
        |agent: &AgentProcess| anyhow::Ok(Page::parse(&agent.metrics()?)?.sum("sensor_store_failing", &[]));
    until(|| Ok(failing(&second)? == 1), || second.stderr())?;
    let said = second.stderr();
    assert!(said.contains("another agent keeps its store in"), "{said}");
    assert!(said.contains("nothing is stored until that works, and counting goes on"), "{said}");
    assert_eq!(failing(&first)?, 0);
    // Ten seconds at most.
    first.stop(Signal::SIGTERM)?;
    until(|| Ok(failing(&second)? == 0), || second.stderr())?;
    assert!(second.stderr().contains("the store is written again"), "{}", second.stderr());
    Ok(())
}

#[test]
fn nothing_is_stored_unless_it_is_asked_for() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let folder = tempfile::tempdir()?;
    let sensor = "[[sensor]]\nname = \"a\"\n";
    let counts = format!("{sensor}[store]\npath = \"{}\"\n", folder.path().display());
    let mut agent = Launch::new(&wire.near.namespace).interface("sensor0").config(&counts).start()?;
    let sent = frames();
    Sender::new(&wire)?.send(&sent)?;
    counted(&agent, sent.len() as u64)?;
    agent.rewrite_config(sensor)?;
    cli::sensor(&wire.near.namespace, &["reload"])?;
    Sender::new(&wire)?.send(&sent)?;
    counted(&agent, 2 * sent.len() as u64)?;
    agent.stop(Signal::SIGTERM)?;
    let reader = Reader::new(&folder.path().join(DATABASE));
    let ask = now();
    assert_eq!(reader.sources(&ask)?.basis.observed, 0, "no source without evidence");
    assert!(packets(&reader, None, Step::Minute, &ask)? <= sent.len() as u64);
    Ok(())
}
