//! From the days of sensors to what a report says of them: sums, ranks, averages, coverage.
//!
//! Sensors come one after the other, so that a large fleet's days need never be in memory together. Sums are of
//! whole packets, and averages are over the days on which sensors observed: an outage lowers none.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::Date;

use super::history::{Counts, Observer};
use super::language::Language;
use super::model::{
    Average, Balance, CHANGES, Change, Curve, Gap, Method, Month, Move, Previous, Ranked, Report,
    SensorReport, SourcesReport, TOP, TOP_OF_A_SENSOR, Totals, WHOLE,
};
use super::moves::{Moved, Part, Regions};
use super::period::Plan;
use crate::vocabulary::service::Service;

/// What is added up over sensors.
#[derive(Debug)]
pub struct Tally<'a> {
    plan: &'a Plan,
    home: Option<&'a str>,
    period: Range<usize>,
    previous: Range<usize>,
    /// The part of each day of the period that is over, 0 to 1.
    elapsed: Vec<f64>,
    services: BTreeMap<Service, Sums>,
    regions: BTreeMap<(String, String), Average>,
    /// Sensors that observed on each day of the period, those that did for a part of it in part.
    observers: Vec<f64>,
    totals: Totals,
    /// Sensors that observed in the previous period.
    previous_observers: usize,
    sensors: Vec<SensorReport>,
    moved: Moved,
}

#[derive(Clone, Debug, Default)]
struct Sums {
    now: u64,
    before: u64,
    /// For each day of the period.
    days: Vec<u64>,
}

/// The part of the previous period that its sensors observed on average, 0 to 1; nothing if there were none.
pub type PreviousCoverage = Option<f64>;

impl<'a> Tally<'a> {
    /// For a plan's periods; `now` in Unix seconds, `home` the region that others are compared with.
    #[must_use]
    pub fn new(plan: &'a Plan, home: Option<&'a str>, now: i64) -> Self {
        let (period, previous) = plan.places();
        #[expect(clippy::cast_precision_loss, reason = "a day's seconds")]
        let elapsed = |day| {
            let (start, end) = plan.days.span(day);
            (end.min(now) - start) as f64 / (end - start) as f64
        };
        Self {
            plan,
            home,
            elapsed: period.clone().map(elapsed).collect(),
            observers: vec![0.0; period.len()],
            period,
            previous,
            services: BTreeMap::new(),
            regions: BTreeMap::new(),
            totals: Totals::default(),
            previous_observers: 0,
            sensors: Vec::new(),
            moved: Moved::new(),
        }
    }

    /// With the regions of sensors that moved; the others are where their observers say.
    #[must_use]
    pub fn with_moved(self, moved: Moved) -> Self {
        Self { moved, ..self }
    }

    /// Days of the plan that are in the period.
    #[must_use]
    pub fn period(&self) -> Range<usize> {
        self.period.clone()
    }

    /// Adds a sensor, of at most 2^53 packets. Sums that get too large stay at the largest number.
    pub fn add(&mut self, observer: &Observer, counts: &Counts) {
        let (now, before) = (self.period.clone(), self.previous.clone());
        let packets: u64 = counts.all[now.clone()].iter().sum();
        let previous_packets: u64 = counts.all[before.clone()].iter().sum();
        let previous_days: f64 = observer.observed[before.clone()].iter().sum();
        self.totals.packets = self.totals.packets.saturating_add(packets);
        let unranked = counts.unranked[now.clone()].iter().sum();
        self.totals.unranked = self.totals.unranked.saturating_add(unranked);
        self.totals.previous_packets = self.totals.previous_packets.saturating_add(previous_packets);
        self.totals.previous_sensor_days += previous_days;
        self.previous_observers += usize::from(previous_days > 0.0);
        let mut of_sensor = Vec::new();
        let mut of_sensor_before = Vec::new();
        for (service, days) in &counts.services {
            let sum = |range: Range<usize>| days[range].iter().flatten().sum::<u64>();
            let (packets, packets_before) = (sum(now.clone()), sum(before.clone()));
            of_sensor.push((service, packets));
            of_sensor_before.push((service, packets_before));
            let sums = self.services.entry(service.clone()).or_default();
            sums.now = sums.now.saturating_add(packets);
            sums.before = sums.before.saturating_add(packets_before);
            sums.days.resize(now.len(), 0);
            for (total, day) in sums.days.iter_mut().zip(&days[now.clone()]) {
                *total = total.saturating_add(day.unwrap_or(0));
            }
        }
        self.add_months(observer, counts);
        let shares = &observer.observed[now];
        for (sum, share) in self.observers.iter_mut().zip(shares) {
            *sum += share;
        }
        let observed_days: f64 = shares.iter().sum();
        // One that fell silent before the period is missed in it; one that did so before the previous is long gone.
        if observed_days + previous_days == 0.0 && packets + previous_packets == 0 {
            return;
        }
        self.sensors.push(SensorReport {
            name: observer.name.clone(),
            region: observer.region.clone(),
            moves: self.moves(&observer.name),
            packets,
            observed_days,
            coverage: (observed_days / self.elapsed.iter().sum::<f64>()).min(1.0),
            gaps: self.gaps(shares),
            top: ranking(of_sensor, of_sensor_before, packets, TOP_OF_A_SENSOR),
        });
    }

