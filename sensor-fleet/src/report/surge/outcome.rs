//! What a report says of events.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::super::model::{Shift, ShiftKind, Surge, SurgeKind, SurgeOnSensor};
use super::analysis::{Analysis, Event, Subject};
use super::track::{BASELINE, Side};
use super::verdict::{self, Region};

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
        (b.to, b.from)
            .cmp(&(a.to, a.from))
            .then_with(|| a.service.cmp(&b.service))
            .then_with(|| names(a).cmp(&names(b)))
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
        service: analysis.services[service].clone(),
        kind: if event.candidate.ramp { SurgeKind::Ramp } else { SurgeKind::Surge },
        from: dates[event.candidate.from],
        to: dates[event.candidate.to],
        continues: continues(analysis, event),
        peak: dates[peak],
        level: event.level,
        verdict: verdict::verdict(&regions, new),
        judged: regions.values().map(|region| region.judged).sum(),
        sensors,
        lead: event.candidate.from - first_around(event),
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

fn shift(analysis: &Analysis, event: &Event, dates: &[Date]) -> Option<Shift> {
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
    let (service, place) = match event.subject {
        Subject::Service(service) => (Some(analysis.services[service].clone()), String::new()),
        Subject::Sensor(sensor) => (None, analysis.sensors[sensor].name.clone()),
        Subject::Region(region) => (None, analysis.regions[region].clone()),
        Subject::Fleet => (None, String::new()),
    };
    let (from, to) = (event.candidate.from, event.candidate.to);
    let verdict = service.is_some().then(|| {
        let peak = peak(analysis, event)?;
        let mut regions = regions(analysis, peak);
        for (at, _) in on_day(analysis, event, peak) {
            regions.entry(&analysis.sensors[event.seen[at].sensor].region).or_default().saw += 1;
        }
        Some(verdict::verdict(&regions, false))
    });
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
    if sensors.is_empty() {
        return None;
    }
    Some(Shift {
        kind: if event.candidate.side == Side::Up { ShiftKind::Rise } else { ShiftKind::Fall },
        service,
        place,
        level: event.level,
        from: dates[from],
        to: dates[to],
        continues: continues(analysis, event),
        now,
        before,
        verdict: verdict.flatten(),
        sensors: sensors.into_iter().map(|sensor| analysis.sensors[sensor].name.clone()).collect(),
    })
}
