//! What is sent is what is counted: the difference is 0, for a flood from two CPUs at once and for frames
//! of every length.

use std::collections::BTreeMap;
use std::thread;

use anyhow::Result;
use sensor_common::classify::Verdict;
use sensor_common::flow::Forgetful;
use sensor_common::layout::Slot;
use sensor_common::parse::Everything;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::counts::Counts;
use sensor_harness::frame::{ETHERNET, SCANNER_V4, frame};
use sensor_harness::metrics::{self, Page};
use sensor_harness::mix::{self, Mix, Sample};
use sensor_harness::namespace::Namespace;
use sensor_harness::pace;
use sensor_harness::sender::{Sender, pin_to_cpu, two_cpus};
use sensor_harness::table::WithoutRules;
use sensor_harness::wire::{MTU, Wire};
use sensor_harness::{needs, needs_root, skip};

/// Packets in the flood.
const FLOOD: usize = 1_000_000;
/// Different packets in it from each CPU; they come again and again.
const DIFFERENT: usize = 20_000;

#[test]
fn a_million_packets_from_two_cpus_at_once() -> Result<()> {
    needs_root!();
    let cpus = needs!(two_cpus()?);
    let wire = Wire::new()?;
    // Every port listed, so that the page has each by itself from the first packet on.
    let ports: Vec<String> = Mix::ports().iter().map(|port| format!("\"{port}\"")).collect();
    let config = format!("{}\n[export]\nports = [{}]\n", mix::SENSOR, ports.join(", "));
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").config(&config).start()?;

    let mixes: Vec<Vec<Sample>> =
        (0..).zip(&cpus).map(|(seed, _)| Mix::new(seed).take(DIFFERENT).collect()).collect();
    let rounds = pace::amount(FLOOD / DIFFERENT / cpus.len());
    thread::scope(|scope| {
        let senders: Vec<_> = cpus
            .iter()
            .zip(&mixes)
            .map(|(&cpu, mix)| {
                let wire = &wire;
                scope.spawn(move || {
                    pin_to_cpu(cpu)?;
                    let sender = Sender::new(wire)?;
                    let frames: Vec<&[u8]> = mix.iter().map(|sample| sample.frame.as_slice()).collect();
                    (0..rounds).try_for_each(|_| sender.send(&frames))
                })
            })
            .collect();
        senders.into_iter().try_for_each(|sender| sender.join().expect("no sender panics"))
    })?;

    let mut truth = Counts::default();
    for _ in 0..rounds {
        for sample in mixes.iter().flatten() {
            truth.add(sample.verdict, sample.frame.len());
        }
    }
    assert_eq!(truth.packets(), (rounds * DIFFERENT * cpus.len()) as u64);
    account_for(&truth, &agent)
}

/// Everything the agent says of its counts, against the truth.
fn account_for(truth: &Counts, agent: &AgentProcess) -> Result<()> {
    let counts = agent.counts()?;
    assert_eq!(counts.packets(), truth.packets(), "/api/v1/slots");
    assert_eq!(&counts, truth, "/api/v1/slots");

    let page = Page::parse(&agent.metrics()?)?;
    let packets = page.sum("sensor_packets_total", &[]);
    let passed = page.sum("sensor_passed_packets_total", &[]);
    assert_eq!(packets + passed, truth.packets(), "/metrics");
    assert_eq!(packets, truth.counted());
    assert_eq!(page.sum("sensor_bytes_total", &[]), truth.bytes());
    for (reason, packets) in &truth.passed {
        assert_eq!(page.sum("sensor_passed_packets_total", &[("reason", reason)]), *packets, "{reason}");
    }
    for (slot, counter) in truth.sensors.iter().flatten() {
        let Some((protocol @ ("tcp" | "udp"), port)) = slot.split_once('/') else { continue };
        let labels = [("protocol", protocol), ("port", port)];
        assert_eq!(page.sum("sensor_packets_total", &labels), counter.packets, "{slot}");
        assert_eq!(page.sum("sensor_bytes_total", &labels), counter.bytes, "{slot}");
    }
    Ok(())
}

