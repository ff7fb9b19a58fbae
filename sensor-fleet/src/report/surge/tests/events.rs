//! Falls, ramps, steps, and what changes as a whole; and that none of them hides another.

use std::ops::Range;

use rstest::rstest;

use super::super::Settings;
use super::simulate::{DAYS, ROUGH, Sensor, Shape, dates, detect, quiet, whole};
use crate::report::model::{Level, ShiftKind, SurgeKind};

/// Nine sensors, of which the first five are in japan, with 30 services of 100 to 5,000 packets a day.
const FLEET: Shape = Shape {
    sensors: 9,
    services: 30,
    means: (5.5, 8.5),
    dispersions: &[0.02, 0.05],
    wandering: 0.05,
    trouble: false,
    ..ROUGH
};

/// What is planted: `times` by day from the first of them.
struct Planted {
    sensors: Range<usize>,
    services: Range<usize>,
    days: Range<usize>,
    times: fn(i32) -> f64,
}

const fn planted(
    sensors: Range<usize>,
    services: Range<usize>,
    days: Range<usize>,
    times: fn(i32) -> f64,
) -> Planted {
    Planted { sensors, services, days, times }
}

fn plant(fleet: &mut [Sensor], planted: &Planted) {
    for sensor in &mut fleet[planted.sensors.clone()] {
        for (_, counts) in &mut sensor.services[planted.services.clone()] {
            for (day, count) in (0..).zip(&mut counts[planted.days.clone()]) {
                *count = count.map(|count| whole(super::super::number(count) * (planted.times)(day)));
            }
        }
    }
}

/// An event: what it says, its first and its last day, and whether it continues.
type Said = (String, usize, usize, bool);

fn said(fleet: &[Sensor]) -> Vec<Said> {
    let findings = detect(Settings::default(), fleet);
    let day = |date| dates(DAYS).iter().position(|day| *day == date).unwrap();
    let surges = findings.surges.iter().map(|it| {
        let kind = if it.kind == SurgeKind::Ramp { "ramp" } else { "surge" };
        (format!("{kind} {} {:?}", it.service, it.verdict), day(it.from), day(it.to), it.continues)
    });
    let shifts = findings.shifts.iter().map(|it| {
        let kind = if it.kind == ShiftKind::Fall { "fall" } else { "rise" };
        let what = match (&it.service, it.verdict) {
            (Some(service), Some(verdict)) => format!("{service} {verdict:?}"),
            _ if it.level == Level::Fleet => "all".to_owned(),
            _ => it.place.clone(),
        };
        (format!("{kind} {what}"), day(it.from), day(it.to), it.continues)
    });
    let mut said: Vec<Said> = surges.chain(shifts).collect();
    said.sort();
    said
}

/// Begin and end may be a day off.
fn is(found: &Said, expected: (&str, usize, usize, bool)) -> bool {
    let (what, from, to, continues) = expected;
    found.0 == what && found.1.abs_diff(from) <= 1 && found.2.abs_diff(to) <= 1 && found.3 == continues
}

const ALL: Range<usize> = 0..9;
const OVERSEAS: Range<usize> = 5..9;
const EVERY: Range<usize> = 0..30;

