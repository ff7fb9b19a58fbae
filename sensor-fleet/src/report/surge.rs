//! Which traffic is a surge: well above its own baseline, and not by chance.
//!
//! A *cell* is a day of a service on a sensor. It is compared with the days among the 28 before it on which the
//! sensor observed; with fewer than seven of them, or if the sensor hardly observed on the day itself, it is not
//! judged. The question is how likely so many packets or more would be if nothing had changed. Daily counts vary
//! more than a Poisson distribution has it, so the answer is the tail of a negative-binomial one, whose mean comes
//! from the baseline's median and whose dispersion from its median deviation: earlier surges don't raise either.
//! No baseline is taken to be steadier than its service usually is on all sensors, and the tail is averaged over
//! the uncertainty of both figures, which makes it heavier.
//!
//! A service without a series was counted in its sensor's `other`, so a baseline takes as many packets for it as it
//! may have had there: see `unseen.rs`. A port that gets its series at last is not new for that.
//!
//! A surge must also be large: at least `floor` packets, `ratio` times the median, and `ratio` times what was
//! reached twice before in the baseline. Cells that are not have a chance of 1 and still count as tested; so
//! Benjamini and Hochberg's procedure over all cells holds what it promises, however few of them are looked at
//! closely. (Cells of one day rise together rather than against each other, which the procedure tolerates.) A worm that
//! a thousand sensors see would by its many discoveries make room for false ones elsewhere, each an event of its
//! own to a reader; so the procedure is also held over the days of services, each with the chance by Simes' test
//! that it surged nowhere.
//!
//! Who saw it is asked more gently than whether there is something: on a day on which one sensor made a
//! discovery, those others count too whose own cell is as large and has a chance of at most 0.001, or 0.05
//! divided by the sensors that were judged, if that is less. Otherwise sensors that just missed the level would
//! make a worldwide event look local.

mod baseline;
mod chance;
mod discovery;
mod events;
mod pool;
mod tail;
#[cfg(test)]
mod tests;
mod unseen;
mod verdict;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::iter;

use jiff::civil::Date;

use self::baseline::{Baseline, Earlier};
use self::chance::Usual;
use self::events::{Day, Event, Sighting};
use self::pool::Pool;
use self::verdict::Region;
use super::history::{Counts, Observer};
use super::model::{Method, Surge, SurgeOnSensor};
use crate::vocabulary::service::Service;

/// Baselines that a service must have in its own pool; with fewer, the pool of all services speaks for it.
const LEAST_POOLED: u32 = 10;

/// Cells that are more likely than this by the simplest reckoning are not looked at more closely.
const WORTH_A_LOOK: f64 = 0.001;

/// What is a surge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The largest part of the discoveries that may be false, on average: 0 to 1.
    pub false_discovery_rate: f64,
    /// Days of a baseline.
    pub baseline_days: usize,
    /// Days of these that the sensor must have observed.
    pub least_baseline_days: usize,
    /// The part of a day that a sensor must have observed for the day to be judged, or to be in a baseline.
    pub least_observed: f64,
    /// Fewer packets than this in a day are never a surge.
    pub floor: u64,
    /// Less than this many times the baseline is never a surge.
    pub ratio: f64,
    /// Packets that a service without a series may always have had in a day: `unseen.rs` may find more.
    pub unseen: u64,
    /// On a day with a discovery, sensors whose own cell has a chance of at most this saw it too.
    pub saw_too: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            false_discovery_rate: 0.05,
            baseline_days: 28,
            least_baseline_days: 7,
            least_observed: 0.9,
            floor: 50,
            ratio: 2.0,
            unseen: 10,
            saw_too: 0.001,
        }
    }
}

/// Finds surges; is shown one sensor after the other, in any order, each once.
#[derive(Debug)]
pub struct Detector {
    settings: Settings,
    first: usize,
    dates: Vec<Date>,
    sensors: Vec<Sensor>,
    services: Vec<Service>,
    numbers: HashMap<Service, u32>,
    pools: Vec<Pool>,
    candidates: Vec<Candidate>,
    /// By service and day: the cells that were tested.
    tested: Vec<Vec<u32>>,
    scratch: Scratch,
}

#[derive(Debug)]
struct Sensor {
    name: String,
    region: String,
    /// By day.
    judged: Vec<bool>,
}

/// A cell that may be a discovery.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    service: u32,
    sensor: u32,
    day: usize,
    packets: u64,
    baseline: Baseline,
}

