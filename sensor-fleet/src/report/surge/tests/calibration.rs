//! The promised rate is kept on histories without a surge, and surges are found with the right verdict.

use std::ops::Range;

use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;
use rstest::rstest;

use super::super::{Findings, Settings};
use super::simulate::{BEFORE, DAYS, ROUGH, Shape, dates, detect, quiet, tcp, whole};
use super::{judged, may_be_wrong};
use crate::vocabulary::verdict::SurgeVerdict;

/// Every cell is independent and its true distribution the assumed one; what is tested is the estimates.
const STEADY: Shape = Shape { dispersions: &[0.02, 0.05, 0.1], wandering: 0.0, trouble: false, ..ROUGH };

fn is_wrong(findings: &Findings) -> bool {
    !findings.surges.is_empty() || !findings.shifts.is_empty()
}

#[rstest]
#[case::of_every_kind(ROUGH, 200)]
#[case::steady(STEADY, 100)]
#[case::few_sensors(Shape { sensors: 1, services: 60, ..ROUGH }, 200)]
#[case::bursts(Shape { dispersions: &[1.0, 2.0], ..ROUGH }, 100)]
#[case::small_counts(Shape { means: (0.0, 3.0), ..ROUGH }, 100)]
fn chance_is_no_surge(#[case] shape: Shape, #[case] reports: u64) {
    let reports = judged(reports);
    let wrong = (0..reports).filter(|seed| is_wrong(&detect(Settings::default(), &quiet(*seed, &shape))));
    let wrong = wrong.count() as u64;
    println!("{wrong} of {reports} reports have a false alarm");
    assert!(wrong <= may_be_wrong(reports), "{wrong} of {reports} reports have a false alarm");
}

/// Ports that are much alike, of which sensors export two thirds: every few days one takes the place of another.
const CROWDED: Shape =
    Shape { sensors: 3, services: 90, means: (7.8, 8.2), spread: 0.1, trouble: false, ..STEADY };
/// How many of them have a series.
const PLACES: usize = 60;

/// Configured ports keep theirs, with a hundredth of the packets.
#[rstest]
#[case::all_may_lose_theirs(0)]
#[case::half_are_configured(PLACES / 2)]
fn a_port_that_takes_the_place_of_another_is_no_surge(#[case] configured: usize) {
    let reports = judged(100);
    let wrong = (0..reports).filter(|seed| {
        let mut sensors = quiet(*seed, &CROWDED);
        let mut random = SplitMix64::seed_from_u64(*seed);
        for sensor in &mut sensors {
            for count in sensor.services[..configured].iter_mut().flat_map(|(_, days)| days).flatten() {
                *count /= 100;
            }
            let mut order: Vec<usize> = (0..sensor.services.len()).collect();
            sensor.unranked = vec![0; DAYS];
            for day in 0..DAYS {
                if random.random_range(0..3) == 0 {
                    let out = configured + random.random_range(0..PLACES - configured);
                    let into = PLACES + random.random_range(0..order.len() - PLACES);
                    order.swap(out, into);
                }
                for &hidden in &order[PLACES..] {
                    sensor.unranked[day] += sensor.services[hidden].1[day].take().unwrap_or(0);
                }
            }
        }
        is_wrong(&detect(Settings::default(), &sensors))
    });
    let wrong = wrong.count() as u64;
    println!("{wrong} of {reports} reports have a false alarm");
    assert!(20 * wrong <= reports, "{wrong} of {reports} reports have a false alarm");
}

/// Ports with 200 packets a day on each of twenty sensors, in their weekly pattern.
const PORTS: Shape = Shape {
    sensors: 20,
    services: 10,
    // 200.
    means: (5.298, 5.298),
    dispersions: &[0.02],
    spread: 0.0,
    wandering: 0.0,
    trouble: false,
};

/// In how many of these reports two days with `times` the packets at `surging` sensors are found, with this verdict.
fn found(reports: u64, times: f64, surging: &Range<usize>, verdict: SurgeVerdict) -> u64 {
    let found = (0..reports).filter(|seed| {
        let day = BEFORE + 30;
        let mut sensors = quiet(*seed, &PORTS);
        for sensor in &mut sensors[surging.clone()] {
            for count in sensor.services[3].1[day..day + 2].iter_mut().flatten() {
                *count = whole(times * super::super::number(*count));
            }
        }
        let surges = detect(Settings::default(), &sensors).surges;
        let days = &dates(DAYS)[day..day + 2];
        surges.iter().any(|surge| {
            surge.service == tcp(3)
                && days.contains(&surge.peak)
                && (surge.verdict, surge.judged) == (verdict, 20)
        })
    });
    found.count() as u64
}

#[rstest]
#[case::one_sensor(7..8, SurgeVerdict::SensorOnly)]
#[case::a_region(10..20, SurgeVerdict::RegionOnly)]
#[case::everywhere(0..20, SurgeVerdict::Global)]
#[case::some(7..13, SurgeVerdict::Mixed)]
fn a_surge_is_found(#[case] surging: Range<usize>, #[case] verdict: SurgeVerdict) {
    let reports = judged(100);
    let found = found(reports, 4.0, &surging, verdict);
    println!("{found} of {reports} found as {verdict:?}");
    assert!(100 * found >= 95 * reports, "{found} of {reports} found as {verdict:?}");
}

#[test]
fn half_as_much_again_is_no_surge() {
    assert_eq!(found(judged(100), 1.5, &(7..8), SurgeVerdict::SensorOnly), 0);
}
