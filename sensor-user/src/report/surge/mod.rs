//! Surges: traffic of a service on a sensor well above its own baseline, and who else saw it.
//!
//! A cell is a day of a service on a sensor. Its baseline is the last 28 days before it on which the sensor
//! observed for at least nine tenths. Counts vary more than a Poisson distribution says, so what is asked is how
//! likely a negative-binomial distribution with the baseline's median and dispersion, both taken on the high side,
//! makes so many packets or more. A cell counts only if it also has some packets and is some times its baseline.
//! Benjamini and Hochberg's procedure over all cells then keeps the expected part of false findings below the
//! rate that is asked for. Once one sensor's cell is a finding, others that would be one by themselves are counted
//! as having seen it too, so that a near miss does not make a worldwide event look local.

mod baseline;
mod discovery;
mod events;
mod tail;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::model::{Method, Surge, SurgeOnSensor};
use super::service::Service;
use super::tally::WHOLE_DAY;
use baseline::Baseline;
use events::{Day, Event, Sighting};
use verdict::{Region, verdict};

/// The chance below which a sensor is said to have seen what another sensor found.
const NEAR: f64 = 0.001;

/// How surges are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The largest part of the findings that may be false, on average: above 0, below 1.
    pub false_discovery_rate: f64,
    /// Days of a baseline at most.
    pub baseline_days: usize,
    /// Days of a baseline at least; a sensor with fewer is not judged.
    pub least_baseline_days: usize,
    /// Fewer packets in a day are never a surge.
    pub floor: u64,
    /// Less than so many times the baseline is never a surge.
    pub ratio: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { false_discovery_rate: 0.05, baseline_days: 28, least_baseline_days: 7, floor: 100, ratio: 3.0 }
    }
}

/// Looks for surges; sensors come one after the other, in any order.
#[derive(Debug)]
pub struct Detector {
    settings: Settings,
    first: usize,
    dates: Vec<Date>,
    /// Names and regions.
    sensors: Vec<(String, String)>,
    /// For each day, how many sensors of each region were judged.
    judged: Vec<BTreeMap<String, usize>>,
    /// What may be a surge, by service and day.
    candidates: BTreeMap<Service, BTreeMap<usize, Vec<Sighting>>>,
    tested: u64,
}

impl Detector {
    /// Judges the days from the one with the index `first` on; those before it are baseline only.
    #[must_use]
    pub fn new(settings: Settings, first: usize, dates: Vec<Date>) -> Self {
        Self {
            settings,
            first,
            judged: vec![BTreeMap::new(); dates.len()],
            dates,
            sensors: Vec::new(),
            candidates: BTreeMap::new(),
            tested: 0,
        }
    }

    /// Adds a sensor: the part of each day that it observed, and for each service its packets on each day. A day
    /// on which a service had no series brought too few packets for one, and counts as none.
    pub fn sensor(
        &mut self,
        name: &str,
        region: &str,
        observed: &[f64],
        services: &[(Service, Vec<Option<u64>>)],
    ) {
        let number = u32::try_from(self.sensors.len()).unwrap_or(u32::MAX);
        self.sensors.push((name.to_owned(), region.to_owned()));
        let whole = |day: &usize| observed.get(*day).is_some_and(|share| *share >= WHOLE_DAY);
        for day in (self.first..self.dates.len()).filter(whole) {
            let before: Vec<usize> = (0..day).rev().filter(whole).take(self.settings.baseline_days).collect();
            if before.len() < self.settings.least_baseline_days {
                continue;
            }
            *self.judged[day].entry(region.to_owned()).or_default() += 1;
            for (service, days) in services {
                self.tested += 1;
                let packets = |day: usize| days.get(day).copied().flatten().unwrap_or(0);
                if let Some(sighting) =
                    self.settings.judge(number, packets(day), before.iter().map(|&day| packets(day)))
                {
                    let days = self.candidates.entry(service.clone()).or_default();
                    days.entry(day).or_default().push(sighting);
                }
            }
        }
    }

    /// What was found, the latest first, and how.
    #[must_use]
    pub fn finish(self) -> (Vec<Surge>, Method) {
        let Settings { false_discovery_rate, baseline_days, floor, ratio, .. } = self.settings;
        let chances = self.candidates.values().flat_map(BTreeMap::values).flatten().map(|it| it.p).collect();
        let level = discovery::level(chances, self.tested, false_discovery_rate);
        let found =
            |sightings: &[Sighting]| sightings.iter().any(|it| level.is_some_and(|level| it.p <= level));
        let mut surges = Vec::new();
        for (service, days) in &self.candidates {
            let days = days.iter().filter(|(_, sightings)| found(sightings));
            let days = days.map(|(&day, sightings)| Day { day, sightings: sightings.clone() });
            surges.extend(events::merge(service, days).iter().filter_map(|event| self.surge(event)));
        }
        surges.sort_by(|a, b| (b.to, b.from).cmp(&(a.to, a.from)).then_with(|| a.service.cmp(&b.service)));
        (surges, Method { false_discovery_rate, tested: self.tested, baseline_days, floor, ratio })
    }

    fn surge(&self, event: &Event) -> Option<Surge> {
        let peak = event.peak()?;
        let mut regions: BTreeMap<&str, Region> = BTreeMap::new();
        for (region, &judged) in &self.judged[peak.day] {
            regions.entry(region).or_default().judged = judged;
        }
        let mut sensors = Vec::new();
        for sighting in &peak.sightings {
            let (name, region) = self.sensors.get(sighting.sensor as usize)?;
            regions.entry(region).or_default().saw += 1;
            sensors.push(SurgeOnSensor {
                sensor: name.clone(),
                region: region.clone(),
                packets: sighting.packets,
                baseline: sighting.baseline,
                p: sighting.p,
            });
        }
        sensors.sort_by(|a, b| b.packets.cmp(&a.packets).then_with(|| a.sensor.cmp(&b.sensor)));
        Some(Surge {
            service: event.service.clone(),
            from: self.dates[event.days.first()?.day],
            to: self.dates[event.days.last()?.day],
            peak: self.dates[peak.day],
            verdict: verdict(&regions, event.new_to(peak)),
            judged: regions.values().map(|region| region.judged).sum(),
            sensors,
        })
    }
}

impl Settings {
    /// Whether a cell may be a surge.
    fn judge(&self, sensor: u32, packets: u64, before: impl Iterator<Item = u64>) -> Option<Sighting> {
        if packets < self.floor {
            return None;
        }
        let baseline = Baseline::new(&mut before.collect::<Vec<_>>())?;
        if number(packets) < self.ratio * baseline.median {
            return None;
        }
        let p = baseline.chance(packets);
        (p < NEAR).then_some(Sighting { sensor, packets, baseline: baseline.median, p, new: baseline.empty })
    }
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "statistics need no more digits")]
fn number(count: u64) -> f64 {
    count as f64
}