#[derive(Debug, Default)]
struct Scratch {
    earlier: Vec<Earlier>,
    values: Vec<f64>,
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
            services: Vec::new(),
            numbers: HashMap::new(),
            pools: Vec::new(),
            candidates: Vec::new(),
            tested: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Takes in a sensor and what it counted on each day of `dates`. Days that are missing at the end were not
    /// observed; one that has the packets of more than a day counts as an average day of these.
    pub fn sensor(&mut self, observer: &Observer, counts: &Counts) {
        let days = self.dates.len();
        let Observer { name, region, observed } = observer;
        let least = self.settings.unseen;
        let unseen: Vec<f64> =
            unseen::most(counts, days).into_iter().map(|most| number(most.max(least))).collect();
        let up: Vec<bool> = (0..days)
            .map(|day| observed.get(day).is_some_and(|part| *part >= self.settings.least_observed))
            .collect();
        let judged: Vec<bool> = (0..days)
            .map(|day| {
                let window = &up[day.saturating_sub(self.settings.baseline_days)..day];
                let earlier = window.iter().filter(|up| **up).count();
                day >= self.first && up[day] && earlier >= self.settings.least_baseline_days.max(2)
            })
            .collect();
        let sensor = u32::try_from(self.sensors.len()).unwrap_or(u32::MAX);
        for (service, counts) in &counts.services {
            let service = self.number(service);
            let counts = &*per_day(counts, observed);
            self.pool(service, &up, counts);
            for (day, count) in counts.iter().enumerate().take(days) {
                let &Some(packets) = count else { continue };
                if !judged[day] {
                    continue;
                }
                self.tested[service as usize][day] += 1;
                if packets < self.settings.floor {
                    continue;
                }
                if let Some(baseline) = self.look(&up, counts, &unseen, day) {
                    self.candidates.push(Candidate { service, sensor, day, packets, baseline });
                }
            }
        }
        self.sensors.push(Sensor { name: name.clone(), region: region.clone(), judged });
    }

    /// All surges, the latest first, then by service; and how they were found.
    #[must_use]
    pub fn finish(self) -> (Vec<Surge>, Method) {
        let rate = self.settings.false_discovery_rate;
        let tested = self.tested.iter().flatten().copied().map(u64::from).sum();
        let method = Method {
            false_discovery_rate: rate,
            tested,
            baseline_days: self.settings.baseline_days,
            floor: self.settings.floor,
            ratio: self.settings.ratio,
        };
        let chances = self.chances();
        let level = discovery::level(chances.clone(), tested, rate);
        let regions = self.regions();
        let days = level.map(|_| self.days(&chances)).unwrap_or_default();
        let mut surges: Vec<Surge> = level
            .map(|level| self.events(days, &chances, level, &regions))
            .unwrap_or_default()
            .into_iter()
            .filter_map(|event| self.surge(&event, &regions))
            .collect();
        surges.sort_by(|a, b| {
            (b.to, b.from).cmp(&(a.to, a.from)).then_with(|| a.service.cmp(&b.service)).then_with(|| {
                let names = |surge: &Surge| {
                    surge.sensors.iter().map(|sensor| sensor.sensor.clone()).collect::<Vec<_>>()
                };
                names(a).cmp(&names(b))
            })
        });
        (surges, method)
    }

    fn number(&mut self, service: &Service) -> u32 {
        if let Some(number) = self.numbers.get(service) {
            return *number;
        }
        let number = u32::try_from(self.services.len()).unwrap_or(u32::MAX);
        self.services.push(service.clone());
        self.numbers.insert(service.clone(), number);
        self.pools.push(Pool::default());
        self.tested.push(vec![0; self.dates.len()]);
        number
    }

    /// Adds the dispersions of baselines that don't overlap to the service's pool.
    fn pool(&mut self, service: u32, up: &[bool], counts: &[Option<u64>]) {
        for (up, counts) in up
            .chunks(self.settings.baseline_days.max(1))
            .zip(counts.chunks(self.settings.baseline_days.max(1)))
        {
            let values = &mut self.scratch.values;
            values.clear();
            values.extend(
                counts.iter().zip(up).filter(|(_, up)| **up).filter_map(|(count, _)| count.map(number)),
            );
            if values.len() >= self.settings.least_baseline_days.max(2)
                && baseline::median(values) >= baseline::SPARSE
            {
                self.pools[service as usize].add(baseline::dispersion(values));
            }
        }
    }

    /// The baseline of a cell, if the cell may be a discovery.
    fn look(&mut self, up: &[bool], counts: &[Option<u64>], unseen: &[f64], day: usize) -> Option<Baseline> {
        let packets = counts[day]?;
        let Scratch { earlier, values } = &mut self.scratch;
        earlier.clear();
        let first = day.saturating_sub(self.settings.baseline_days);
        let days = (first..day).rev().filter(|at| up[*at]);
        earlier.extend(days.map(|at| Earlier { before: day - at, count: counts[at], unseen: unseen[at] }));
        if !baseline::stands_out(packets, earlier, self.settings.ratio) {
            return None;
        }
        let baseline = Baseline::new(earlier, number(packets) / self.settings.ratio, values);
        (chance::at_least(packets, &baseline) <= self.settings.saw_too.max(WORTH_A_LOOK)).then_some(baseline)
    }

