//! Histories without and with a surge, seeded.

use std::f64::consts::TAU;

use jiff::civil::{Date, date};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;
use sensor_common::port::Port;

use super::super::{Detector, Findings, Settings};
use crate::report::history::{Counts, Observer};
use crate::report::known::Known;
use crate::simulation::noise::{gamma, normal, poisson, uniform};
use crate::vocabulary::service::Service;

/// Days before the first that is judged.
pub const BEFORE: usize = 28;
/// All days.
pub const DAYS: usize = BEFORE + 62;

fn one_of<T: Copy>(random: &mut SplitMix64, of: &[T]) -> T {
    *of.choose(random).unwrap()
}

/// A count with this dispersion: the variance, less the mean, over the square of the mean.
pub fn negative_binomial(random: &mut SplitMix64, mean: f64, dispersion: f64) -> u64 {
    let level = mean * gamma(random, dispersion);
    poisson(random, level)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and not below 0")]
pub fn whole(value: f64) -> u64 {
    value.round().max(0.0) as u64
}

fn index(day: usize) -> f64 {
    super::super::number(day as u64)
}

/// How a history is made.
#[derive(Clone, Copy)]
pub struct Shape {
    pub sensors: usize,
    pub services: usize,
    /// Logarithms of the least and the largest mean.
    pub means: (f64, f64),
    pub dispersions: &'static [f64],
    /// Standard deviation of the logarithm of a service's mean, and of its dispersion, from sensor to sensor.
    pub spread: f64,
    /// Standard deviation of the logarithm of a level that goes on from day to day.
    pub wandering: f64,
    /// Outages, late sensors, restarts, ports without a series until they are first seen.
    pub trouble: bool,
}

/// Everything that is no surge.
pub const ROUGH: Shape = Shape {
    sensors: 10,
    services: 20,
    // 5 and 50,000.
    means: (1.609, 10.82),
    dispersions: &[0.005, 0.02, 0.05, 0.1, 0.3, 1.0],
    spread: 0.5,
    wandering: 0.2,
    trouble: true,
};

/// A sensor's history.
#[derive(Clone)]
pub struct Sensor {
    pub name: String,
    pub region: String,
    pub observed: Vec<f64>,
    pub services: Vec<(Service, Vec<Option<u64>>)>,
    /// Packets of services without a series, by day.
    pub unranked: Vec<u64>,
}

pub fn tcp(number: usize) -> Service {
    Service::Port(Port::tcp(u16::try_from(number).unwrap()))
}

pub fn dates(days: usize) -> Vec<Date> {
    date(2023, 10, 1).series(jiff::Span::new().days(1)).take(days).collect()
}

/// A level that is near today what it was yesterday.
fn wander(random: &mut SplitMix64, deviation: f64) -> Vec<f64> {
    let kept = one_of(random, &[0.0, 0.5, 0.9_f64]);
    let mut level = normal(random);
    (0..DAYS)
        .map(|_| {
            level = kept * level + (1.0 - kept * kept).sqrt() * normal(random);
            (deviation * level).exp()
        })
        .collect()
}

fn observed(random: &mut SplitMix64, shape: &Shape, sensor: usize) -> Vec<f64> {
    let mut observed = vec![1.0; DAYS];
    if !shape.trouble {
        return observed;
    }
    if sensor.is_multiple_of(4) {
        let (from, length) = (random.random_range(0..DAYS), 1 + random.random_range(0..20));
        observed.iter_mut().skip(from).take(length).for_each(|part| *part = 0.0);
    }
    if sensor % 5 == 1 {
        let born = random.random_range(0..60);
        observed.iter_mut().take(born).for_each(|part| *part = 0.0);
    }
    for _ in 0..3 {
        let at = random.random_range(0..DAYS);
        observed[at] = f64::min(observed[at], one_of(random, &[0.3, 0.85, 0.93, 0.99]));
    }
    observed
}

/// A history in which nothing surges. Half of the sensors are in `japan`, the others in `overseas`.
pub fn quiet(seed: u64, shape: &Shape) -> Vec<Sensor> {
    let random = &mut SplitMix64::seed_from_u64(seed);
    let mut sensors: Vec<Sensor> = (0..shape.sensors)
        .map(|sensor| Sensor {
            name: format!("s{sensor}"),
            region: if 2 * sensor < shape.sensors { "japan" } else { "overseas" }.to_owned(),
            observed: observed(random, shape, sensor),
            services: Vec::new(),
            unranked: Vec::new(),
        })
        .collect();
    for service in 0..shape.services {
        let (least, most) = shape.means;
        let mean = (least + (most - least) * uniform(random)).exp();
        let dispersion = one_of(random, shape.dispersions);
        // Doubles, or halves, in 90 days; or neither.
        let drift = one_of(random, &[-1.0, 0.0, 1.0]);
        let (weekly, phase) = (0.2 * uniform(random), TAU * uniform(random));
        let together = (service % 2 == 0).then(|| wander(random, shape.wandering));
        for sensor in &mut sensors {
            let alone = together.is_none().then(|| wander(random, shape.wandering));
            let level = together.as_ref().or(alone.as_ref()).unwrap();
            let own = (shape.spread * normal(random)).exp();
            let dispersion = dispersion * (shape.spread * normal(random)).exp();
            let mut born = !shape.trouble || service % 3 != 0;
            let counts = (0..DAYS).map(|day| {
                let usual = mean
                    * own
                    * (drift * index(day) / 90.0).exp2()
                    * (1.0 + weekly * (TAU * index(day) / 7.0 + phase).sin())
                    * level[day]
                    * sensor.observed[day];
                let count = if usual > 0.0 { negative_binomial(random, usual, dispersion) } else { 0 };
                born |= count > 0;
                (sensor.observed[day] > 0.0 && born).then_some(count)
            });
            let counts = counts.collect();
            sensor.services.push((tcp(service), counts));
        }
    }
    sensors
}

pub fn detect(settings: Settings, sensors: &[Sensor]) -> Findings {
    let mut detector = Detector::new(settings, BEFORE, dates(DAYS));
    for Sensor { name, region, observed, services, unranked } in sensors.iter().cloned() {
        let counts = Counts { services, all: Vec::new(), unranked };
        detector.sensor(&Observer { name, region, observed }, &counts, &Known::default());
    }
    detector.finish()
}