    fn add_months(&mut self, observer: &Observer, counts: &Counts) {
        for day in self.period.clone() {
            let month = month(self.plan.days.dates[day]);
            let (packets, share) = (counts.all[day], observer.observed[day]);
            let parts = match self.moved.get(&observer.name) {
                Some(regions) => regions.parts(day, packets, share),
                None => vec![Part { region: &observer.region, packets, observed: share }],
            };
            for Part { region, packets, observed } in parts {
                let average = self.regions.entry((month.clone(), region.to_owned())).or_default();
                average.packets = average.packets.saturating_add(packets);
                average.sensor_days += observed;
            }
        }
    }

    fn moves(&self, sensor: &str) -> Vec<Move> {
        let moves = |regions: &Regions| regions.moves(self.period.clone(), &self.plan.days.dates);
        self.moved.get(sensor).map(moves).unwrap_or_default()
    }

    fn gaps(&self, observed: &[f64]) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        let days = observed.iter().zip(&self.elapsed).zip(&self.plan.days.dates[self.period.clone()]);
        for ((share, elapsed), &date) in days {
            if *share >= WHOLE * elapsed {
                continue;
            }
            match gaps.last_mut() {
                Some(gap) if gap.to.tomorrow().ok() == Some(date) => gap.to = date,
                _ => gaps.push(Gap { from: date, to: date }),
            }
        }
        gaps
    }

    /// What a report says of all, but for surges and notes, and how much there was to compare with.
    #[must_use]
    pub fn finish(mut self) -> (Report, PreviousCoverage) {
        self.totals.sensor_days = self.observers.iter().sum();
        let now = self.services.iter().map(|(service, sums)| (service, sums.now)).collect();
        let before = self.services.iter().map(|(service, sums)| (service, sums.before)).collect();
        let top = ranking(now, before, self.totals.packets, TOP);
        let curves = top.iter().map(|ranked| self.curve(&ranked.service)).collect();
        let [rose, fell, new] = self.changes();
        let home = self.home;
        self.sensors.sort_by(|a, b| order(home, &a.region, &a.name).cmp(&order(home, &b.region, &b.name)));
        let coverage = self.previous_coverage();
        let report = Report {
            language: Language::default(),
            period: self.plan.period.clone(),
            previous: self.plan.previous.clone(),
            home: home.map(str::to_owned),
            totals: self.totals,
            top,
            balance: Balance::default(),
            curves,
            monthly: self.monthly(),
            sensors: self.sensors,
            rose,
            fell,
            new,
            surges: Vec::new(),
            surges_of_one: Vec::new(),
            shifts: Vec::new(),
            sources: SourcesReport::default(),
            method: Method::default(),
            notes: Vec::new(),
            publication: None,
        };
        (report, coverage)
    }

    #[expect(clippy::cast_precision_loss, reason = "no fleet has 2^52 sensor-days")]
    fn previous_coverage(&self) -> PreviousCoverage {
        let days = self.previous.len() * self.previous_observers;
        (days > 0).then(|| self.totals.previous_sensor_days / days as f64)
    }

    fn curve(&self, service: &Service) -> Curve {
        let days = self.services.get(service).map_or(&[][..], |sums| &sums.days);
        let days = days.iter().zip(&self.observers).map(|(packets, observers)| per(*packets, *observers));
        Curve { service: service.clone(), days: days.collect() }
    }

    /// What rose, fell and is new.
    fn changes(&self) -> [Vec<Change>; 3] {
        let sums = self.services.iter().map(|(service, sums)| (service, sums.now, sums.before));
        changes(sums, self.totals)
    }

    fn monthly(&self) -> Vec<Month> {
        let mut months: BTreeMap<&String, Month> = BTreeMap::new();
        for ((month, region), average) in &self.regions {
            let entry = months.entry(month).or_insert_with(|| Month {
                month: month.clone(),
                home: None,
                overseas: None,
                all: None,
                regions: BTreeMap::new(),
            });
            let add = |to: &mut Option<Average>| {
                let sum = to.get_or_insert_default();
                sum.packets = sum.packets.saturating_add(average.packets);
                sum.sensor_days += average.sensor_days;
            };
            add(&mut entry.all);
            match self.home {
                Some(home) if home == region => add(&mut entry.home),
                Some(_) => add(&mut entry.overseas),
                None => (),
            }
            entry.regions.insert(region.clone(), *average);
        }
        let mut months: Vec<Month> = months.into_values().collect();
        for month in &mut months {
            for average in [&mut month.home, &mut month.overseas, &mut month.all] {
                *average = average.and_then(averaged);
            }
            month.regions = std::mem::take(&mut month.regions)
                .into_iter()
                .filter_map(|(region, average)| Some((region, averaged(average)?)))
                .collect();
        }
        months
    }
}

