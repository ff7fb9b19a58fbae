//! What a report says, before it is written in any form.
//!
//! Everything here is computed once, from whole packets; the page, the tables and the figures only show it. All
//! numbers of packets are exact below 2^53.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

mod event;
mod sources;

pub use self::event::{
    Heaviest, Level, Maker, Shift, ShiftKind, Surge, SurgeKind, SurgeOnSensor, SurgeOrigin, enough,
};
pub use self::sources::{
    CountryMonths, Mean, MeanMonth, Notices, RankedOrigin, RankedSources, Scanners, SensorTop, SourceShift,
    SourcesReport, Told,
};
use super::language::Language;
pub use super::spread::balance::{Alone, Balance, Balanced, Medians};
use crate::vocabulary::service::Service;

/// Rows of the ranking over all sensors.
pub const TOP: usize = 5;
/// Columns of a sensor's ranking; a service that ranked lower in the previous period is "outside top 10".
pub const TOP_OF_A_SENSOR: usize = 10;

/// Rows of each list of changes: more than a person reads, and few enough for a fleet that exports every port.
pub const CHANGES: usize = 1_000;

/// The part of a day or of a period that a sensor must have observed to be taken for one that missed nothing.
pub const WHOLE: f64 = 0.9;

/// A report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What its sentences are written in.
    pub language: Language,
    /// What it covers.
    pub period: Period,
    /// What it compares with: as many days right before, or the calendar period before.
    pub previous: Period,
    /// The region that the others are compared with, if one was named.
    pub home: Option<String>,
    /// All packets.
    pub totals: Totals,
    /// The [`TOP`] services over all sensors.
    pub top: Vec<Ranked>,
    /// How packets spread over sensors: the sensor in the middle, and the mean of shares.
    pub balance: Balance,
    /// How these went, in the same order.
    pub curves: Vec<Curve>,
    /// Every sensor that was seen in the period or in the previous one, those of the home region first, then by region and name.
    pub sensors: Vec<SensorReport>,
    /// Averages month by month.
    pub monthly: Vec<Month>,
    /// What rose most against the previous period, in packets per sensor and day; like the next two, the first
    /// [`CHANGES`] at most.
    pub rose: Vec<Change>,
    /// What fell most.
    pub fell: Vec<Change>,
    /// Services that had no packet in the previous period.
    pub new: Vec<Change>,
    /// Where traffic went well above its own baseline, the latest first.
    pub surges: Vec<Surge>,
    /// Those that one source or one network made, as far as the agents' files tell, likewise: they are among no others. What is
    /// published has none.
    pub surges_of_one: Vec<Surge>,
    /// What fell well below its baseline, and which sensors and regions changed as a whole, the latest first.
    pub shifts: Vec<Shift>,
    /// What is known of sources.
    pub sources: SourcesReport,
    /// How surges were found.
    pub method: Method,
    /// What was missing, and what else a reader must know; sentences.
    pub notes: Vec<String>,
    /// What was withheld, if this may leave the house; nothing in a report for the house.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publication: Option<Publication>,
}

/// What a report that may leave the house withholds: see [`publish`](super::publish).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Publication {
    /// Counts below this are withheld: they are 0 here, shown as `<10`, or their row is left out.
    pub threshold: u64,
    /// All other numbers are rounded to as many significant digits.
    pub digits: u8,
    /// What fewer sensors saw is withheld; of each number, no sensor counts for more than the third.
    pub sensors: usize,
}

/// Some whole days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// What it is called: `2023Q4`, or `2023-10-01 to 2023-10-15`.
    pub name: String,
    /// Its first day.
    pub from: Date,
    /// Its last day.
    pub to: Date,
    /// The time zone whose midnights divide its days, by its IANA name or offset.
    pub zone: String,
}

impl Period {
    /// How many days it has.
    #[must_use]
    pub fn days(&self) -> usize {
        let between = self.from.until(self.to).map_or(0, |span| span.get_days());
        usize::try_from(between).unwrap_or(0) + 1
    }
}

