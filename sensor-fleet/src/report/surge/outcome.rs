//! What a report says of events.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::super::model::{Shift, ShiftKind, SourceShift, Surge, SurgeKind, SurgeOnSensor};
use super::analysis::{Analysis, Event, Subject, Topic};
use super::track::{BASELINE, Side};
use super::verdict::{self, Region};
use crate::vocabulary::service::Service;
use crate::vocabulary::verdict::SurgeVerdict;

/// Surges; and what else rose or fell.
pub(super) fn outcome(analysis: &Analysis, events: &[Event], dates: &[Date]) -> (Vec<Surge>, Vec<Shift>) {
    let (mut surges, mut shifts) = (Vec::new(), Vec::new());
    for event in events {
        match (event.subject, event.candidate.side) {
            (Subject::Service(service), Side::Up) => surges.extend(surge(analysis, event, service, dates)),
            _ => shifts.extend(shift(analysis, event, dates)),
        }
    }
    surges.sort_by(|a, b| {
        let names =
            |surge: &Surge| surge.sensors.iter().map(|sensor| sensor.sensor.clone()).collect::<Vec<_>>();
        Surge::latest_first(a, b).then_with(|| names(a).cmp(&names(b)))
    });
    shifts.sort_by(|a, b| {
        (b.to, b.from).cmp(&(a.to, a.from)).then_with(|| (&a.place, &a.service).cmp(&(&b.place, &b.service)))
    });
    (surges, shifts)
}

/// The days of an event that are judged.
fn judged_days(analysis: &Analysis, event: &Event) -> std::ops::RangeInclusive<usize> {
    event.candidate.from.max(analysis.first)..=event.candidate.to
}

/// The regions of the sensors that were judged on a day.
fn regions(analysis: &Analysis, day: usize) -> BTreeMap<&str, Region> {
    let mut regions = BTreeMap::<&str, Region>::new();
    for sensor in analysis.sensors.iter().filter(|sensor| sensor.judged[day]) {
        regions.entry(&sensor.region).or_default().judged += 1;
    }
    regions
}

/// What those who saw an event and were judged on a day had on it.
fn on_day(analysis: &Analysis, event: &Event, day: usize) -> Vec<(usize, u64)> {
    let judged = event.seen.iter().enumerate().filter(|(_, seen)| analysis.sensors[seen.sensor].judged[day]);
    judged.map(|(at, seen)| (at, analysis.cells[seen.cell].counts[day].unwrap_or(0))).collect()
}

fn packets(on: &[(usize, u64)]) -> u64 {
    on.iter().fold(0, |sum, (_, packets)| sum.saturating_add(*packets))
}

/// The day on which most sensors were judged, then with most packets, or least in a fall, then the first.
fn peak(analysis: &Analysis, event: &Event) -> Option<usize> {
    judged_days(analysis, event).rev().max_by_key(|day| {
        let on = on_day(analysis, event, *day);
        let packets = packets(&on);
        (on.len(), if event.candidate.side == Side::Up { packets } else { u64::MAX - packets })
    })
}

fn continues(analysis: &Analysis, event: &Event) -> bool {
    event.candidate.to + 1 == analysis.days
}

fn surge(analysis: &Analysis, event: &Event, service: usize, dates: &[Date]) -> Option<Surge> {
    let peak = peak(analysis, event)?;
    let mut regions = regions(analysis, peak);
    let mut sensors = Vec::new();
    let mut new = true;
    for (at, packets) in on_day(analysis, event, peak) {
        let seen = &event.seen[at];
        let sensor = &analysis.sensors[seen.sensor];
        regions.entry(&sensor.region).or_default().saw += 1;
        new &= !seen.known;
        sensors.push(SurgeOnSensor {
            sensor: sensor.name.clone(),
            region: sensor.region.clone(),
            packets,
            baseline: seen.baseline,
            p: seen.p,
            around: around(analysis, event, seen.cell),
        });
    }
    if sensors.is_empty() {
        return None;
    }
    sensors.sort_by(|a, b| b.packets.cmp(&a.packets).then_with(|| a.sensor.cmp(&b.sensor)));
    Some(Surge {
        service: service_of(analysis, service)?,
        kind: if event.candidate.ramp { SurgeKind::Ramp } else { SurgeKind::Surge },
        from: dates[event.candidate.from],
        to: dates[event.candidate.to],
        continues: continues(analysis, event),
        peak: dates[peak],
        level: event.level,
        verdict: verdict::verdict(&regions, new),
        judged: regions.values().map(|region| region.judged).sum(),
        sensors,
        origin: None,
        lead: event.candidate.from - first_around(event),
        cost: event.candidate.ln_cost.exp(),
    })
}