#[rstest]
#[case::nothing(&[], &[])]
#[case::a_service_falls(
    &[planted(ALL, 4..5, 50..70, |_| 0.05)],
    &[("fall 4/TCP Global", 50, 69, false)],
)]
#[case::a_service_falls_on_one(
    &[planted(2..3, 4..5, 50..62, |_| 0.02)],
    &[("fall 4/TCP SensorOnly", 50, 61, false)],
)]
#[case::a_service_falls_and_stays_so(
    &[planted(OVERSEAS, 4..5, 60..DAYS, |_| 0.05)],
    &[("fall 4/TCP RegionOnly", 60, DAYS - 1, true)],
)]
#[case::a_sensor_falls_to_a_part(
    &[planted(2..3, EVERY, 50..57, |_| 0.3)],
    &[("fall s2", 50, 56, false)],
)]
#[case::a_region_falls(
    &[planted(OVERSEAS, EVERY, 50..55, |_| 0.02)],
    &[("fall overseas", 50, 54, false)],
)]
#[case::all_fall(&[planted(ALL, EVERY, 50..55, |_| 0.02)], &[("fall all", 50, 54, false)])]
#[case::a_region_rises(
    &[planted(OVERSEAS, EVERY, 50..57, |_| 4.0)],
    &[("rise overseas", 50, 56, false)],
)]
#[case::one_loud_service_is_no_whole(
    &[planted(ALL, 4..5, 50..57, |_| 300.0)],
    &[("surge 4/TCP Global", 50, 56, false)],
)]
#[case::one_loud_sensor_is_no_region(
    &[planted(5..6, 4..5, 50..57, |_| 300.0)],
    &[("surge 4/TCP SensorOnly", 50, 56, false)],
)]
#[case::a_step(
    &[planted(3..4, 4..5, 40..DAYS, |_| 6.0)],
    &[("surge 4/TCP SensorOnly", 40, DAYS - 1, true)],
)]
#[case::little_on_each_of_a_region(
    &[planted(OVERSEAS, 4..5, 50..64, |_| 2.6)],
    &[("surge 4/TCP RegionOnly", 50, 63, false)],
)]
#[case::a_region_does_not_make_others_fall(
    &[planted(0..5, 4..5, 50..64, |_| 20.0)],
    &[("surge 4/TCP RegionOnly", 50, 63, false)],
)]
#[case::one_service_after_the_other(
    &[planted(ALL, 4..5, 35..45, |_| 10.0), planted(3..4, 4..5, 70..80, |_| 10.0)],
    &[("surge 4/TCP Global", 35, 44, false), ("surge 4/TCP SensorOnly", 70, 79, false)],
)]
#[case::a_large_one_hides_no_small_one(
    &[planted(ALL, 4..5, 40..60, |_| 100.0), planted(3..4, 9..10, 45..55, |_| 6.0)],
    &[("surge 4/TCP Global", 40, 59, false), ("surge 9/TCP SensorOnly", 45, 54, false)],
)]
#[case::a_fall_hides_no_surge(
    &[planted(OVERSEAS, EVERY, 50..55, |_| 0.02), planted(ALL, 4..5, 70..77, |_| 8.0)],
    &[("fall overseas", 50, 54, false), ("surge 4/TCP Global", 70, 76, false)],
)]
fn what_happens_is_said(#[case] events: &[Planted], #[case] expected: &[(&str, usize, usize, bool)]) {
    for seed in 0..3 {
        let mut fleet = quiet(seed, &FLEET);
        for planted in events {
            plant(&mut fleet, planted);
        }
        let found = said(&fleet);
        let right = found.len() == expected.len()
            && expected.iter().all(|expected| found.iter().any(|found| is(found, *expected)));
        assert!(right, "history {seed}: {found:?}");
    }
}

/// The begin of a ramp is an estimate, and some are found as surges, when they are well under way. One of six that are as slow
/// may be missed: what a level that wanders for weeks must cost hides it.
#[test]
fn what_grows_from_day_to_day_is_found() {
    let (mut found_any, mut ramps) = (0, 0);
    for seed in 0..6 {
        let mut fleet = quiet(seed, &FLEET);
        plant(&mut fleet, &planted(ALL, 4..5, 45..DAYS, |day| 1.06_f64.powi(day + 1)));
        let found = said(&fleet);
        println!("history {seed}: {found:?}");
        let [(what, from, _, true)] = found.as_slice() else {
            assert!(found.is_empty(), "history {seed}: {found:?}");
            continue;
        };
        assert!(what.ends_with(" 4/TCP Global"), "history {seed}: {found:?}");
        found_any += 1;
        ramps += usize::from(what.starts_with("ramp") && (36..=60).contains(from));
    }
    assert!(found_any >= 5 && ramps >= 3, "{found_any} were found, {ramps} as what they are");
}
