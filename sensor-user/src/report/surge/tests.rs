//! Histories that a seed makes: how often nothing is taken for something, and whether something is found.

use rstest::rstest;

use super::super::model::Verdict;
use super::*;

const DAYS: usize = 60;
const FIRST: usize = 28;

/// A generator of numbers (splitmix64, Steele and others 2014).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (number(bits >> 11) + 0.5) / number(1 << 53)
    }

    fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Marsaglia and Tsang (2000), with scale 1.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = self.uniform().powf(1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let x = self.normal();
            let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
    fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (mut left, mut count) = (self.uniform(), 0);
        while left > (-mean).exp() {
            left *= self.uniform();
            count += 1;
        }
        count
    }

    /// Days of a service: over-dispersed, with a week, a drift and a level that wanders.
    fn service(&mut self, mean: f64, dispersion: f64) -> Vec<u64> {
        let (phase, drift) = (self.uniform() * 7.0, self.normal() * 0.5);
        let mut wander = 0.2 * self.normal();
        (0..DAYS)
            .map(|day| {
                let at = number(day as u64);
                wander = 0.7 * wander + 0.2 * (1.0f64 - 0.49).sqrt() * self.normal();
                let week = 1.0 + 0.2 * (std::f64::consts::TAU * (at + phase) / 7.0).sin();
                let level = mean * week * (wander + drift * at / 90.0).exp();
                let noisy = level * self.gamma(1.0 / dispersion) * dispersion;
                self.poisson(noisy)
            })
            .collect()
    }
}

fn dates() -> Vec<Date> {
    let first: Date = "2023-09-03".parse().unwrap();
    first.series(jiff::Span::new().days(1)).take(DAYS).collect()
}

fn service(at: u64) -> Service {
    Service::from_labels("tcp", &(at + 1).to_string()).unwrap()
}

/// A fleet of twenty sensors in two regions; `change` alters a sensor's services before they are judged.
fn found(
    seed: u64,
    services: u64,
    mut change: impl FnMut(usize, u64, &mut Vec<u64>),
) -> (Vec<Surge>, Method) {
    let mut random = Random(seed);
    let mut detector = Detector::new(Settings::default(), FIRST, dates());
    for sensor in 0..20 {
        let region = if sensor < 10 { "japan" } else { "overseas" };
        let mut observed = vec![1.0; DAYS];
        // An outage of three days and a part of one; and a sensor that was born late.
        let outage = if sensor % 4 == 0 { 20 + sensor..24 + sensor } else { 0..0 };
        for day in outage {
            observed[day] = if day % 4 == 3 { 0.5 } else { 0.0 };
        }
        let birth = if sensor == 7 { 35 } else { 0 };
        observed[..birth].fill(0.0);
        let cells: Vec<_> = (0..services)
            .map(|at| {
                let mean = 5.0 * 2.0f64.powf(13.0 * number(at) / number(services));
                let dispersion = [0.02, 0.05, 0.1, 0.2][usize::try_from(at % 4).unwrap()];
                let mut days = random.service(mean, dispersion);
                change(sensor, at, &mut days);
                let cell = |(day, share): (usize, &f64)| {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "a part of it"
                    )]
                    (*share > 0.0).then_some((number(days[day]) * share) as u64)
                };
                (service(at), observed.iter().enumerate().map(cell).collect())
            })
            .collect();
        detector.sensor(&format!("s{sensor:02}"), region, &observed, &cells);
    }
    detector.finish()
}

#[test]
fn nothing_is_seldom_taken_for_something() {
    let reports = 20;
    let alarms: Vec<_> = (0..reports)
        .map(|seed| found(seed, 12, |_, _, _| ()).0)
        .filter(|surges| !surges.is_empty())
        .collect();
    // The promise is one report in twenty; five in twenty have a chance of three in a thousand then.
    assert!(alarms.len() <= 4, "{} of {reports} reports: {alarms:?}", alarms.len());
}

#[rstest]
#[case::one_sensor(3..4, Verdict::SensorOnly)]
#[case::a_region(10..20, Verdict::RegionOnly)]
#[case::everywhere(0..20, Verdict::Global)]
#[case::here_and_there(8..12, Verdict::Mixed)]
fn what_is_there_is_found(#[case] sensors: std::ops::Range<usize>, #[case] verdict: Verdict) {
    let (reports, day) = (20, 50);
    let right = (0..reports)
        .filter(|&seed| {
            let (surges, _) = found(1000 + seed, 12, |sensor, at, days| {
                if sensors.contains(&sensor) && at == 5 {
                    days[day] *= 20;
                }
            });
            surges.iter().any(|surge| {
                surge.service == service(5) && surge.peak == dates()[day] && surge.verdict == verdict
            })
        })
        .count();
    assert!(right * 20 >= 19 * usize::try_from(reports).unwrap(), "{right} of {reports}");
}

#[test]
fn a_port_that_nobody_knew_is_new() {
    let (surges, method) = found(5, 4, |_, at, days| {
        if at == 0 {
            days[..50].fill(0);
            days[50..].fill(400);
        }
    });
    let [surge] = &surges[..] else { panic!("{surges:?}") };
    assert_eq!((surge.verdict, surge.from), (Verdict::NewPort, dates()[50]));
    assert_eq!((surge.judged, surge.sensors.len()), (20, 20));
    assert!(surge.sensors.iter().all(|sensor| sensor.packets == 400 && sensor.baseline < 1.0));
    assert_eq!((method.floor, method.baseline_days), (100, 28));
}

#[test]
fn a_loud_source_is_seen_where_it_is_and_nowhere_else() {
    let (surges, _) = found(6, 12, |sensor, at, days| {
        if (sensor, at) == (2, 6) {
            days[45] += 1_000_000;
        }
    });
    let [surge] = &surges[..] else { panic!("{surges:?}") };
    assert_eq!((surge.verdict, surge.sensors[0].sensor.as_str()), (Verdict::SensorOnly, "s02"));
}

#[rstest]
#[case::too_few_days(6, 1.0, 0)]
#[case::enough_days(7, 1.0, 1)]
#[case::half_a_day(20, 0.5, 0)]
fn only_whole_days_with_a_baseline_are_judged(
    #[case] before: usize,
    #[case] observed: f64,
    #[case] tested: u64,
) {
    let dates = dates()[..=before].to_vec();
    let mut detector = Detector::new(Settings::default(), before, dates);
    let mut shares = vec![1.0; before + 1];
    shares[before] = observed;
    detector.sensor("a", "", &shares, &[(service(0), vec![Some(1); before + 1])]);
    assert_eq!(detector.finish().1.tested, tested);
}
