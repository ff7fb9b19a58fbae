//! What is judged, what stands out, and what is new.

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_xoshiro::SplitMix64;
use rstest::rstest;

use super::super::{Detector, Findings, Settings};
use super::simulate::{BEFORE, DAYS, ROUGH, Sensor, Shape, dates, detect, negative_binomial, quiet, tcp};
use crate::report::history::{Counts, Observer};
use crate::report::known::Known;
use crate::report::model::Surge;
use crate::vocabulary::verdict::SurgeVerdict;

/// The day that the tests below are about.
const DAY: usize = 70;

/// About 200 packets a day.
fn usual(seed: u64) -> Vec<Option<u64>> {
    let mut random = SplitMix64::seed_from_u64(seed);
    (0..DAYS).map(|_| Some(negative_binomial(&mut random, 200.0, 0.02))).collect()
}

/// Three sensors, with a port that `counts` at the first, and about 200 packets a day at the others.
fn three(counts: Vec<Option<u64>>) -> Vec<Sensor> {
    let mut counts = Some(counts);
    (0..3)
        .map(|number| Sensor {
            name: format!("s{number}"),
            region: ["japan", "japan", "overseas"][number].to_owned(),
            observed: vec![1.0; DAYS],
            services: vec![(tcp(23), counts.take().unwrap_or_else(|| usual(number as u64)))],
            unranked: Vec::new(),
        })
        .collect()
}

fn shown(surges: &[Surge]) -> Vec<String> {
    surges
        .iter()
        .map(|surge| {
            let sensors: Vec<_> = surge.sensors.iter().map(|sensor| sensor.sensor.as_str()).collect();
            let day = |date| dates(DAYS).iter().position(|day| *day == date).unwrap();
            let (from, to) = (day(surge.from), day(surge.to));
            format!("{from}-{to} {:?} {} of {}", surge.verdict, sensors.join(" "), surge.judged)
        })
        .collect()
}

/// `counts` on the days before, then these.
fn then(mut counts: Vec<Option<u64>>, days: &[(usize, Option<u64>)]) -> Vec<Option<u64>> {
    for (day, count) in days {
        counts[*day] = *count;
    }
    counts
}

fn constant(count: Option<u64>) -> Vec<Option<u64>> {
    vec![count; DAYS]
}

const fn weekly(count: u64) -> [(usize, Option<u64>); 4] {
    [(DAY - 21, Some(count)), (DAY - 14, Some(count)), (DAY - 7, Some(count)), (DAY, Some(count))]
}

#[rstest]
#[case::nothing(usual(9), &[])]
#[case::five_times(then(usual(9), &[(DAY, Some(1_000))]), &["70-70 SensorOnly s0 of 3"])]
#[case::three_days(
    then(usual(9), &[(DAY, Some(1_000)), (DAY + 1, Some(3_000)), (DAY + 2, Some(900))]),
    &["70-72 SensorOnly s0 of 3"],
)]
#[case::less_than_before_is_no_surge(then(usual(9), &[(DAY, Some(0))]), &[])]
#[case::no_sample(then(usual(9), &[(DAY, None)]), &[])]
// Twice is news, later a habit.
#[case::every_monday(then(usual(9), &weekly(1_500)), &["56-56 SensorOnly s0 of 3", "49-49 SensorOnly s0 of 3"])]
#[case::larger_than_the_habit(
    then(then(usual(9), &weekly(1_500)), &[(DAY, Some(6_000))]),
    &["70-70 SensorOnly s0 of 3", "56-56 SensorOnly s0 of 3", "49-49 SensorOnly s0 of 3"],
)]
#[case::below_the_floor(then(constant(Some(0)), &[(DAY, Some(49))]), &[])]
#[case::new(then(constant(Some(0)), &[(DAY, Some(500))]), &["70-70 NewPort s0 of 3"])]
#[case::new_over_midnight(
    then(constant(Some(0)), &[(DAY - 1, Some(4)), (DAY, Some(500))]),
    &["70-70 NewPort s0 of 3"],
)]
#[case::new_for_days(
    then(constant(Some(0)), &[(DAY, Some(500)), (DAY + 1, Some(900)), (DAY + 2, Some(700))]),
    &["70-72 NewPort s0 of 3"],
)]
#[case::seen_once_before(
    then(constant(Some(0)), &[(DAY - 20, Some(1)), (DAY, Some(500))]),
    &["70-70 SensorOnly s0 of 3"],
)]
#[case::new_series(then(constant(None), &[(DAY, Some(500))]), &["70-70 NewPort s0 of 3"])]
// It may have had a few all along, under `other`.
#[case::small_new_series(then(constant(None), &[(DAY, Some(60)), (DAY + 1, Some(60))]), &[])]
#[case::huge(then(constant(Some(0)), &[(DAY, Some(u64::MAX))]), &["70-70 NewPort s0 of 3"])]
fn a_port_that_has(#[case] counts: Vec<Option<u64>>, #[case] expected: &[&str]) {
    let surges = detect(Settings::default(), &three(counts)).surges;
    assert_eq!(shown(&surges), expected);
}

