//! Surges, and what else rose or fell.

use jiff::civil::Date;
use serde::Serialize;

use crate::vocabulary::service::Service;
use crate::vocabulary::verdict::SurgeVerdict;

/// On what level an event was found, as the least likely by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A sensor.
    Sensor,
    /// The sum of a region.
    Region,
    /// The sum of all sensors.
    Fleet,
}

/// How a surge went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SurgeKind {
    /// It began within days.
    Surge,
    /// It grew from day to day.
    Ramp,
}

/// Traffic of a service well above its baseline, on one day or several in a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Surge {
    /// What it is about.
    pub service: Service,
    /// How it went.
    pub kind: SurgeKind,
    /// Its first day.
    pub from: Date,
    /// Its last day, or the last of the period if it continues.
    pub to: Date,
    /// It had not ended by the last day of the period.
    pub continues: bool,
    /// On what level it was found.
    pub level: Level,
    /// The day on which most sensors saw it; the numbers below are of that day.
    pub peak: Date,
    /// Who saw it.
    pub verdict: SurgeVerdict,
    /// Sensors that reported and could be judged.
    pub judged: usize,
    /// The sensors that saw it, those with most packets first.
    pub sensors: Vec<SurgeOnSensor>,
    /// By whom it was made, where the agents' files by the hour were at hand.
    pub origin: Option<SurgeOrigin>,
    /// Days that [`SurgeOnSensor::around`] has before the begin.
    #[serde(skip)]
    pub lead: usize,
}

/// Who sent the packets of a surge's service, on its days to its sensors, as far as agents looked at their sources.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SurgeOrigin {
    /// Packets whose sources were looked at.
    pub packets: u64,
    /// Hours of sensors of which there is a file.
    pub hours: usize,
    /// Hours of sensors that the surge lasted.
    pub of_hours: usize,
    /// The source that sent the most.
    pub source: Heaviest,
    /// The network that sent the most: a /24, or a /48 of IPv6.
    pub network: Heaviest,
}

/// Who sent the most.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Heaviest {
    /// Its address or prefix; empty in what is published.
    pub name: String,
    /// Its prefix length, as in `/24`; that of an IPv4 address is empty.
    pub length: &'static str,
    /// Its part, 0 to 1, of the packets; too low by a thousandth at most.
    pub share: f64,
    /// Sensors that saw it, three at most.
    #[serde(skip)]
    pub sensors: usize,
}

impl SurgeOrigin {
    /// A surge is one source's or one network's where that sent so much of it.
    pub const MOST: f64 = 0.5;

    /// The source that sent most of it, else the network that did.
    #[must_use]
    pub fn one(&self) -> Option<&Heaviest> {
        [&self.source, &self.network].into_iter().find(|of| of.share >= Self::MOST)
    }
}

impl Surge {
    /// Days around its begin that a figure shows.
    pub const AROUND: usize = 40;

    /// Packets of the sensors that saw it on each of the days around its begin; nothing for days on which none observed.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "for a figure")]
    pub fn days_around(&self) -> Vec<Option<f64>> {
        let length = self.sensors.iter().map(|on| on.around.len()).max().unwrap_or_default();
        let day = |at: usize| {
            let there = self.sensors.iter().filter_map(|on| on.around.get(at).copied().flatten());
            there.map(|packets| packets as f64).reduce(|sum, packets| sum + packets)
        };
        (0..length).map(day).collect()
    }
}

/// The numbers that a surge rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SurgeOnSensor {
    /// The sensor's name.
    pub sensor: String,
    /// Its region.
    pub region: String,
    /// Packets on the day.
    pub packets: u64,
    /// The median of the days before.
    pub baseline: f64,
    /// How likely so many or more are without a surge.
    pub p: f64,
    /// Packets on each of the days around its begin, of which [`Surge::lead`] are before it; nothing for days on which it
    /// did not observe. They are for figures.
    #[serde(skip)]
    pub around: Vec<Option<u64>>,
}

/// Which way a level shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShiftKind {
    /// It fell.
    Fall,
    /// It rose.
    Rise,
}

/// A service that fell well below its baseline; or a sensor, a region or the fleet that fell or rose as a whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shift {
    /// Which way.
    pub kind: ShiftKind,
    /// The service; nothing if all of them did.
    pub service: Option<Service>,
    /// The sensor or region that shifted as a whole, by its name; empty for a service or the fleet.
    pub place: String,
    /// On what level it was found.
    pub level: Level,
    /// Its first day.
    pub from: Date,
    /// Its last day, or the last of the period if it continues.
    pub to: Date,
    /// It had not ended by the last day of the period.
    pub continues: bool,
    /// Packets a day of the sensors concerned during it.
    pub now: f64,
    /// The same in the four weeks before.
    pub before: f64,
    /// Who saw it, if it is a service's.
    pub verdict: Option<SurgeVerdict>,
    /// The sensors concerned, by name.
    pub sensors: Vec<String>,
}
