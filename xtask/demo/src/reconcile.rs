//! Packets sent against packets counted, by outcome, slot by slot, and again on the page of metrics.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use sensor_common::grouped::Grouped;
use sensor_harness::agent::AgentProcess;
use sensor_harness::counts::Counts;
use sensor_harness::metrics::Page;

use crate::screen::say;

/// Prints the account, and says whether it comes out even.
pub fn reconcile(truth: &Counts, agent: &AgentProcess) -> Result<bool> {
    let counts = agent.counts()?;
    let page = Page::parse(&agent.metrics()?)?;
    let (sent, counted) = (outcomes(truth), outcomes(&counts));
    say("")?;
    say(&format!("{:<24} {:>12} {:>12} {:>11}", "outcome", "sent", "counted", "difference"))?;
    let outcomes: BTreeSet<&String> = sent.keys().chain(counted.keys()).collect();
    for outcome in outcomes {
        let of = |counts: &BTreeMap<String, u64>| counts.get(outcome).copied().unwrap_or(0);
        row(outcome, of(&sent), of(&counted))?;
    }
    row("all", truth.packets(), counts.packets())?;

    let wrong_slots = differences(&slots(truth), &slots(&counts));
    let metrics = page.sum("sensor_packets_total", &[]) + page.sum("sensor_passed_packets_total", &[]);
    let wrong_ports = differences(&ports(truth), &ports_on_page(&page));
    for wrong in wrong_slots.iter().chain(&wrong_ports).take(20) {
        say(&format!("  {wrong}"))?;
    }
    say(&format!(
        "{} of {} slots differ in packets or bytes; /metrics sums up to {}, and {} of its ports differ.",
        wrong_slots.len(),
        slots(truth).len(),
        Grouped(metrics),
        wrong_ports.len(),
    ))?;
    let difference = truth.packets().abs_diff(counts.packets()).max(truth.packets().abs_diff(metrics));
    say(&format!("{} packets sent: difference {difference}", Grouped(truth.packets())))?;
    Ok(difference == 0 && wrong_slots.is_empty() && wrong_ports.is_empty())
}

fn row(outcome: &str, sent: u64, counted: u64) -> Result<()> {
    let sign = if counted < sent { "-" } else { "" };
    let difference = format!("{sign}{}", Grouped(sent.abs_diff(counted)));
    say(&format!("{outcome:<24} {:>12} {:>12} {difference:>11}", Grouped(sent), Grouped(counted)))
}

/// Packets by protocol, or by why they were let through.
fn outcomes(counts: &Counts) -> BTreeMap<String, u64> {
    let mut outcomes = BTreeMap::new();
    for (slot, counter) in counts.sensors.iter().flatten() {
        let protocol = slot.split('/').next().unwrap_or(slot);
        *outcomes.entry(format!("counted: {protocol}")).or_default() += counter.packets;
    }
    for (reason, packets) in &counts.passed {
        outcomes.insert(format!("passed: {reason}"), *packets);
    }
    outcomes
}

/// Packets and bytes of every slot.
fn slots(counts: &Counts) -> BTreeMap<String, (u64, u64)> {
    let sensors = counts.sensors.iter().enumerate();
    sensors
        .flat_map(|(sensor, slots)| {
            slots
                .iter()
                .map(move |(slot, counter)| (format!("{sensor}: {slot}"), (counter.packets, counter.bytes)))
        })
        .collect()
}

/// Packets of every TCP and UDP port, by the truth.
fn ports(counts: &Counts) -> BTreeMap<String, u64> {
    let slots = counts.sensors.iter().flatten();
    slots
        .filter(|(slot, _)| slot.starts_with("tcp/") || slot.starts_with("udp/"))
        .map(|(slot, counter)| (slot.clone(), counter.packets))
        .collect()
}

/// Packets of every TCP and UDP port, by the page of metrics.
fn ports_on_page(page: &Page) -> BTreeMap<String, u64> {
    let mut ports = BTreeMap::new();
    for sample in page.find("sensor_packets_total", &[]) {
        let label = |name| sample.labels.get(name).map_or("", String::as_str);
        let packets = sensor_harness::metrics::whole(sample.value).unwrap_or(u64::MAX);
        if matches!(label("protocol"), "tcp" | "udp") && packets > 0 {
            ports.insert(format!("{}/{}", label("protocol"), label("port")), packets);
        }
    }
    ports
}

fn differences<T: PartialEq + std::fmt::Debug>(
    sent: &BTreeMap<String, T>,
    counted: &BTreeMap<String, T>,
) -> Vec<String> {
    let keys: BTreeSet<&String> = sent.keys().chain(counted.keys()).collect();
    keys.into_iter()
        .filter(|key| sent.get(*key) != counted.get(*key))
        .map(|key| format!("{key}: sent {:?}, counted {:?}", sent.get(key), counted.get(key)))
        .collect()
}
