//! What a report must say of sources, as the truth about a history has it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Span;
use jiff::civil::{Date, date};
use sensor_fleet::simulation::truth::{KnownKind, KnownSeries, Period, Sensor, ServiceColumn, Truth};

/// Sums by name.
pub type Sums<'a> = BTreeMap<&'a str, u64>;

/// The days of a period among those of the history.
pub fn days(truth: &Truth, from: Date, end: Date) -> Range<usize> {
    let place = |day: Date| {
        let first = truth.arguments.first;
        first.series(Span::new().days(1)).take_while(|it| *it < day).count()
    };
    place(from)..place(end)
}

pub fn quarter(truth: &Truth) -> Range<usize> {
    days(truth, date(2023, 10, 1), date(2024, 1, 1))
}

pub fn before(truth: &Truth) -> Range<usize> {
    days(truth, date(2023, 7, 1), date(2023, 10, 1))
}

pub fn all_of(days: &Range<usize>) -> impl Fn(&Sensor) -> Vec<usize> {
    let days = days.clone();
    move |_| days.clone().collect()
}

/// A sensor's days that it observed whole.
pub fn whole(sensor: &Sensor, days: &Range<usize>) -> Vec<usize> {
    days.clone().filter(|day| sensor.observed[*day] >= 0.9).collect()
}

/// Something that a sensor tells.
pub fn series<'a>(sensor: &'a Sensor, what: KnownKind, name: &str) -> Option<&'a KnownSeries> {
    sensor.known.iter().find(|it| it.what == what && it.name == name)
}

/// Sums by name over sensors, of some days of each.
pub fn sums(truth: &Truth, what: KnownKind, days: impl Fn(&Sensor) -> Vec<usize>) -> Sums<'_> {
    let mut sums = BTreeMap::new();
    for sensor in &truth.sensors {
        let days = days(sensor);
        for series in sensor.known.iter().filter(|series| series.what == what) {
            let sum: u64 = days.iter().filter_map(|day| series.days[*day]).sum();
            *sums.entry(series.name.as_str()).or_default() += sum;
        }
    }
    sums
}

/// Whole days of sensors on which they tell something.
pub fn sensor_days(truth: &Truth, what: KnownKind, days: &Range<usize>) -> u64 {
    let told =
        |sensor: &Sensor, day: usize| sensor.known.iter().any(|it| it.what == what && it.days[day].is_some());
    let count = |sensor: &Sensor| whole(sensor, days).iter().filter(|day| told(sensor, **day)).count();
    truth.sensors.iter().map(count).sum::<usize>() as u64
}

/// The part of the packets of whole days whose sources were looked at.
pub fn looked_at(truth: &Truth) -> f64 {
    let now = quarter(truth);
    let of = |what| sums(truth, what, |sensor: &Sensor| whole(sensor, &now)).values().sum::<u64>();
    let (observed, missed) = (of(KnownKind::Observed), of(KnownKind::Missed));
    share(observed, observed + missed)
}

/// Whether a name has a rank.
pub fn is_named(name: &str) -> bool {
    !["other", "unknown", ""].contains(&name)
}

/// Names by number, the most first, of those that have a rank.
pub fn ordered<'a>(sums: &Sums<'a>, has_rank: fn(&str) -> bool) -> Vec<(&'a str, u64)> {
    let named = sums.iter().filter(|(name, sum)| has_rank(name) && **sum > 0);
    let mut ordered: Vec<(&str, u64)> = named.map(|(name, sum)| (*name, *sum)).collect();
    ordered.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    ordered
}

/// Services by number, the most first, of those that a ranking may have; ties by protocol, then by port.
pub fn services<'a>(truth: &'a Truth, numbers: &[u64]) -> Vec<(&'a str, u64)> {
    let all = truth.services.iter().zip(numbers.iter().copied());
    let ranked = all.filter(|(it, number)| it.ranked && *number > 0);
    let mut ranked: Vec<(&ServiceColumn, u64)> = ranked.collect();
    ranked.sort_by_key(|(it, number)| (Reverse(*number), &it.protocol, it.port.parse::<u16>().ok()));
    ranked.into_iter().map(|(it, number)| (it.name.as_str(), number)).collect()
}

/// The rank of what is among the first ten.
pub fn rank(order: &[(&str, u64)], name: &str) -> Option<u64> {
    order.iter().take(10).position(|(of, _)| *of == name).map(|at| at as u64 + 1)
}

/// A sensor's packets by service without those of known scanners, scaled from those that were looked at to all that
/// were counted; nothing if none was looked at.
pub fn without_scanners(truth: &Truth, at: usize, period: &Period) -> Option<Vec<u64>> {
    let days = days(truth, period.first, period.end);
    let sum = |what: KnownKind, name: &str| -> u64 {
        let series = series(&truth.sensors[at], what, name);
        series.map_or(0, |it| days.clone().filter_map(|day| it.days[day]).sum())
    };
    let looked_at = sum(KnownKind::Observed, "");
    if looked_at == 0 {
        return None;
    }
    let counted = truth.packets(at, period);
    let all: u64 = counted.iter().sum();
    let scaled = |scanned: u64| (scanned * all + looked_at / 2) / looked_at;
    let less = truth
        .services
        .iter()
        .zip(&counted)
        .map(|(service, packets)| packets.saturating_sub(scaled(sum(KnownKind::Scanned, &service.name))));
    Some(less.collect())
}

/// What a sensor tells of the whole days of a month: their sum, and how many they are.
pub fn distinct(what: KnownKind) -> impl Fn(&Sensor, &Range<usize>) -> (u64, f64) {
    move |sensor: &Sensor, month: &Range<usize>| {
        let Some(series) = series(sensor, what, "") else { return (0, 0.0) };
        let told: Vec<u64> = whole(sensor, month).into_iter().filter_map(|day| series.days[day]).collect();
        (told.iter().sum(), float(told.len() as u64))
    }
}

/// A sensor's SYNs with Mirai's mark in a month, and the days that it observed of it.
pub fn syns_of_mirai(sensor: &Sensor, month: &Range<usize>) -> (u64, f64) {
    let Some(series) = series(sensor, KnownKind::Tool, "mirai") else { return (0, 0.0) };
    let told = month.clone().filter_map(|day| Some((series.days[day]?, sensor.observed[day])));
    told.fold((0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
}

pub fn share(of: u64, all: u64) -> f64 {
    float(of) / float(all)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub fn float(number: u64) -> f64 {
    number as f64
}
