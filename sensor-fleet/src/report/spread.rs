//! How packets spread over sensors: what several have in common, and what one alone makes of a sum.
//!
//! Sums are the sum of all sensors, loud ones included. Beside them stands what a sensor in the middle had, and which
//! part of a sensor's packets a service is on average. And what may be [published](super::publish) rests on three
//! sensors at least: of each number, those of the first two count no more than that of the third.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::history::{Counts, Observer};
use super::moves::Moved;
use super::period::Plan;
use super::tally::month;
use crate::vocabulary::service::Service;

pub mod balance;

/// Sensors that must stand behind a number before it is published.
pub const SENSORS: usize = 3;

/// A sum over sensors, of which the largest numbers are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backed {
    sum: u64,
    /// The largest first.
    most: [u64; SENSORS],
}

impl Backed {
    /// Adds a sensor's number, or several sensors' that are in no other sum.
    pub(super) fn add(&mut self, packets: u64) {
        self.sum = self.sum.saturating_add(packets);
        let mut packets = packets;
        for place in &mut self.most {
            if packets > *place {
                std::mem::swap(place, &mut packets);
            }
        }
    }

    /// Both together: sums over other sensors.
    fn with(self, other: Self) -> Self {
        let mut both = self;
        other.most.into_iter().for_each(|packets| both.add(packets));
        Self { sum: self.sum.saturating_add(other.sum), ..both }
    }

    /// The most that a sensor counts for: what the third had.
    pub(super) const fn cap(self) -> u64 {
        self.most[SENSORS - 1]
    }

    /// The whole sum.
    #[must_use]
    pub const fn all(self) -> u64 {
        self.sum
    }

    /// The sum if no sensor counts for more than the third: 0 if there is none.
    #[must_use]
    pub fn backed(self) -> u64 {
        let cap = self.cap();
        self.most.iter().fold(self.sum, |sum, packets| sum.saturating_sub(packets - cap))
    }
}

/// What is known of a sensor.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) name: String,
    /// All its packets in the period.
    pub(super) packets: u64,
    /// Days that it observed in the period.
    pub(super) days: f64,
    /// Packets and observed days by month and region.
    months: BTreeMap<(usize, usize), (u64, f64)>,
}

/// What a sensor had of a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// By its place in the list of sensors.
    pub(super) sensor: usize,
    pub(super) now: u64,
    pub(super) before: u64,
}

/// What all sensors had of a service.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// Of the sensors that had any, in the order of the sensors.
    pub(super) cells: Vec<Cell>,
    /// By day of the plan; nothing if days are not wanted.
    pub(super) days: Vec<Backed>,
    /// By month and region, of sensors that were in one region all the time.
    months: BTreeMap<(usize, usize), Backed>,
    /// Likewise, of each of the others: it is one sensor in several regions.
    moved: Vec<BTreeMap<(usize, usize), u64>>,
}

/// What each sensor had.
#[derive(Clone, Debug)]
pub struct Spread {
    period: Range<usize>,
    previous: Range<usize>,
    /// The month of each day of the period, from 0.
    month_of: Vec<usize>,
    months: Vec<String>,
    regions: Vec<String>,
    /// Sensors that observed on each day of the period, those that did for a part of it in part.
    pub(super) observers: Vec<f64>,
    pub(super) sensors: Vec<Place>,
    pub(super) services: BTreeMap<Service, Row>,
    /// Packets to ports without a series, by day of the plan; nothing if days are not wanted.
    unranked: Vec<Backed>,
    moved: Moved,
}

impl Spread {
    /// For a plan's periods; with each day if it is to be [published](super::publish).
    #[must_use]
    pub fn new(plan: &Plan, publish: bool) -> Self {
        let dates = &plan.days.dates;
        let (period, previous) = plan.places();
        let names: Vec<String> = dates[period.clone()].iter().copied().map(month).collect();
        let months: Vec<String> = names.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let month_of = names.iter().map(|name| months.binary_search(name).unwrap_or_default()).collect();
        Self {
            observers: vec![0.0; period.len()],
            period,
            previous,
            month_of,
            months,
            regions: Vec::new(),
            sensors: Vec::new(),
            services: BTreeMap::new(),
            moved: Moved::new(),
            unranked: if publish { vec![Backed::default(); dates.len()] } else { Vec::new() },
        }
    }

    /// With the regions of sensors that moved; the others are where their observers say.
    #[must_use]
    pub fn with_moved(self, moved: Moved) -> Self {
        Self { moved, ..self }
    }

    /// The days of the period.
    pub(super) fn period(&self) -> Range<usize> {
        self.period.clone()
    }

