//! What is known of sources.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use super::event::{Level, ShiftKind};
use super::{Previous, Ranked};
use crate::vocabulary::service::Service;
use crate::vocabulary::verdict::SurgeVerdict;

/// What is known of sources; empty where no sensor tells anything of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SourcesReport {
    /// How many sensors tell what.
    pub told: Told,
    /// The part, 0 to 1, of the packets of the days below whose sources were looked at: what numbers of sources rest on.
    /// Below 1 they are lower bounds.
    pub share: Option<f64>,
    /// Distinct sources of a UTC day per sensor, month by month.
    pub monthly: Vec<MeanMonth>,
    /// The services with most sources.
    pub services: Vec<RankedSources>,
    /// The countries with most packets.
    pub countries: Vec<RankedOrigin>,
    /// The autonomous systems with most packets, by their number.
    pub systems: Vec<RankedOrigin>,
    /// SYNs by what made them, most first.
    pub tools: Vec<RankedOrigin>,
    /// SYNs that Mirai or a bot of its kind made, per sensor and day.
    pub mirai: Vec<MeanMonth>,
    /// Distinct sources of such SYNs in a UTC day per sensor, month by month, of the countries with most of them.
    pub mirai_sources: Vec<CountryMonths>,
    /// Known scanners, if any sensor has a list of them.
    pub scanners: Option<Scanners>,
    /// Packets from constituencies, by name.
    pub constituencies: Vec<RankedOrigin>,
    /// Notices of constituencies.
    pub notices: Notices,
    /// Distinct addresses under denial of service in a UTC day per sensor.
    pub victims: Vec<MeanMonth>,
    /// What rose or fell among them, the latest first.
    pub shifts: Vec<SourceShift>,
}

/// Notices that agents began, each one for an address that sent or was attacked and a UTC day: several agents may tell of one address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Notices {
    /// Days of which they are known.
    pub days: usize,
    /// How many, by constituency.
    pub constituencies: BTreeMap<String, u64>,
}

/// How many sensors told what in the period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// All that were there.
    pub sensors: usize,
    /// How many sources they had.
    pub sources: usize,
    /// Their countries.
    pub countries: usize,
    /// Their autonomous systems.
    pub systems: usize,
    /// What made their SYNs.
    pub tools: usize,
    /// Which are known scanners.
    pub scanners: usize,
    /// Which are of constituencies.
    pub constituencies: usize,
}

/// Something per sensor and day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Mean {
    /// Of all days of all sensors. What is distinct in a day is not distinct in such a sum.
    pub sum: u64,
    /// These days.
    pub sensor_days: f64,
    /// The first by the second.
    pub per_sensor_day: f64,
}

/// A calendar month, or the part of it that is in the period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeanMonth {
    /// As `2023-10`.
    pub month: String,
    /// The home region; nothing without one, or if it told nothing.
    pub home: Option<Mean>,
    /// All other regions.
    pub overseas: Option<Mean>,
    /// All sensors.
    pub all: Option<Mean>,
}

impl MeanMonth {
    /// Whether home or overseas is told apart from all.
    #[must_use]
    pub const fn compares(&self) -> bool {
        self.home.is_some() || self.overseas.is_some()
    }
}

/// What a country had, month by month.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CountryMonths {
    /// By its two letters.
    pub country: String,
    /// Of all days of all sensors.
    pub sum: u64,
    /// Per sensor and day, for each month such as `2023-10`; nothing for months of which no sensor tells.
    pub months: Vec<(String, Option<f64>)>,
}

/// A service by its sources.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RankedSources {
    /// 1 is the first.
    pub rank: usize,
    /// What it is about.
    pub service: Service,
    /// Distinct sources of a UTC day, per sensor.
    pub per_sensor_day: f64,
    /// Its rank by packets among all services.
    pub packets_rank: Option<usize>,
    /// Its rank by sources in the previous period, if it was among the first ten.
    pub previous_rank: Option<usize>,
    /// Where it was then.
    pub previous: Previous,
}

/// A country, a tool or the like by its packets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RankedOrigin {
    /// 1 is the first.
    pub rank: usize,
    /// By its label.
    pub name: String,
    /// Whose it is, if it is an autonomous system of which an agent tells that; nothing in what is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Its packets.
    pub packets: u64,
    /// Its part, 0 to 1, of all packets of which it is told.
    pub share: f64,
    /// The same in the previous period; nothing if none is told of then.
    pub previous_share: Option<f64>,
    /// Distinct sources of a UTC day, per sensor, if these are told.
    pub sources_per_sensor_day: Option<f64>,
    /// Its rank in the previous period, if it was among the first ten.
    pub previous_rank: Option<usize>,
    /// Where it was then.
    pub previous: Previous,
}

/// Known scanners.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scanners {
    /// Packets from them.
    pub packets: u64,
    /// Packets whose sources were looked at, of the same sensors and days.
    pub observed: u64,
    /// The first by the second.
    pub share: Option<f64>,
    /// The same in the previous period.
    pub previous_share: Option<f64>,
    /// The organisations with most packets.
    pub top: Vec<RankedOrigin>,
    /// The tops of sensors without them, of those that have a list: about so many packets.
    pub without: Vec<SensorTop>,
}

/// A sensor's first services.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SensorTop {
    /// Its name.
    pub sensor: String,
    /// Its region.
    pub region: String,
    /// The services.
    pub top: Vec<Ranked>,
}

/// Sources that rose or fell well away from their baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceShift {
    /// Which way.
    pub kind: ShiftKind,
    /// The country whose sources did; nothing if it was the sensors' sources in all.
    pub country: Option<String>,
    /// On what level it was found.
    pub level: Level,
    /// Its first day, in UTC.
    pub from: Date,
    /// Its last day, or the last of the period if it continues.
    pub to: Date,
    /// It had not ended by the last day of the period.
    pub continues: bool,
    /// Distinct sources a day during it, added over the sensors concerned.
    pub now: f64,
    /// The same in the four weeks before.
    pub before: f64,
    /// Who saw it.
    pub verdict: SurgeVerdict,
    /// Sensors that reported and could be judged.
    pub judged: usize,
    /// The sensors that saw it, by name.
    pub sensors: Vec<String>,
    /// False events that are expected among all that are as unlikely by chance.
    #[serde(skip)]
    pub cost: f64,
}

impl SourcesReport {
    /// Says whose autonomous systems are, by their numbers, as far as that is known.
    pub fn name_holders(&mut self, holders: &BTreeMap<String, String>) {
        for row in &mut self.systems {
            row.holder = holders.get(&row.name).cloned();
        }
    }

    /// Whether anything at all is told.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        let Told { sources, countries, systems, tools, scanners, constituencies, .. } = self.told;
        sources + countries + systems + tools + scanners + constituencies > 0
    }
}
