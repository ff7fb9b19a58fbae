//! Which traffic is a surge, or has fallen: well away from its own baseline, and not by chance.
//!
//! A *cell* is a service on a sensor. Its days are compared with the 28 days before them on which the sensor observed,
//! seven at least; the question is how likely a window of one, three, seven or fourteen days, or a week against four
//! weeks earlier, so far away is if nothing has changed (`track.rs`), where days resemble the day before by what is new
//! on them (`persistence.rs`). Beside cells as they are, what each had apart from the others on the same days is tested,
//! and sums: a service in a region and on the fleet, and all that a sensor, a region and the fleet had. What moves on
//! many sensors a little is seen in a sum only.
//!
//! Nothing is assumed of the noise but that series of like size have it in common: how much each series varies, and by
//! which law, is found from what they themselves show (`pool.rs`, `law.rs`), each level for itself, so that noise
//! which sensors share is in the sums' own. An event must also be large: at least `floor` packets a day, `ratio` times
//! the baseline, and `ratio` times what was reached twice before in it. It lasts until the traffic is back near the
//! baseline that it had at its begin (`scan.rs`). All levels, windows and both directions share one held rate of false
//! events (`discovery.rs`).
//!
//! A service without a series was counted in its sensor's `other`, so a baseline takes as many packets for it as it
//! may have had there: see `unseen.rs`. A port that gets its series at last is not new for that.
//!
//! Who saw an event is asked of all sensors together, once there is one: see `scope.rs`.
//!
//! Numbers of sources, in all and by country, are judged likewise, among themselves: they vary by laws of their own. What
//! they find has a part of the one rate by itself (`sources.rs`).

mod analysis;
mod discovery;
mod law;
mod look;
mod of_one;
mod outcome;
mod persistence;
mod pool;
mod ramp;
mod scan;
mod scope;
mod sources;
mod student;
mod sums;
#[cfg(test)]
mod tests;
mod track;
mod unseen;
mod verdict;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::iter;

use jiff::civil::Date;

use self::analysis::{Analysis, Topic};
use self::sources::SourceDays;
use super::history::{Counts, Observer};
use super::known::Known;
use super::model::{Method, Shift, SourceShift, Surge};

/// What is a surge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The largest part of the events that may be false, on average: 0 to 1.
    pub false_discovery_rate: f64,
    /// Days of a baseline that the sensor must have observed.
    pub least_baseline_days: usize,
    /// The part of a day that a sensor must have observed for the day to be judged, or to be in a baseline.
    pub least_observed: f64,
    /// Fewer packets than this in a day are never a surge.
    pub floor: u64,
    /// Less than this many times the baseline is never a surge.
    pub ratio: f64,
    /// Packets that a service without a series may always have had in a day: `unseen.rs` may find more.
    pub unseen: u64,
}

impl Settings {
    /// Days of a baseline.
    pub const BASELINE_DAYS: usize = track::BASELINE;
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            false_discovery_rate: 0.05,
            least_baseline_days: 7,
            least_observed: 0.9,
            floor: 50,
            ratio: 2.0,
            unseen: 10,
        }
    }
}

/// Finds surges; is shown one sensor after the other, in any order, each once.
#[derive(Debug)]
pub struct Detector {
    settings: Settings,
    first: usize,
    dates: Vec<Date>,
    sensors: Vec<SensorDays>,
    cells: BTreeMap<Topic, Vec<Cell>>,
    sources: SourceDays,
}

/// A sensor.
#[derive(Debug)]
struct SensorDays {
    name: String,
    region: String,
    /// By day.
    observed: Vec<bool>,
    judged: Vec<bool>,
    /// The most packets that a service without a series may have had.
    unseen: Vec<u64>,
}

impl SensorDays {
    /// One that was up on these days: a day is judged if enough of those before it were.
    fn new(
        observer: &Observer,
        up: Vec<bool>,
        unseen: Vec<u64>,
        (settings, first): (&Settings, usize),
    ) -> Self {
        let judged = (0..up.len())
            .map(|day| {
                let window = &up[day.saturating_sub(Settings::BASELINE_DAYS)..day];
                let earlier = window.iter().filter(|up| **up).count();
                day >= first && up[day] && earlier >= settings.least_baseline_days.max(2)
            })
            .collect();
        let Observer { name, region, .. } = observer;
        Self { name: name.clone(), region: region.clone(), observed: up, judged, unseen }
    }
}

