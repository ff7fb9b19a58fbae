//! What a report on a simulated history must find: `truth.json`.
//!
//! Days are UTC days, `end` is always the day after the last, and packets are exact.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::options::Options;
use crate::vocabulary::verdict::SurgeVerdict;

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// What was asked.
    pub arguments: Options,
    /// What packets are sent to; the tables below have a column for each, in this order.
    pub services: Vec<ServiceColumn>,
    /// The calendar months; the first and the last may be cut off by the span.
    pub months: Vec<Period>,
    /// The calendar quarters that lie in the span wholly.
    pub quarters: Vec<Period>,
    /// The sensors, by name.
    pub sensors: Vec<Sensor>,
    /// The regions that have sensors; the first is home.
    pub regions: Vec<Region>,
    /// The rankings of each quarter, and then of the whole span.
    pub rankings: Vec<Ranking>,
    /// What happened, by time.
    pub events: Vec<Event>,
}

/// What packets are sent to: a column of the tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceColumn {
    /// Such as `23/TCP`, `ICMP`, `other/UDP` or `malformed`.
    pub name: String,
    /// The label.
    pub protocol: String,
    /// The label; empty if there is none.
    pub port: String,
    /// Whether rankings may have it; what they may not is in all sums nevertheless.
    pub ranked: bool,
}

/// Some days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// `2023-10`, `2023Q4` or `span`.
    pub name: String,
    /// The first day.
    pub first: Date,
    /// The day after the last.
    pub end: Date,
}

/// What one sensor counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensor {
    /// Such as `sim-0001`.
    pub name: String,
    /// Its region.
    pub region: String,
    /// How many addresses it has.
    pub addresses: u32,
    /// The first day on which it was observed.
    pub first: Date,
    /// The day after the last on which it was observed.
    pub end: Date,
    /// The share, 0 to 1, of each day in which it was observed: the minutes of it with a scrape.
    pub observed: Vec<f64>,
    /// Packets by month, then by service.
    pub packets: Vec<Vec<u64>>,
    /// Raw histories only: packets by service, then by hour; nothing where the series has no sample.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<Vec<Option<u64>>>,
    /// What it tells of sources; empty if nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<KnownSeries>,
}

/// Something that a sensor tells of sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownSeries {
    /// What.
    pub what: KnownKind,
    /// Its label, or the name of a service; empty where there is only one.
    pub name: String,
    /// By day; nothing for days without a sample.
    pub days: Vec<Option<u64>>,
}

/// What may be told of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownKind {
    /// SYNs by tool.
    Tool,
    /// Packets by country.
    Country,
    /// Packets by autonomous system.
    System,
    /// Packets by known scanner.
    Scanner,
    /// Packets of known scanners by service.
    Scanned,
    /// Packets by constituency.
    Constituency,
    /// Notices by constituency.
    Notices,
    /// Distinct sources: by service, or of all.
    Sources,
    /// Distinct sources by country.
    CountrySources,
    /// Distinct sources of SYNs with Mirai's mark by country.
    MiraiSources,
    /// Packets that these rest on.
    Observed,
    /// Packets that they don't.
    Missed,
    /// Distinct addresses under denial of service.
    Victims,
}

/// What all sensors of a region counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// Packets by service, then by day.
    pub days: Vec<Vec<u64>>,
}

/// The first ten of a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranking {
    /// Which days.
    pub period: Period,
    /// Over all sensors.
    pub fleet: Vec<Place>,
    /// For each sensor; fewer than ten if it saw fewer.
    pub sensors: Vec<Vec<Place>>,
}

/// A place in a ranking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The service's name.
    pub service: String,
    /// Its packets, more than 0.
    pub packets: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// What.
    pub kind: Kind,
    /// What a report must say of it; nothing if it is no surge, and must raise none.
    pub verdict: Option<SurgeVerdict>,
    /// The port that surges.
    pub service: Option<String>,
    /// When it begins.
    pub from: Timestamp,
    /// When it is over.
    pub until: Timestamp,
    /// The days of which it has any part: the first.
    pub first: Date,
    /// The day after the last of them.
    pub end: Date,
    /// The sensors it befell, without those that were not observed on any of its days.
    pub sensors: Vec<String>,
    /// The region that alone has it.
    pub region: Option<String>,
    /// What the port's rate was multiplied by on each day. For a loud source it is 1 on its day, and
    /// `added` counts.
    pub factors: Vec<f64>,
    /// Packets a day that came on top, for each address.
    pub added: f64,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A port surges everywhere, and fades.
    Worm,
    /// A port surges on all sensors of one region.
    Region,
    /// A port surges on one sensor.
    Alone,
    /// A port surges on some sensors of several regions.
    Some,
    /// A port is seen, everywhere, that was not seen before.
    NewPort,
    /// One source floods one port of one sensor.
    LoudSource,
    /// A sensor is without packets and scrapes.
    Outage,
    /// A sensor's host reboots: its counters begin at 0 again.
    Reboot,
    /// A sensor's agent restarts: its counters go on, two scrapes are missed.
    Restart,
    /// A sensor is new.
    Birth,
    /// A sensor is gone for good.
    End,
    /// Another instance has the sensor from now on.
    Move,
    /// A country's sources fall silent, on all sensors that tell of countries.
    Shutdown,
}

impl Truth {
    /// Reads `truth.json`.
    ///
    /// # Errors
    /// If it is not there, or is something else.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = || format!("cannot read {}", path.display());
        let file = File::open(path).with_context(failed)?;
        serde_json::from_reader(BufReader::new(file)).with_context(failed)
    }

    /// The column of a service.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<usize> {
        self.services.iter().position(|it| it.name == name)
    }

    /// The row of a sensor.
    #[must_use]
    pub fn sensor(&self, name: &str) -> Option<usize> {
        self.sensors.iter().position(|it| it.name == name)
    }

    /// The whole span.
    #[must_use]
    pub fn span(&self) -> Period {
        Period { name: "span".to_owned(), first: self.arguments.first, end: self.arguments.end }
    }

    /// A sensor's packets by service over a period of whole months: a month, a quarter or the span.
    #[must_use]
    pub fn packets(&self, sensor: usize, period: &Period) -> Vec<u64> {
        let mut sums = vec![0; self.services.len()];
        let months = self.months.iter().zip(&self.sensors[sensor].packets);
        for (_, packets) in months.filter(|(it, _)| period.first <= it.first && it.end <= period.end) {
            for (sum, count) in sums.iter_mut().zip(packets) {
                *sum += count;
            }
        }
        sums
    }

    /// How many days' worth of observation of a sensor a period has.
    #[must_use]
    pub fn observed(&self, sensor: usize, period: &Period) -> f64 {
        let days = self.arguments.first.series(jiff::Span::new().days(1)).zip(&self.sensors[sensor].observed);
        days.filter(|(day, _)| period.first <= *day && *day < period.end).map(|(_, share)| share).sum()
    }

    /// Packets for each observed sensor-day of a period of whole months, over the sensors that `keep` says; nothing
    /// if none was observed.
    #[must_use]
    pub fn per_sensor_day(&self, period: &Period, keep: impl Fn(&Sensor) -> bool) -> Option<f64> {
        let kept = (0..self.sensors.len()).filter(|at| keep(&self.sensors[*at]));
        let (packets, days) = kept.fold((0, 0.0), |(packets, days), at| {
            (packets + self.packets(at, period).iter().sum::<u64>(), days + self.observed(at, period))
        });
        (days > 0.0).then(|| packets as f64 / days)
    }
}
