//! What was found of what was planted.

use std::collections::BTreeSet;

use jiff::Span;
use jiff::civil::{Date, date};
use sensor_common::port::Port;
use serde::{Deserialize, Serialize};

use super::case::{Case, Course, Planted, Scope, plant};
use super::fleet::{BEFORE, DAYS, Fleet, home};
use super::sources;
use crate::report::history::{Counts, Observer};
use crate::report::known::Known;
use crate::report::model::{Shift, ShiftKind, Surge, SurgeKind};
use crate::report::surge::{Detector, Settings};
use crate::vocabulary::service::Service;
use crate::vocabulary::verdict::SurgeVerdict;

/// What became of a quarter.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) events: usize,
    /// Those of which nothing was planted.
    pub(super) wrong: usize,
    /// Surges that were found and are one source's, as far as it is told: they are none of the events.
    #[serde(default)]
    pub(super) of_one: usize,
    /// What each of these says.
    pub(super) says: Vec<String>,
    /// Of each that was planted.
    pub(super) planted: Vec<Option<Hit>>,
}

/// A planted event that was found.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Hit {
    /// Verdict, or place, and kind are right.
    pub(super) verdict: bool,
    /// Begin, and end, are at most a day off.
    pub(super) begin: bool,
    pub(super) end: bool,
}

/// An event in the words of both surges and shifts.
struct Event {
    service: Option<Service>,
    place: String,
    up: bool,
    ramp: bool,
    from: Date,
    to: Date,
    sensors: BTreeSet<String>,
    verdict: Option<SurgeVerdict>,
}

impl From<Surge> for Event {
    fn from(surge: Surge) -> Self {
        Self {
            service: Some(surge.service),
            place: String::new(),
            up: true,
            ramp: surge.kind == SurgeKind::Ramp,
            from: surge.from,
            to: surge.to,
            sensors: surge.sensors.into_iter().map(|sensor| sensor.sensor).collect(),
            verdict: Some(surge.verdict),
        }
    }
}

impl From<Shift> for Event {
    fn from(shift: Shift) -> Self {
        Self {
            service: shift.service,
            place: shift.place,
            up: shift.kind == ShiftKind::Rise,
            ramp: false,
            from: shift.from,
            to: shift.to,
            sensors: shift.sensors.into_iter().collect(),
            verdict: shift.verdict,
        }
    }
}

impl Event {
    fn days(&self, dates: &[Date]) -> (usize, usize) {
        let day = |date| dates.iter().position(|day| *day == date).unwrap_or(0);
        (day(self.from), day(self.to))
    }

    /// Is about this: the same service, or all of it, the same days at least in part, the same direction, and a
    /// sensor that had it.
    fn is_of(&self, planted: &Planted, dates: &[Date]) -> bool {
        let (from, to) = self.days(dates);
        let up = !matches!(planted.case.course, Course::Times(ratio) | Course::All(ratio) if ratio < 1.0);
        self.up == up
            && from <= planted.to
            && to >= planted.from
            && (planted.service.is_none() || self.service == planted.service.map(service))
            && planted.sensors.iter().any(|sensor| self.sensors.contains(&name(*sensor)))
    }

    fn hit(&self, planted: &Planted, sensors: usize, dates: &[Date]) -> Hit {
        let (from, to) = self.days(dates);
        let verdict = match (planted.service, planted.case.scope) {
            (None, Scope::Sensor) => self.place == name(planted.sensors[0]),
            (None, Scope::Region) => self.place == region(planted.sensors[0], sensors),
            (None, Scope::Fleet) => self.service.is_none() && self.place.is_empty(),
            (_, Scope::Sensor) => self.verdict == Some(SurgeVerdict::SensorOnly),
            (_, Scope::Region) => self.verdict == Some(SurgeVerdict::RegionOnly),
            (_, Scope::Fleet) => self.verdict == Some(SurgeVerdict::Global),
        };
        let kind = matches!(planted.case.course, Course::Grows(_)) == self.ramp;
        Hit {
            verdict: verdict && kind,
            begin: from.abs_diff(planted.from) <= 1,
            end: to.abs_diff(planted.to) <= 1,
        }
    }
}

pub(super) fn service(number: usize) -> Service {
    Service::Port(Port::tcp(u16::try_from(number + 1).unwrap_or(u16::MAX)))
}

pub(super) fn name(sensor: usize) -> String {
    format!("sensor-{sensor:03}")
}

fn region(sensor: usize, sensors: usize) -> String {
    if sensor < home(sensors) { "home" } else { "overseas" }.to_owned()
}

/// Judges a fleet's quarter with these cases planted.
pub(super) fn judge(settings: Settings, mut fleet: Fleet, cases: &[Case]) -> Found {
    let planted: Vec<Planted> =
        cases.iter().enumerate().map(|(at, case)| plant(&mut fleet, *case, at)).collect();
    let dates: Vec<Date> = date(2023, 9, 3).series(Span::new().days(1)).take(DAYS).collect();
    let mut detector = Detector::new(settings, BEFORE, dates.clone());
    let counts: Vec<Vec<Vec<u64>>> = (0..fleet.sensors).map(|sensor| fleet.counts(sensor)).collect();
    for (sensor, counts) in counts.iter().enumerate() {
        let all = (0..DAYS).map(|day| counts.iter().map(|days| days[day]).sum()).collect();
        let services = counts.iter().enumerate();
        let services =
            services.map(|(at, days)| (service(at), days.iter().copied().map(Some).collect())).collect();
        detector.sensor(
            &Observer {
                name: name(sensor),
                region: region(sensor, fleet.sensors),
                observed: vec![1.0; DAYS],
            },
            &Counts { services, all, unranked: Vec::new() },
            &Known::default(),
        );
    }
    let mut findings = detector.finish();
    sources::tell(&fleet, &counts, &dates, &mut findings.surges);
    findings.set_apart();
    let events: Vec<Event> = findings
        .surges
        .into_iter()
        .map(Event::from)
        .chain(findings.shifts.into_iter().map(Event::from))
        .collect();
    let of_one = findings.surges_of_one.len();
    let mut found = Found { events: events.len(), of_one, ..Found::default() };
    for event in &events {
        if !planted.iter().any(|planted| event.is_of(planted, &dates)) {
            found.wrong += 1;
            let (from, to) = event.days(&dates);
            found.says.push(format!(
                "{} {} {} {from}-{to} {:?} {}",
                event.service.as_ref().map(ToString::to_string).unwrap_or_default(),
                event.place,
                if event.up { "up" } else { "down" },
                event.verdict,
                event.sensors.len()
            ));
        }
    }
    for planted in &planted {
        let hits = events.iter().filter(|event| event.is_of(planted, &dates));
        let hits = hits.map(|event| event.hit(planted, fleet.sensors, &dates));
        // The best of several parts speaks, as long as it says so.
        found.planted.push(hits.max_by_key(|hit| (hit.verdict, hit.begin, hit.end)));
    }
    found
}
