//! Loud single sources are no surges of all where it is known who sent, and hide none.

use std::ops::Range;

use jiff::tz::TimeZone;
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

use super::super::{Findings, Settings};
use super::simulate::{BEFORE, DAYS, ROUGH, Sensor, Shape, dates, detect, quiet, tcp, whole};
use super::{judged, may_be_wrong};
use crate::report::model::Surge;
use crate::report::origin::Search;
use crate::report::period::{Days, HOUR};
use crate::simulation::noise::uniform;
use crate::sources::source::Source;
use crate::vocabulary::service::Service;
use crate::vocabulary::verdict::SurgeVerdict;

/// 200 to 10,000 packets a day.
const FLEET: Shape =
    Shape { sensors: 9, means: (5.3, 9.2), dispersions: &[0.02, 0.05, 0.1, 0.3], trouble: false, ..ROUGH };
/// Loud sources in each history.
const LOUD: usize = 4;
/// Others, which send as much as each other, but for a packet.
const OTHERS: u32 = 64;

/// A source that is in a /24 of its own, and sends so many packets a day to a service on a sensor.
struct Loud {
    sensor: usize,
    service: usize,
    days: Range<usize>,
    packets: u64,
}

/// Adds a source that sends so many times what is usual.
fn add(sensors: &mut [Sensor], (sensor, service): (usize, usize), days: Range<usize>, times: f64) -> Loud {
    let counts = &mut sensors[sensor].services[service].1;
    let all: u64 = counts.iter().flatten().sum();
    let packets = whole(times * super::super::number(all / DAYS as u64));
    counts[days.clone()].iter_mut().flatten().for_each(|count| *count += packets);
    Loud { sensor, service, days, packets }
}

/// Adds some, anywhere but to the first service.
fn add_some(random: &mut SplitMix64, sensors: &mut [Sensor]) -> Vec<Loud> {
    let mut some = Vec::new();
    while some.len() < LOUD {
        let at = (random.random_range(0..FLEET.sensors), random.random_range(1..FLEET.services));
        let from = random.random_range(BEFORE..DAYS - 3);
        let days = from..from + random.random_range(1..4);
        let times = 30.0 * 10.0_f64.powf(uniform(random));
        some.push(add(sensors, at, days, times));
    }
    some
}

/// What sensors' files would have of a day of a service: each loud source's packets, and the others'.
fn flows(
    sensors: &[Sensor],
    loud: &[Loud],
    (sensor, service, day): (usize, usize, usize),
) -> Vec<(Service, Source, u64)> {
    let source = |network: u32| Source::V4((network << 8 | 1).into());
    let here = (1..)
        .zip(loud)
        .filter(|(_, it)| (it.sensor, it.service) == (sensor, service) && it.days.contains(&day));
    let mut flows: Vec<(Service, Source, u64)> =
        here.map(|(network, it)| (tcp(service), source(network), it.packets)).collect();
    let of_loud: u64 = flows.iter().map(|(.., packets)| packets).sum();
    let rest = sensors[sensor].services[service].1[day].unwrap_or(0) - of_loud;
    let (each, more) = (rest / u64::from(OTHERS), rest % u64::from(OTHERS));
    flows.extend((0..OTHERS).map(|at| {
        let sent = each + u64::from(u64::from(at) < more);
        (tcp(service), source(1_000 + at), sent)
    }));
    flows
}

/// What is found, and set apart by whom it was made.
fn found(sensors: &[Sensor], loud: &[Loud]) -> Findings {
    let mut findings = detect(Settings::default(), sensors);
    let dates = dates(DAYS);
    let days = Days::new(dates[0], dates[DAYS - 1], &TimeZone::UTC).unwrap();
    let mut search = Search::new(&findings.surges, &days);
    let surges = |service: &usize| findings.surges.iter().any(|surge| surge.service == tcp(*service));
    let services: Vec<usize> = (0..FLEET.services).filter(surges).collect();
    for (at, sensor) in sensors.iter().enumerate() {
        for day in 0..DAYS {
            let rows: Vec<_> =
                services.iter().flat_map(|service| flows(sensors, loud, (at, *service, day))).collect();
            let (from, to) = days.span(day);
            // All of a day's packets come in its first hour.
            search.add(&sensor.name, from, &rows);
            (1..(to - from) / HOUR).for_each(|hour| search.add(&sensor.name, from + hour * HOUR, &[]));
        }
    }
    search.tell(&mut findings.surges);
    findings.set_apart();
    findings
}

#[test]
fn loud_sources_are_no_surges_of_all() {
    let reports = judged(100);
    let (mut wrong, mut apart) = (0, 0);
    for seed in 0..reports {
        let mut sensors = quiet(2_000 + seed, &FLEET);
        let loud = add_some(&mut SplitMix64::seed_from_u64(seed), &mut sensors);
        let findings = found(&sensors, &loud);
        wrong += u64::from(!(findings.surges.is_empty() && findings.shifts.is_empty()));
        apart += findings.surges_of_one.len() as u64;
    }
    let loud = reports * LOUD as u64;
    println!("{wrong} of {reports} reports have a false event, {apart} of {loud} loud sources are told");
    assert!(wrong <= may_be_wrong(reports), "{wrong} of {reports} reports have a false event");
    // Else the test would hold for a report that finds nothing.
    assert!(2 * apart >= loud, "{apart} of {loud} loud sources are told");
}

/// A worm that all sensors see, and beside it a source that is loud on one of them, to the same port on some of the days,
/// and others elsewhere.
#[test]
fn loud_sources_hide_no_surge() {
    let reports = judged(50);
    let mut told = 0;
    for seed in 0..reports {
        let mut sensors = quiet(3_000 + seed, &FLEET);
        let mut loud = add_some(&mut SplitMix64::seed_from_u64(seed), &mut sensors);
        let from = BEFORE + 25;
        for sensor in &mut sensors {
            for count in sensor.services[0].1[from..from + 7].iter_mut().flatten() {
                *count *= 6;
            }
        }
        loud.push(add(&mut sensors, (3, 0), from + 2..from + 5, 30.0));
        let findings = found(&sensors, &loud);
        let is_it = |surge: &&Surge| surge.service == tcp(0) && surge.verdict == SurgeVerdict::Global;
        assert!(!findings.surges_of_one.iter().any(|surge| is_it(&surge)), "{seed}: a worm is one source's");
        told += u64::from(findings.surges.iter().any(|surge| is_it(&surge)));
    }
    println!("{told} of {reports} worms are told");
    assert!(10 * told >= 9 * reports, "{told} of {reports} worms are told");
}