    /// Of each candidate.
    fn chances(&self) -> Vec<f64> {
        let mut all = Pool::default();
        for pool in &self.pools {
            all.add_all(pool);
        }
        let otherwise = Usual { dispersion: all.median(1).unwrap_or(0.0), own: false };
        let of_service = |pool: &Pool| {
            pool.median(LEAST_POOLED).map_or(otherwise, |dispersion| Usual { dispersion, own: true })
        };
        let usual: Vec<Usual> = self.pools.iter().map(of_service).collect();
        self.candidates
            .iter()
            .map(|cell| chance::chance(cell.packets, &cell.baseline, usual[cell.service as usize]))
            .collect()
    }

    /// By day: the regions with sensors that were judged.
    fn regions(&self) -> Vec<BTreeMap<&str, Region>> {
        let mut days = vec![BTreeMap::<&str, Region>::new(); self.dates.len()];
        for sensor in &self.sensors {
            for (day, regions) in days.iter_mut().enumerate() {
                if sensor.judged[day] {
                    regions.entry(&sensor.region).or_default().judged += 1;
                }
            }
        }
        days
    }

    /// The candidates of each service and day on which the service surged somewhere, whichever its cells are:
    /// these days too are held to the rate.
    fn days(&self, chances: &[f64]) -> BTreeMap<(u32, usize), Vec<usize>> {
        let mut days: BTreeMap<(u32, usize), Vec<usize>> = BTreeMap::new();
        for (index, cell) in self.candidates.iter().enumerate() {
            days.entry((cell.service, cell.day)).or_default().push(index);
        }
        let somewhere = |(service, day): (u32, usize), cells: &[usize]| {
            let chances = cells.iter().map(|index| chances[*index]).collect();
            discovery::any(chances, self.tested[service as usize][day])
        };
        let tested = self.tested.iter().flatten().filter(|cells| **cells > 0).count();
        let all = days.iter().map(|(key, cells)| somewhere(*key, cells)).collect();
        let level = discovery::level(all, tested as u64, self.settings.false_discovery_rate);
        days.retain(|key, cells| level.is_some_and(|level| somewhere(*key, cells) <= level));
        days
    }

    fn events(
        &self,
        days: BTreeMap<(u32, usize), Vec<usize>>,
        chances: &[f64],
        level: f64,
        regions: &[BTreeMap<&str, Region>],
    ) -> Vec<Event> {
        let mut seen: BTreeMap<u32, Vec<Day>> = BTreeMap::new();
        for ((service, day), cells) in days {
            if !cells.iter().any(|index| chances[*index] <= level) {
                continue;
            }
            let judged: usize = regions[day].values().map(|region| region.judged).sum();
            let gently = level.max(self.settings.saw_too.min(0.05 / number(judged as u64)));
            let sightings = cells
                .into_iter()
                .filter(|index| chances[*index] <= gently)
                .map(|index| {
                    let cell = &self.candidates[index];
                    Sighting {
                        sensor: cell.sensor,
                        packets: cell.packets,
                        baseline: cell.baseline.shown,
                        p: chances[index],
                        known: cell.baseline.known,
                    }
                })
                .collect();
            seen.entry(service).or_default().push(Day { day, sightings });
        }
        seen.into_iter()
            .flat_map(|(service, days)| events::merge(&self.services[service as usize], days))
            .collect()
    }

    fn surge(&self, event: &Event, regions: &[BTreeMap<&str, Region>]) -> Option<Surge> {
        let (first, last, peak) = (event.days.first()?, event.days.last()?, event.peak()?);
        let mut regions = regions[peak.day].clone();
        let mut sensors = Vec::with_capacity(peak.sightings.len());
        for sighting in &peak.sightings {
            let Sensor { name, region, .. } = &self.sensors[sighting.sensor as usize];
            regions.entry(region).or_default().saw += 1;
            sensors.push(SurgeOnSensor {
                sensor: name.clone(),
                region: region.clone(),
                packets: sighting.packets,
                baseline: sighting.baseline,
                p: sighting.p,
                around: Vec::new(),
            });
        }
        sensors.sort_by(|a, b| b.packets.cmp(&a.packets).then_with(|| a.sensor.cmp(&b.sensor)));
        Some(Surge {
            service: event.service.clone(),
            from: self.dates[first.day],
            to: self.dates[last.day],
            peak: self.dates[peak.day],
            verdict: verdict::verdict(&regions, event.new_to(peak)),
            judged: regions.values().map(|region| region.judged).sum(),
            sensors,
            lead: 0,
        })
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