/// The first of the days around an event's begin.
fn first_around(event: &Event) -> usize {
    event.candidate.from.saturating_sub(Surge::AROUND / 2)
}

/// What a cell had on the days around an event's begin.
fn around(analysis: &Analysis, event: &Event, cell: usize) -> Vec<Option<u64>> {
    let cell = &analysis.cells[cell];
    let first = first_around(event);
    let days = first..(first + Surge::AROUND).min(analysis.days);
    let observed = &analysis.sensors[cell.sensor].observed;
    days.map(|day| observed[day].then(|| cell.counts[day].unwrap_or(0))).collect()
}

fn service_of(analysis: &Analysis, number: usize) -> Option<Service> {
    match &analysis.services[number] {
        Topic::Service(service) => Some(service.clone()),
        Topic::Sources | Topic::Country(_) => None,
    }
}

/// What sensors had of an event.
struct Extent {
    /// Those concerned.
    sensors: Vec<usize>,
    /// What they had a day during it, and in the four weeks before.
    now: f64,
    before: f64,
    /// Who saw it, of how many that were judged; of what is on a sensor.
    verdict: Option<(SurgeVerdict, usize)>,
}

fn extent(analysis: &Analysis, event: &Event) -> Option<Extent> {
    let of = |sensor: usize| match event.subject {
        Subject::Service(_) => event.seen.iter().any(|seen| seen.sensor == sensor),
        Subject::Sensor(of) => of == sensor,
        Subject::Region(of) => of == analysis.region_of[sensor],
        Subject::Fleet => true,
    };
    let sensors: Vec<usize> = (0..analysis.sensors.len())
        .filter(|sensor| {
            of(*sensor) && judged_days(analysis, event).any(|day| analysis.sensors[*sensor].judged[day])
        })
        .collect();
    let verdict = matches!(event.subject, Subject::Service(_)).then(|| {
        let peak = peak(analysis, event)?;
        let mut regions = regions(analysis, peak);
        for (at, _) in on_day(analysis, event, peak) {
            regions.entry(&analysis.sensors[event.seen[at].sensor].region).or_default().saw += 1;
        }
        let judged = regions.values().map(|region| region.judged).sum();
        Some((verdict::verdict(&regions, false), judged))
    });
    let (from, to) = (event.candidate.from, event.candidate.to);
    let cells = analysis.cells.iter().enumerate().filter(|(at, cell)| match event.subject {
        Subject::Service(_) => event.seen.iter().any(|seen| seen.cell == *at),
        _ => sensors.contains(&cell.sensor),
    });
    let (mut now, mut before) = (0.0, 0.0);
    for (_, cell) in cells {
        let observed = &analysis.sensors[cell.sensor].observed;
        let mean = |days: std::ops::Range<usize>| {
            let there: Vec<usize> = days.filter(|day| observed[*day]).collect();
            let sum: f64 = there.iter().map(|day| cell.counts[*day].map_or(0.0, super::number)).sum();
            sum / super::number(there.len().max(1) as u64)
        };
        now += mean(from..to + 1);
        before += mean(from.saturating_sub(BASELINE)..from);
    }
    (!sensors.is_empty()).then_some(Extent { sensors, now, before, verdict: verdict.flatten() })
}

fn names(analysis: &Analysis, sensors: Vec<usize>) -> Vec<String> {
    sensors.into_iter().map(|sensor| analysis.sensors[sensor].name.clone()).collect()
}

fn shift_kind(event: &Event) -> ShiftKind {
    if event.candidate.side == Side::Up { ShiftKind::Rise } else { ShiftKind::Fall }
}