/// Which days a sensor observed, from day to day, and how much of them.
fn observed_less(days: std::ops::Range<usize>, part: f64) -> impl Fn(&mut Sensor) {
    move |sensor| sensor.observed[days.clone()].fill(part)
}

/// The counts of days that were not observed.
fn lost(days: std::ops::Range<usize>, count: Option<u64>) -> impl Fn(&mut Sensor) {
    move |sensor| {
        sensor.observed[days.clone()].fill(0.0);
        sensor.services[0].1[days.clone()].fill(count);
    }
}

#[rstest]
#[case::nearly_whole(observed_less(DAY..DAY + 1, 0.9), &["70-70 SensorOnly s0 of 3"])]
#[case::part_of_the_day(observed_less(DAY..DAY + 1, 0.89), &[])]
#[case::no_number(observed_less(DAY..DAY + 1, f64::NAN), &[])]
#[case::new_sensor(lost(0..DAY - 6, None), &[])]
#[case::a_week_old(lost(0..DAY - 7, None), &["70-70 SensorOnly s0 of 3"])]
#[case::after_an_outage(lost(DAY - 20..DAY, None), &["70-70 SensorOnly s0 of 3"])]
#[case::after_an_outage_in_zeros(lost(DAY - 20..DAY, Some(0)), &["70-70 SensorOnly s0 of 3"])]
fn observed_days_count(#[case] change: impl Fn(&mut Sensor), #[case] expected: &[&str]) {
    let mut sensors = three(then(usual(9), &[(DAY, Some(1_200))]));
    change(&mut sensors[0]);
    assert_eq!(shown(&detect(Settings::default(), &sensors).surges), expected);
}

#[rstest]
#[case::outage(lost(DAY - 10..DAY, Some(0)))]
#[case::born(lost(0..DAY - 7, None))]
#[case::restart(|sensor: &mut Sensor| {
    sensor.observed[DAY] = 0.6;
    sensor.services[0].1[DAY] = Some(120);
})]
fn no_trouble_is_a_surge(#[case] change: impl Fn(&mut Sensor)) {
    let mut sensors = three(usual(9));
    change(&mut sensors[0]);
    assert_eq!(shown(&detect(Settings::default(), &sensors).surges), Vec::<String>::new());
}

#[test]
fn sensors_that_are_down_are_not_judged() {
    let mut sensors = three(then(usual(9), &[(DAY, Some(1_200))]));
    observed_less(DAY..DAY + 1, 0.0)(&mut sensors[1]);
    assert_eq!(shown(&detect(Settings::default(), &sensors).surges), ["70-70 SensorOnly s0 of 2"]);
    observed_less(DAY..DAY + 1, 0.0)(&mut sensors[2]);
    assert_eq!(shown(&detect(Settings::default(), &sensors).surges), ["70-70 Mixed s0 of 1"]);
}

#[test]
fn a_port_without_a_series_elsewhere_is_seen_by_one_sensor_only() {
    let mut sensors = three(then(usual(9), &[(DAY, Some(1_200))]));
    sensors[1].services.clear();
    sensors[2].services.clear();
    assert_eq!(shown(&detect(Settings::default(), &sensors).surges), ["70-70 SensorOnly s0 of 3"]);
}

#[test]
fn who_just_missed_the_level_saw_it_too() {
    let mut sensors = three(then(usual(9), &[(DAY, Some(1_200))]));
    // Many cells in which nothing happens push the level down.
    for sensor in &mut sensors {
        sensor.services.extend((100..3_100).map(|port| (tcp(port), constant(Some(0)))));
        let counts = &mut sensor.services[0].1;
        if counts[DAY] != Some(1_200) {
            counts[DAY] = Some(560);
        }
    }
    let surges = detect(Settings::default(), &sensors).surges;
    assert_eq!(shown(&surges), ["70-70 Global s0 s1 s2 of 3"]);
}

#[test]
fn the_numbers_are_those_of_the_peak() {
    let sensors = three(then(constant(Some(200)), &[(DAY, Some(1_000)), (DAY + 1, Some(3_000))]));
    let Findings { surges, method, .. } = detect(Settings::default(), &sensors);
    let [surge] = surges.as_slice() else { panic!("{surges:?}") };
    assert_eq!((surge.peak, surge.verdict), (dates(DAYS)[DAY + 1], SurgeVerdict::SensorOnly));
    let [seen] = surge.sensors.as_slice() else { panic!("{surge:?}") };
    assert_eq!((seen.packets, seen.region.as_str()), (3_000, "japan"));
    assert!((seen.baseline - 200.0).abs() < 1e-9 && seen.p < 1e-6, "{seen:?}");
    assert_eq!(method.tested, 3 * (DAYS as u64 - BEFORE as u64));
}