/// A service on a sensor.
#[derive(Debug)]
struct Cell {
    sensor: usize,
    counts: Vec<Option<u64>>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// Surges of services, the latest first, then by service.
    pub surges: Vec<Surge>,
    /// Those that one source or one network made, once they were [set apart](Findings::set_apart).
    pub surges_of_one: Vec<Surge>,
    /// Services, sensors and regions that fell, and sensors and regions that rose as a whole; in the same order.
    pub shifts: Vec<Shift>,
    /// Numbers of sources, in all or of a country, that rose or fell; in the same order.
    pub sources: Vec<SourceShift>,
    /// How they were found.
    pub method: Method,
}

impl Detector {
    /// For the days `dates`, of which those from index `first_judged_day` on are judged, and the others only
    /// baseline.
    #[must_use]
    pub fn new(settings: Settings, first_judged_day: usize, dates: Vec<Date>) -> Self {
        Self {
            settings,
            first: first_judged_day,
            dates,
            sensors: Vec::new(),
            cells: BTreeMap::new(),
            sources: SourceDays::default(),
        }
    }

    /// Takes in a sensor, what it counted on each day of `dates`, and what it tells of sources. Days that are missing at the end
    /// were not observed; one that has the packets of more than a day counts as an average day of these.
    pub fn sensor(&mut self, observer: &Observer, counts: &Counts, known: &Known) {
        let days = self.dates.len();
        let parts = &observer.observed;
        let unseen =
            unseen::most(counts, days).into_iter().map(|most| most.max(self.settings.unseen)).collect();
        let up: Vec<bool> = (0..days)
            .map(|day| parts.get(day).is_some_and(|part| *part >= self.settings.least_observed))
            .collect();
        let sensor = self.sensors.len();
        for (service, counts) in &counts.services {
            let mut counts = per_day(counts, parts).into_owned();
            counts.resize(days, None);
            self.cells.entry(Topic::Service(service.clone())).or_default().push(Cell { sensor, counts });
        }
        self.sources.add(observer, known, &up, (&self.settings, self.first));
        self.sensors.push(SensorDays::new(observer, up, unseen, (&self.settings, self.first)));
    }

    /// All that was found, and how.
    #[must_use]
    pub fn finish(self) -> Findings {
        let Self { settings, first, dates, sensors, cells, sources } = self;
        let analysis = Analysis::new(settings, first, dates.len(), sensors, cells);
        let sources = sources.analysis(settings, first, dates.len());
        let [events, of_sources] = analysis::events(&analysis, sources.as_ref());
        let method = Method {
            false_discovery_rate: settings.false_discovery_rate,
            tested: analysis.tested(),
            baseline_days: Settings::BASELINE_DAYS,
            floor: settings.floor,
            ratio: settings.ratio,
        };
        let (surges, shifts) = outcome::outcome(&analysis, &events, &dates);
        let sources = sources.map(|sources| outcome::sources(&sources, &of_sources, &dates));
        let sources = sources.unwrap_or_default();
        Findings { surges, surges_of_one: Vec::new(), shifts, sources, method }
    }
}

/// Counts of days, where a day has the packets of more than one those of an average day of these.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "less than a count, and not below 0"
)]
fn per_day<'a>(counts: &'a [Option<u64>], observed: &[f64]) -> Cow<'a, [Option<u64>]> {
    if observed.iter().all(|days| *days <= 1.0) {
        return counts.into();
    }
    let days = observed.iter().copied().chain(iter::repeat(1.0));
    let average =
        |(count, days): (&Option<u64>, f64)| count.map(|it| (number(it) / days.max(1.0)).round() as u64);
    counts.iter().zip(days).map(average).collect()
}

/// A count as a number to calculate with; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "chances need no more digits than these")]
const fn number(count: u64) -> f64 {
    count as f64
}