fn shift(analysis: &Analysis, event: &Event, dates: &[Date]) -> Option<Shift> {
    let (service, place) = match event.subject {
        Subject::Service(service) => (Some(service_of(analysis, service)?), String::new()),
        Subject::Sensor(sensor) => (None, analysis.sensors[sensor].name.clone()),
        Subject::Region(region) => (None, analysis.regions[region].clone()),
        Subject::Fleet => (None, String::new()),
    };
    let Extent { sensors, now, before, verdict } = extent(analysis, event)?;
    Some(Shift {
        kind: shift_kind(event),
        service,
        place,
        level: event.level,
        from: dates[event.candidate.from],
        to: dates[event.candidate.to],
        continues: continues(analysis, event),
        now,
        before,
        verdict: verdict.map(|(verdict, _)| verdict),
        sensors: names(analysis, sensors),
        cost: event.candidate.ln_cost.exp(),
    })
}

/// Numbers of sources that rose or fell, the latest first.
pub(super) fn sources(analysis: &Analysis, events: &[Event], dates: &[Date]) -> Vec<SourceShift> {
    let shift = |event: &Event| {
        let Subject::Service(number) = event.subject else { return None };
        let Extent { sensors, now, before, verdict } = extent(analysis, event)?;
        let (verdict, judged) = verdict?;
        let country = match &analysis.services[number] {
            Topic::Country(country) => Some(country.clone()),
            Topic::Sources | Topic::Service(_) => None,
        };
        Some(SourceShift {
            kind: shift_kind(event),
            country,
            level: event.level,
            from: dates[event.candidate.from],
            to: dates[event.candidate.to],
            continues: continues(analysis, event),
            now,
            before,
            verdict,
            judged,
            sensors: names(analysis, sensors),
            cost: event.candidate.ln_cost.exp(),
        })
    };
    let all: Vec<SourceShift> = events.iter().filter_map(shift).collect();
    let mut shifts: Vec<SourceShift> =
        all.iter().filter(|shift| !is_explained(shift, &all)).cloned().collect();
    shifts.sort_by(|a, b| {
        (b.to, b.from)
            .cmp(&(a.to, a.from))
            .then_with(|| (&a.country, &a.sensors).cmp(&(&b.country, &b.sensors)))
    });
    shifts
}

/// Whether a country's sources went as all sources of the same sensors did: that is said once.
fn is_explained(shift: &SourceShift, all: &[SourceShift]) -> bool {
    let mut others = all.iter().filter(|wide| wide.country.is_none() && wide.kind == shift.kind);
    shift.country.is_some()
        && others.any(|wide| {
            let together = wide.from <= shift.to && shift.from <= wide.to;
            together && shift.sensors.iter().all(|sensor| wide.sensors.contains(sensor))
        })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;

    use super::*;
    use crate::report::model::Level;

    fn shift(country: Option<&str>, kind: ShiftKind, days: [i8; 2], sensors: &[&str]) -> SourceShift {
        SourceShift {
            kind,
            country: country.map(str::to_owned),
            level: Level::Fleet,
            from: date(2023, 10, days[0]),
            to: date(2023, 10, days[1]),
            continues: false,
            now: 1.0,
            before: 100.0,
            verdict: SurgeVerdict::Global,
            judged: 3,
            sensors: sensors.iter().map(|name| (*name).to_owned()).collect(),
            cost: 0.001,
        }
    }

    #[rstest]
    #[case::same(ShiftKind::Fall, [3, 5], &["a", "b"], true)]
    #[case::some_of_them(ShiftKind::Fall, [5, 9], &["a"], true)]
    #[case::the_other_way(ShiftKind::Rise, [3, 5], &["a", "b"], false)]
    #[case::later(ShiftKind::Fall, [6, 9], &["a", "b"], false)]
    #[case::on_one_more(ShiftKind::Fall, [3, 5], &["a", "b", "c"], false)]
    fn what_all_countries_do_is_said_once(
        #[case] kind: ShiftKind,
        #[case] days: [i8; 2],
        #[case] sensors: &[&str],
        #[case] expected: bool,
    ) {
        let wide = shift(None, ShiftKind::Fall, [3, 5], &["a", "b"]);
        let country = shift(Some("IR"), kind, days, sensors);
        let all = [wide.clone(), country.clone()];
        assert_eq!((is_explained(&country, &all), is_explained(&wide, &all)), (expected, false));
    }
}