/// Sums over all sensors and the whole period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// All that was counted.
    pub packets: u64,
    /// Of these, to ports without a series of their own: they cannot be ranked.
    pub unranked: u64,
    /// All that was counted in the previous period.
    pub previous_packets: u64,
    /// Days on which sensors observed, added over sensors.
    pub sensor_days: f64,
    /// The same of the previous period.
    pub previous_sensor_days: f64,
}

/// A row of a ranking.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// 1 is the first.
    pub rank: usize,
    /// What it is about.
    pub service: Service,
    /// Its packets.
    pub packets: u64,
    /// Its part of all packets, 0 to 1.
    pub share: f64,
    /// Its rank in the previous period, if it was among the first [`TOP_OF_A_SENSOR`].
    pub previous_rank: Option<usize>,
    /// Where it was then.
    pub previous: Previous,
}

/// Where a service was in the previous period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Previous {
    /// Among the first [`TOP_OF_A_SENSOR`].
    Ranked,
    /// It had packets, and was not among them.
    OutsideTop10,
    /// It had no packets.
    Nothing,
}

impl Previous {
    /// How it is written in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ranked => "ranked",
            Self::OutsideTop10 => "outside-top10",
            Self::Nothing => "nothing",
        }
    }
}

/// A service from day to day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// What it is about.
    pub service: Service,
    /// Packets per sensor for each day of the period; nothing for days on which no sensor observed.
    pub days: Vec<Option<f64>>,
}

/// A sensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SensorReport {
    /// Its name.
    pub name: String,
    /// The region that it was last in, empty if it has none. Its days count for where it was on each.
    pub region: String,
    /// Its moves from one region to another within the period.
    pub moves: Vec<Move>,
    /// All its packets.
    pub packets: u64,
    /// Days that it observed.
    pub observed_days: f64,
    /// These as a part of the period, 0 to 1.
    pub coverage: f64,
    /// Runs of days on which it observed for less than nine tenths.
    pub gaps: Vec<Gap>,
    /// Its first [`TOP_OF_A_SENSOR`] services.
    pub top: Vec<Ranked>,
}

impl Report {
    /// How many sensors were there in the period at all.
    #[must_use]
    pub fn observing(&self) -> usize {
        self.sensors.iter().filter(|sensor| sensor.observed()).count()
    }

    /// Whether it has something of the home region to compare with others.
    #[must_use]
    pub fn compares(&self) -> bool {
        let there = |month: &Month| month.home.is_some() || month.overseas.is_some();
        self.home.is_some() && (self.monthly.is_empty() || self.monthly.iter().any(there))
    }
}

impl SensorReport {
    /// Whether it was there in the period at all.
    #[must_use]
    pub fn observed(&self) -> bool {
        self.observed_days > 0.0 || self.packets > 0
    }
}

/// A sensor's move to another region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// The first day that it was there for most of.
    pub day: Date,
    /// Where it was before.
    pub from: String,
    /// Where it was then.
    pub to: String,
}

/// Days on which a sensor observed little or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The first.
    pub from: Date,
    /// The last.
    pub to: Date,
}

/// A calendar month, or the part of it that is in the period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Month {
    /// As `2023-10`.
    pub month: String,
    /// The home region; nothing without one, or if it observed nothing.
    pub home: Option<Average>,
    /// All other regions.
    pub overseas: Option<Average>,
    /// All sensors.
    pub all: Option<Average>,
    /// Each region.
    pub regions: BTreeMap<String, Average>,
}

/// Packets per sensor and day, over the days on which sensors observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Average {
    /// Packets.
    pub packets: u64,
    /// Days, added over sensors.
    pub sensor_days: f64,
    /// The first by the second.
    pub per_sensor_day: f64,
}

/// How a service changed from the previous period to this one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// What it is about.
    pub service: Service,
    /// Packets per sensor and day.
    pub now: f64,
    /// The same in the previous period.
    pub before: f64,
}

/// How surges were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Method {
    /// The largest part of the findings that may be false, on average.
    pub false_discovery_rate: f64,
    /// Cells that were tested: a day of a service on a sensor each. 0 where a published report does not say it.
    pub tested: u64,
    /// Days of a baseline.
    pub baseline_days: usize,
    /// Fewer packets than this in a day are never a surge.
    pub floor: u64,
    /// Less than this many times the baseline is never a surge.
    pub ratio: f64,
}