    /// Adds a sensor.
    pub fn add(&mut self, observer: &Observer, counts: &Counts) {
        let sensor = self.sensors.len();
        let here = self.region(&observer.region);
        // A day counts for the region that the sensor was in for most of it.
        let of_days: Vec<usize> = match self.moved.get(&observer.name).cloned() {
            Some(regions) => self.period.clone().map(|day| self.region(regions.on(day))).collect(),
            None => vec![here; self.period.len()],
        };
        let has_moved = of_days.iter().any(|region| Some(region) != of_days.first());
        let now = self.period.clone();
        let mut months = BTreeMap::<(usize, usize), (u64, f64)>::new();
        let mut all = 0_u64;
        let places = self.month_of.iter().copied().zip(of_days.iter().copied());
        for ((day, place), observers) in now.clone().zip(places).zip(&mut self.observers) {
            let (packets, days) = months.entry(place).or_default();
            *packets = packets.saturating_add(counts.all[day]);
            *days += observer.observed[day];
            *observers += observer.observed[day];
            all = all.saturating_add(counts.all[day]);
        }
        for (service, days) in &counts.services {
            let sum =
                |range: Range<usize>| days[range].iter().flatten().fold(0, |a: u64, b| a.saturating_add(*b));
            let (packets, before) = (sum(now.clone()), sum(self.previous.clone()));
            // What was there in a baseline only counts for days.
            if days.iter().flatten().all(|packets| *packets == 0) {
                continue;
            }
            let row = self.services.entry(service.clone()).or_default();
            row.cells.push(Cell { sensor, now: packets, before });
            row.days.resize(self.unranked.len(), Backed::default());
            for (sum, packets) in row.days.iter_mut().zip(days) {
                sum.add(packets.unwrap_or(0));
            }
            let mut by_month = BTreeMap::<(usize, usize), u64>::new();
            for ((packets, month), region) in days[now.clone()].iter().zip(&self.month_of).zip(&of_days) {
                let sum = by_month.entry((*month, *region)).or_default();
                *sum = sum.saturating_add(packets.unwrap_or(0));
            }
            by_month.retain(|_, packets| *packets > 0);
            if has_moved {
                row.moved.push(by_month);
            } else {
                for (of, packets) in by_month {
                    row.months.entry(of).or_default().add(packets);
                }
            }
        }
        for (sum, packets) in self.unranked.iter_mut().zip(&counts.unranked) {
            sum.add(*packets);
        }
        self.sensors.push(Place {
            name: observer.name.clone(),
            packets: all,
            days: observer.observed[now].iter().sum(),
            months,
        });
    }

    /// A region's number.
    fn region(&mut self, name: &str) -> usize {
        self.regions.iter().position(|region| region == name).unwrap_or_else(|| {
            self.regions.push(name.to_owned());
            self.regions.len() - 1
        })
    }

    /// What a sensor counted, with no more of a service on a day than the third sensor had. Services that three sensors
    /// never had on the same day are not in it.
    #[must_use]
    pub fn capped(&self, counts: Counts) -> Counts {
        let cap = |of: Option<&Backed>| of.map_or(0, |sum| sum.cap());
        let services = counts.services.into_iter().filter_map(|(service, mut days)| {
            let sums = &self.services.get(&service)?.days;
            if sums.iter().all(|sum| sum.cap() == 0) {
                return None;
            }
            for (day, packets) in days.iter_mut().enumerate() {
                *packets = packets.map(|packets| packets.min(cap(sums.get(day))));
            }
            Some((service, days))
        });
        let services: Vec<(Service, Vec<Option<u64>>)> = services.collect();
        let unranked = counts.unranked.iter().enumerate();
        let unranked: Vec<u64> =
            unranked.map(|(day, packets)| (*packets).min(cap(self.unranked.get(day)))).collect();
        let of = |day: usize| services.iter().filter_map(move |(_, days)| days.get(day).copied().flatten());
        let all = unranked.iter().enumerate();
        let all = all.map(|(day, packets)| of(day).fold(*packets, u64::saturating_add)).collect();
        Counts { services, all, unranked }
    }

    /// Packets of a month, as `2023-10`, in some regions together, if no sensor counts for more than the third does
    /// with a service.
    pub(super) fn backed_in(&self, month: &str, of: impl Fn(&str) -> bool) -> u64 {
        let month = self.months.iter().position(|name| name == month);
        let is_there =
            |(at, region): &(usize, usize)| Some(*at) == month && of(self.regions[*region].as_str());
        let sums = self.services.values().map(|row| {
            let there = row.months.iter().filter(|(place, _)| is_there(place));
            let mut sum = there.fold(Backed::default(), |sum, (_, backed)| sum.with(*backed));
            for moved in &row.moved {
                let there = moved.iter().filter(|(place, _)| is_there(place));
                sum.add(there.fold(0, |sum, (_, packets)| sum.saturating_add(*packets)));
            }
            sum.backed()
        });
        sums.fold(0, u64::saturating_add)
    }

    /// Packets and observed days of each sensor that observed in some regions in a month, as `2023-10`, by its place in
    /// the list of sensors.
    pub(super) fn there(&self, month: &str, of: impl Fn(&str) -> bool) -> BTreeMap<usize, (u64, f64)> {
        let month = self.months.iter().position(|name| name == month);
        let sum = |place: &Place| {
            let there = place.months.iter();
            let there = there.filter(|((at, region), _)| Some(*at) == month && of(&self.regions[*region]));
            there.fold((0_u64, 0.0), |(sum, all), (_, (packets, days))| {
                (sum.saturating_add(*packets), all + days)
            })
        };
        let sums = self.sensors.iter().map(sum).enumerate();
        sums.filter(|(_, (_, days))| *days > 0.0).collect()
    }

