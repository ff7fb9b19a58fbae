//! `sensor-fleet sources`: what it says of several sensors is the truth of what was sent to them, or lies within the error
//! that it states; and whoever cannot tell is named.

mod agents;
mod files;
mod ssh;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;
use sensor_harness::built;
use sensor_harness::cli::{Said, run};
use sensor_harness::namespace::Namespace;
use serde_json::Value;

/// Ports that sources send to.
const PORTS: [u16; 3] = [23, 445, 8_080];

/// What one source sent to one port of one sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    sensor: usize,
    source: u32,
    port: u16,
    packets: u64,
}

/// What sources of which there are so many sent to sensors of which there are so many: each chose about a third of the pairs of
/// a sensor and a port.
fn truth(seed: u64, sensors: usize, sources: u32) -> Vec<Sent> {
    let mut random = SplitMix64::seed_from_u64(seed);
    let mut sent = Vec::new();
    for source in 0..sources {
        for sensor in 0..sensors {
            for port in PORTS {
                if random.random_range(0..3) == 0 {
                    let packets = random.random_range(1..4);
                    sent.push(Sent { sensor, source: 0xcb00_0000 + source, port, packets });
                }
            }
        }
    }
    sent
}

/// What is true of a port, or of all.
struct Known {
    packets: u64,
    /// Each source's packets, and the sensors that it sent to.
    sources: BTreeMap<u32, (u64, BTreeSet<usize>)>,
}

impl Known {
    fn of(sent: &[Sent], port: Option<u16>) -> Self {
        let mut sources = BTreeMap::<u32, (u64, BTreeSet<usize>)>::new();
        for sent in sent.iter().filter(|sent| port.is_none_or(|port| sent.port == port)) {
            let of = sources.entry(sent.source).or_default();
            of.0 += sent.packets;
            of.1.insert(sent.sensor);
        }
        Self { packets: sources.values().map(|(packets, _)| packets).sum(), sources }
    }

    fn by_one_sensor(&self) -> u64 {
        self.by_one(|sensor| sensor)
    }

    /// How many were seen by one of those alone that sensors belong to.
    fn by_one(&self, of: impl Fn(usize) -> usize) -> u64 {
        let by_one = |sensors: &BTreeSet<usize>| {
            sensors.iter().map(|sensor| of(*sensor)).collect::<BTreeSet<_>>().len() == 1
        };
        self.sources.values().filter(|(_, sensors)| by_one(sensors)).count() as u64
    }
}

/// An answer in JSON.
#[derive(Debug)]
struct Answer(Vec<Value>);

impl Answer {
    /// Asks in a namespace.
    fn to(namespace: &Namespace, arguments: &[&str]) -> Result<Self> {
        let said = asked(namespace, &[arguments, &["--json"]].concat())?;
        ensure!(said.code == 0, "{said:?}");
        let lines: Vec<Value> = said.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(lines.last() == Some(&serde_json::json!({ "end": true })), "{lines:?}");
        Ok(Self(lines))
    }

    fn lines(&self, what: &str) -> Vec<&Value> {
        self.0.iter().filter_map(|line| line.get(what)).collect()
    }

    fn total(&self) -> Result<&Value> {
        self.lines("total").pop().context("no total")
    }

    fn count(&self) -> Result<u64> {
        self.total()?["sources"]["count"].as_u64().context("no number of sources")
    }

    /// Everything is as it is known, and said to be exact; there may have been more where hours are not known whole.
    fn is_exactly(&self, known: &Known, at_least: bool) -> Result<()> {
        let total = self.total()?;
        let expected = [
            ("packets", known.packets.into()),
            ("sources", serde_json::json!({ "count": known.sources.len(), "exact": true })),
            ("basis", "addresses".into()),
            ("error", 0.0.into()),
            ("at_least", at_least.into()),
            ("at_most", Value::Null),
            ("share", 1.0.into()),
            ("by_one_sensor", known.by_one_sensor().into()),
            ("complete", true.into()),
        ];
        for (key, expected) in expected {
            ensure!(total[key] == expected, "{key}: {} and not {expected}, in {total}", total[key]);
        }
        let rows = self.lines("source");
        let mut most: Vec<u64> = known.sources.values().map(|(packets, _)| *packets).collect();
        most.sort_unstable_by(|a, b| b.cmp(a));
        most.truncate(rows.len());
        for (row, most) in rows.iter().zip(most) {
            let source: std::net::Ipv4Addr = row["source"].as_str().unwrap_or_default().parse()?;
            let (packets, sensors) = known.sources.get(&source.to_bits()).context("nobody sent that")?;
            ensure!(row["packets"] == *packets && *packets == most, "{row}: {packets}, {most}");
            ensure!(row["sensors"] == sensors.len() && row["more"] == 0, "{row}: {sensors:?}");
        }
        ensure!(rows.len() == known.sources.len().min(20), "{} rows", rows.len());
        Ok(())
    }
}

fn asked(namespace: &Namespace, arguments: &[&str]) -> Result<Said> {
    run(namespace, Command::new(built::sensor_fleet()?).arg("sources").args(arguments))
}