/// Nothing if no sensor observed.
fn averaged(average: Average) -> Option<Average> {
    let per_sensor_day = per(average.packets, average.sensor_days)?;
    Some(Average { per_sensor_day, ..average })
}

#[expect(clippy::cast_precision_loss, reason = "an average")]
pub(super) fn per(packets: u64, sensor_days: f64) -> Option<f64> {
    (sensor_days > 0.0).then(|| packets as f64 / sensor_days)
}

/// By which sensors are listed: those of the home region first, then by region, then by name.
pub(super) fn order<'a>(home: Option<&str>, region: &'a str, name: &'a str) -> (bool, &'a str, &'a str) {
    (home.is_some_and(|home| region != home), region, name)
}

/// A month's key, as `2023-10`.
pub(super) fn month(day: Date) -> String {
    format!("{:04}-{:02}", day.year(), day.month())
}

/// What rose, fell and is new, of packets now and before.
pub(super) fn changes<'a>(
    services: impl Iterator<Item = (&'a Service, u64, u64)>,
    totals: Totals,
) -> [Vec<Change>; 3] {
    // Without a previous period everything would be new.
    if totals.previous_sensor_days == 0.0 {
        return Default::default();
    }
    let change = |(service, now, before): (&Service, u64, u64)| Change {
        service: service.clone(),
        now: per(now, totals.sensor_days).unwrap_or(0.0),
        before: per(before, totals.previous_sensor_days).unwrap_or(0.0),
    };
    let changes: Vec<Change> = services.map(change).collect();
    let largest = |difference: &dyn Fn(&Change) -> f64| {
        let mut changes: Vec<_> = changes.iter().filter(|change| difference(change) > 0.0).collect();
        // The services are in order, and the sort keeps the order of equals.
        changes.sort_by(|a, b| difference(b).total_cmp(&difference(a)));
        changes.into_iter().take(CHANGES).cloned().collect::<Vec<_>>()
    };
    let old = |change: &Change| change.before > 0.0;
    [
        largest(&|change| if old(change) { change.now - change.before } else { 0.0 }),
        largest(&|change| change.before - change.now),
        largest(&|change| if old(change) { 0.0 } else { change.now }),
    ]
}

/// The first services of a period, with the ranks that they had in the one before.
#[expect(clippy::cast_precision_loss, reason = "a share")]
pub(super) fn ranking(
    now: Vec<(&Service, u64)>,
    before: Vec<(&Service, u64)>,
    all: u64,
    length: usize,
) -> Vec<Ranked> {
    let before = ranked(before);
    let rows = ranked(now).into_iter().take(length).enumerate();
    rows.map(|(at, (service, packets))| {
        let place = before.iter().position(|(before, _)| *before == service).map(|at| at + 1);
        let previous_rank = place.filter(|rank| *rank <= TOP_OF_A_SENSOR);
        Ranked {
            rank: at + 1,
            service: service.clone(),
            packets,
            share: packets as f64 / all as f64,
            previous_rank,
            previous: match (place, previous_rank) {
                (_, Some(_)) => Previous::Ranked,
                (Some(_), None) => Previous::OutsideTop10,
                (None, None) => Previous::Nothing,
            },
        }
    })
    .collect()
}

/// By packets, most first; ties by protocol, then by port.
fn ranked(mut services: Vec<(&Service, u64)>) -> Vec<(&Service, u64)> {
    services.retain(|(_, packets)| *packets > 0);
    services.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    services
}

#[cfg(test)]
mod tests;