/// Ports that nobody listed have no series of their own at first: they are in `other`, and nothing is lost.
#[test]
fn ports_that_are_not_listed_add_up_too() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let config = format!("{}\n[export]\nports = [\"23/tcp\"]\nmax_ports = 5\n", mix::SENSOR);
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").config(&config).start()?;
    let sender = Sender::new(&wire)?;
    let mut truth = Counts::default();
    let mut mix = Mix::new(3);
    let mut before = 0;
    for _ in 0..20 {
        let samples: Vec<Sample> = mix.by_ref().take(2_000).collect();
        for sample in &samples {
            truth.add(sample.verdict, sample.frame.len());
        }
        let frames: Vec<&[u8]> = samples.iter().map(|sample| sample.frame.as_slice()).collect();
        sender.send(&frames)?;
        let page = Page::parse(&agent.metrics()?)?;
        let packets = page.sum("sensor_packets_total", &[]);
        assert_eq!(packets, truth.counted());
        assert!(packets >= before);
        before = packets;
        assert_eq!(ports_on_page(&page), by_series(&truth));
    }
    assert_eq!(agent.counts()?, truth);
    Ok(())
}

/// TCP and UDP packets by series, as `tcp/23`.
fn ports_on_page(page: &Page) -> BTreeMap<String, u64> {
    let of = |sample: &metrics::Sample| {
        let (protocol, port) = (&sample.labels["protocol"], &sample.labels["port"]);
        let packets = metrics::whole(sample.value).expect("a counter is whole");
        matches!(protocol.as_str(), "tcp" | "udp").then(|| (format!("{protocol}/{port}"), packets))
    };
    page.find("sensor_packets_total", &[]).filter_map(of).collect()
}

/// What the page must have when 23/tcp is the only port listed.
fn by_series(truth: &Counts) -> BTreeMap<String, u64> {
    let names = ["tcp/23", "tcp/other", "tcp/fragment", "udp/other", "udp/fragment"];
    let mut series: BTreeMap<String, u64> = names.iter().map(|&name| (name.to_owned(), 0)).collect();
    for (slot, counter) in truth.sensors.iter().flatten() {
        let Some((protocol @ ("tcp" | "udp"), _)) = slot.split_once('/') else { continue };
        let other = format!("{protocol}/other");
        let name = if names.contains(&slot.as_str()) { slot } else { &other };
        *series.entry(name.clone()).or_default() += counter.packets;
    }
    series
}

#[test]
fn frames_of_every_length() -> Result<()> {
    needs_root!();
    every_length(MTU, 1)
}

/// Above one page a frame comes in several buffers.
#[test]
fn jumbo_frames_of_every_length() -> Result<()> {
    needs_root!();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    if (numbers.next(), numbers.next()) < (Some(5), Some(18)) {
        skip!("the kernel is older than 5.18");
    }
    every_length(9_000, 7)
}

/// Frames of all lengths from an Ethernet header alone to the MTU, a `step` apart; the rest of each is cut
/// off or zeros, whatever the headers say.
fn every_length(mtu: u32, step: usize) -> Result<()> {
    let wire = Wire::between(Namespace::new()?, "sensor0", Namespace::new()?, mtu)?;
    let launch = Launch::new(&wire.near.namespace).interface("sensor0");
    let agent = launch.argument("--mode").argument("native").start()?;
    let longest = ETHERNET + mtu as usize;
    let mut truth = Counts::default();
    let mut frames = Vec::new();
    for length in (ETHERNET..=longest).step_by(step).chain([longest]) {
        let whole = length.saturating_sub(ETHERNET + 28);
        for whole in [
            frame().ipv4().udp(53).payload(vec![0; whole]),
            frame().ipv4().from(SCANNER_V4).tcp(23).syn(),
            frame().vlan(5).ipv6().icmpv6(128, 0).payload([0; 64]),
            frame().ether_type(0x0806),
        ] {
            let mut bytes = whole.bytes();
            bytes.resize(length, 0);
            let verdict =
                sensor_common::classify::verdict(bytes.as_slice(), &WithoutRules(Everything), &Forgetful);
            truth.add(verdict, length);
            frames.push(bytes);
        }
    }
    Sender::new(&wire)?.send(&frames)?;
    assert_eq!(agent.counts()?, truth);
    // The host parser is the measure above; this is not: the longest datagram, byte for byte.
    let udp = &truth.sensors[0]["udp/53"];
    assert!(udp.packets > 0 && udp.bytes > longest as u64);
    let datagram = Verdict::Count { sensor: 0, slot: Slot::udp(9) };
    let longest = vec![frame().ipv4().udp(9).payload(vec![0; longest - ETHERNET - 28]).bytes()];
    Sender::new(&wire)?.send(&longest)?;
    truth.add(datagram, longest[0].len());
    assert_eq!(agent.counts()?, truth);
    Ok(())
}
