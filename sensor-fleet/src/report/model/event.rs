//! Surges, and what else rose or fell.

use std::cmp::Ordering;

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
    /// By whom it was made, where the agents' files by the hour were at hand; nothing in what is published.
    pub origin: Option<SurgeOrigin>,
    /// Days that [`SurgeOnSensor::around`] has before the begin.
    #[serde(skip)]
    pub lead: usize,
    /// False events that are expected among all that are as unlikely by chance.
    #[serde(skip)]
    pub cost: f64,
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
    /// Who made the surge, if one source or one network did.
    pub one: Option<Maker>,
    /// The source that sent the most of all packets.
    pub source: Option<Heaviest>,
    /// The network that did, a /24, or a /48 of IPv6.
    pub network: Option<Heaviest>,
}

/// One source or network that made a surge: on most of the sensors that saw it, [`SurgeOrigin::MOST`] of the packets were
/// its own. A source that is loud on one sensor makes none that many see.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Maker {
    /// Its address or prefix.
    pub name: String,
    /// Its prefix length, as in `/24`; that of an IPv4 address is empty.
    pub length: &'static str,
    /// Its part, 0 to 1, of a sensor's packets: so much or more of it on each of most sensors.
    pub share: f64,
    /// Sensors on which most was its own.
    pub sensors: usize,
}

/// Who sent the most.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Heaviest {
    /// Its address or prefix.
    pub name: String,
    /// Its prefix length, as in `/24`; that of an IPv4 address is empty.
    pub length: &'static str,
    /// Its part, 0 to 1, of the packets; too low by a thousandth at most.
    pub share: f64,
}

impl SurgeOrigin {
    /// Who sent so much of a sensor's packets made what it saw.
    pub const MOST: f64 = 0.5;

    /// The source that sent most of all packets, else the network that did; on how many sensors ever.
    #[must_use]
    pub fn loudest(&self) -> Option<&Heaviest> {
        [&self.source, &self.network].into_iter().flatten().find(|of| of.share >= Self::MOST)
    }

    /// Whether so few hours have a file that more may lack than had no packets at all: more than one in ten.
    #[must_use]
    pub const fn is_thin(&self) -> bool {
        !enough(self.hours, self.of_hours)
    }
}

/// Whether files of so many hours tell of all these.
#[must_use]
pub const fn enough(hours: usize, of: usize) -> bool {
    hours * 10 >= of * 9
}

impl Surge {
    /// Days around its begin that a figure shows.
    pub const AROUND: usize = 40;

    /// The order of lists: the latest first, then by service.
    #[must_use]
    pub fn latest_first(a: &Self, b: &Self) -> Ordering {
        (b.to, b.from).cmp(&(a.to, a.from)).then_with(|| a.service.cmp(&b.service))
    }

    /// Who made it, if one source or one network did.
    #[must_use]
    pub fn maker(&self) -> Option<&Maker> {
        self.origin.as_ref()?.one.as_ref()
    }

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
    /// False events that are expected among all that are as unlikely by chance.
    #[serde(skip)]
    pub cost: f64,
}