/// A port that has no series on a busy sensor may have had as many packets as others there.
#[rstest]
#[case::all_have_a_series(0, 3_000, &["70-70 NewPort s0 of 3"])]
#[case::not_more_than_others(400_000, 3_000, &[])]
#[case::far_more(400_000, 300_000, &["70-70 NewPort s0 of 3"])]
#[case::more_than_all_others_without(40, 3_000, &["70-70 NewPort s0 of 3"])]
fn a_port_that_gets_a_series(#[case] unranked: u64, #[case] packets: u64, #[case] expected: &[&str]) {
    let mut sensors = three(usual(9));
    let mut random = SplitMix64::seed_from_u64(5);
    for port in 1_000..1_040 {
        let counts = (0..DAYS).map(|_| Some(negative_binomial(&mut random, 3_000.0, 0.02))).collect();
        sensors[0].services.push((tcp(port), counts));
    }
    sensors[0].services.push((tcp(9_999), then(constant(None), &[(DAY, Some(packets))])));
    sensors[0].unranked = vec![unranked; DAYS];
    assert_eq!(shown(&detect(Settings::default(), &sensors).surges), expected);
}

/// Where no sensor had a series, each may have had so many: that says nothing of how much they vary.
#[test]
fn a_port_that_gets_a_series_everywhere_is_new() {
    let mut random = SplitMix64::seed_from_u64(5);
    let mut sensors = quiet(5, &Shape { sensors: 20, trouble: false, ..ROUGH });
    for sensor in &mut sensors {
        sensor.unranked = vec![60; DAYS];
        let counts = (0..DAYS).map(|day| (day >= 60).then(|| negative_binomial(&mut random, 180.0, 0.02)));
        sensor.services.push((tcp(9_999), counts.collect()));
    }
    let surges = detect(Settings::default(), &sensors).surges;
    let [surge] = surges.as_slice() else { panic!("{surges:?}") };
    assert_eq!((surge.from, surge.to, surge.continues), (dates(DAYS)[60], dates(DAYS)[DAYS - 1], true));
    assert_eq!((surge.verdict, surge.sensors.len()), (SurgeVerdict::NewPort, 20));
}

/// A day after a gap may have the packets of almost two.
#[rstest]
#[case::as_ever(380, &[])]
#[case::ten_times(3_800, &["70-70 SensorOnly s0 of 3"])]
fn a_day_with_the_packets_of_two(#[case] packets: u64, #[case] expected: &[&str]) {
    let mut sensors = three(then(usual(9), &[(DAY, Some(packets))]));
    sensors[0].observed[DAY] = 1.9;
    let surges = detect(Settings::default(), &sensors).surges;
    assert_eq!(shown(&surges), expected);
    assert!(surges.iter().all(|surge| surge.sensors[0].packets == packets * 10 / 19));
}

#[test]
fn what_is_not_there_is_not_judged() {
    let mut detector = Detector::new(Settings::default(), 3, dates(5));
    for (name, days) in [("short", 1), ("long", 9), ("empty", 0)] {
        let observer = Observer { name: name.to_owned(), region: String::new(), observed: vec![1.0; days] };
        let services = vec![(tcp(23), vec![Some(1); days])];
        detector.sensor(&observer, &Counts { services, ..Counts::default() }, &Known::default());
    }
    let Findings { surges, surges_of_one, shifts, sources, method } = detector.finish();
    assert!(surges.is_empty() && surges_of_one.is_empty() && shifts.is_empty() && sources.is_empty());
    assert_eq!(method.tested, 0);
}

/// A history with some surges.
fn eventful(seed: u64) -> Vec<Sensor> {
    let random = &mut SplitMix64::seed_from_u64(seed);
    let mut sensors = quiet(seed, &ROUGH);
    for _ in 0..10 {
        let (service, day, first) =
            (random.random_range(0..20), BEFORE + random.random_range(0..60), random.random_range(0..10));
        for sensor in sensors.iter_mut().skip(first).take(1 + random.random_range(0..5)) {
            for count in sensor.services[service].1[day..].iter_mut().take(2).flatten() {
                *count *= 30;
            }
        }
    }
    sensors
}

/// Services that surge again and again must not hide each other.
#[test]
fn most_of_many_surges_are_found() {
    let seeds = [2_504_045_252_599_387_293, 1, 2, 3, 4, 5, 6, 7];
    let found = seeds.map(|seed| detect(Settings::default(), &eventful(seed)).surges.len());
    assert!(found.iter().all(|found| *found >= 5), "{found:?} of 10 each");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn order_and_slightly_shorter_days_change_nothing(seed in any::<u64>(), by in 0_usize..10) {
        let mut sensors = eventful(seed);
        let found = detect(Settings::default(), &sensors);
        let surges = &found.surges;
        prop_assert!(!surges.is_empty());
        let sorted = |a: &Surge, b: &Surge| a.to > b.to || (a.to == b.to && (a.from > b.from || (a.from == b.from && a.service <= b.service)));
        prop_assert!(surges.is_sorted_by(sorted));

        sensors.rotate_left(by);
        for sensor in &mut sensors {
            sensor.services.reverse();
            for part in &mut sensor.observed {
                if *part >= 0.99 {
                    *part = 0.95;
                }
            }
        }
        prop_assert_eq!(detect(Settings::default(), &sensors), found);
    }
}