    /// The same, with no sensor counting for more than the third with each service.
    pub(super) fn backed(&self) -> Self {
        let mut spread = self.clone();
        for place in &mut spread.sensors {
            place.packets = 0;
        }
        for row in spread.services.values_mut() {
            let (mut now, mut before) = (Backed::default(), Backed::default());
            for cell in &row.cells {
                now.add(cell.now);
                before.add(cell.before);
            }
            for cell in &mut row.cells {
                (cell.now, cell.before) = (cell.now.min(now.cap()), cell.before.min(before.cap()));
                let place = &mut spread.sensors[cell.sensor];
                place.packets = place.packets.saturating_add(cell.now);
            }
        }
        spread.services.retain(|_, row| row.cells.iter().any(|cell| cell.now > 0 || cell.before > 0));
        spread
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use rstest::rstest;

    use super::*;
    use crate::report::fixture::service;
    use crate::report::moves::Regions;
    use crate::report::period::Asked;

    fn sum(packets: &[u64]) -> Backed {
        let mut sum = Backed::default();
        for packets in packets {
            sum.add(*packets);
        }
        sum
    }

    #[rstest]
    #[case::none(&[], 0)]
    #[case::one(&[600], 0)]
    #[case::two(&[600, 500], 0)]
    #[case::three(&[600, 5, 500], 15)]
    #[case::alike(&[7, 7, 7, 7], 28)]
    #[case::one_is_loud(&[1, 3, 1_000_000, 4, 2], 12)]
    #[case::large(&[u64::MAX, u64::MAX, 1, 1], 0)]
    fn two_sensors_count_for_no_more_than_a_third(#[case] packets: &[u64], #[case] backed: u64) {
        // A sum that is too large for its type is a little too small, and never too large.
        assert_eq!(sum(packets).backed(), backed);
        let (first, rest) = packets.split_at(packets.len() / 2);
        assert_eq!(sum(first).with(sum(rest)).backed(), backed);
    }

    /// Sensors that count 100 packets on each of two days, each day in a region.
    fn spread(from: &str, to: &str, sensors: &[[&str; 2]]) -> Spread {
        let asked = Asked::Days { from: from.parse().unwrap(), to: to.parse().unwrap() };
        let plan = Plan::new(asked, &TimeZone::UTC, 1, Timestamp::MAX).unwrap();
        let days = plan.days.dates.len();
        let mut moved = Moved::new();
        for (at, [first, last]) in sensors.iter().enumerate().filter(|(_, [first, last])| first != last) {
            let mut regions = Regions::new(days);
            (0..days).for_each(|day| regions.observe(day, if day < days - 1 { first } else { last }, 1.0));
            moved.insert(at.to_string(), regions);
        }
        let mut spread = Spread::new(&plan, true).with_moved(moved);
        for (at, [_, region]) in sensors.iter().enumerate() {
            let observer =
                Observer { name: at.to_string(), region: (*region).to_owned(), observed: vec![1.0; days] };
            let services = vec![(service("23/TCP"), vec![Some(100); days])];
            spread.add(&observer, &Counts { services, all: vec![100; days], unranked: vec![0; days] });
        }
        spread
    }

    #[rstest]
    #[case::all_stay(&[["a", "a"], ["a", "a"], ["a", "a"], ["b", "b"]], [3, 3], [300, 300], [400, 400])]
    #[case::one_moves_away(&[["a", "b"], ["a", "a"], ["a", "a"]], [3, 2], [300, 0], [300, 300])]
    #[case::one_comes(&[["b", "a"], ["a", "a"], ["a", "a"]], [2, 3], [0, 300], [300, 300])]
    #[case::two_are_never_three(&[["b", "a"], ["a", "b"]], [1, 1], [0, 0], [0, 0])]
    fn a_sensor_counts_for_the_region_that_it_was_in(
        #[case] sensors: &[[&str; 2]],
        #[case] there: [usize; 2],
        #[case] backed: [u64; 2],
        #[case] in_all: [u64; 2],
    ) {
        const MONTHS: [&str; 2] = ["2023-10", "2023-11"];
        let spread = spread("2023-10-31", "2023-11-01", sensors);
        assert_eq!(MONTHS.map(|month| spread.there(month, |region| region == "a").len()), there);
        assert_eq!(MONTHS.map(|month| spread.backed_in(month, |region| region == "a")), backed);
        assert_eq!(MONTHS.map(|month| spread.backed_in(month, |_| true)), in_all);
    }

    /// A sensor that moves within a month is one sensor of all regions together.
    #[test]
    fn a_sensor_in_two_regions_of_a_month_is_one() {
        let spread = spread("2023-11-01", "2023-11-02", &[["a", "b"], ["b", "b"]]);
        assert_eq!(spread.there("2023-11", |_| true).len(), 2);
        assert_eq!(spread.backed_in("2023-11", |_| true), 0);
    }
}
