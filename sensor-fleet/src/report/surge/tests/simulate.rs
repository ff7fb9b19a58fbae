//! Histories without and with a surge, seeded.

use std::f64::consts::TAU;

use jiff::civil::{Date, date};
use sensor_common::port::{Port, Transport};

use super::super::{Detector, Settings};
use crate::report::history::{Counts, Observer};
use crate::report::model::{Method, Surge};
use crate::vocabulary::service::Service;

/// Days before the first that is judged.
pub const BEFORE: usize = 28;
/// All days.
pub const DAYS: usize = BEFORE + 62;

/// A seeded generator (`SplitMix64`), and what is drawn from it.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0xd134_2543_de82_ef95));
        random.bits();
        random
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Above 0, at most 1.
    pub fn part(&mut self) -> f64 {
        (super::super::number(self.bits() >> 11) + 1.0) / super::super::number(1 << 53)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.bits() % end as u64).unwrap()
    }

    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.part().ln()).sqrt() * (TAU * self.part()).cos()
    }

    /// Marsaglia and Tsang's method.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.part().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let x = self.normal();
            let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && self.part().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 60.0 {
            // With this many the difference to a normal distribution is nothing beside the dispersion.
            return whole(mean + mean.sqrt() * self.normal());
        }
        let (mut left, mut count) = ((-mean).exp(), 0);
        let mut draw = self.part();
        while draw > left && count < 1_000 {
            draw -= left;
            count += 1;
            left *= mean / super::super::number(count);
        }
        count
    }

    pub fn negative_binomial(&mut self, mean: f64, dispersion: f64) -> u64 {
        let level = self.gamma(1.0 / dispersion) * dispersion * mean;
        self.poisson(level)
    }
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
    Service::Port(Port { transport: Transport::Tcp, number: u16::try_from(number).unwrap() })
}

pub fn dates(days: usize) -> Vec<Date> {
    date(2023, 10, 1).series(jiff::Span::new().days(1)).take(days).collect()
}

/// A level that is near today what it was yesterday.
fn wander(random: &mut Random, deviation: f64) -> Vec<f64> {
    let kept = random.one_of(&[0.0, 0.5, 0.9_f64]);
    let mut level = random.normal();
    (0..DAYS)
        .map(|_| {
            level = kept * level + (1.0 - kept * kept).sqrt() * random.normal();
            (deviation * level).exp()
        })
        .collect()
}

fn observed(random: &mut Random, shape: &Shape, sensor: usize) -> Vec<f64> {
    let mut observed = vec![1.0; DAYS];
    if !shape.trouble {
        return observed;
    }
    if sensor.is_multiple_of(4) {
        let (from, length) = (random.below(DAYS), 1 + random.below(20));
        observed.iter_mut().skip(from).take(length).for_each(|part| *part = 0.0);
    }
    if sensor % 5 == 1 {
        let born = random.below(60);
        observed.iter_mut().take(born).for_each(|part| *part = 0.0);
    }
    for _ in 0..3 {
        let at = random.below(DAYS);
        observed[at] = f64::min(observed[at], random.one_of(&[0.3, 0.85, 0.93, 0.99]));
    }
    observed
}

/// A history in which nothing surges. Half of the sensors are in `japan`, the others in `overseas`.
pub fn quiet(seed: u64, shape: &Shape) -> Vec<Sensor> {
    let random = &mut Random::new(seed);
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
        let mean = (least + (most - least) * random.part()).exp();
        let dispersion = random.one_of(shape.dispersions);
        // Doubles, or halves, in 90 days; or neither.
        let drift = random.one_of(&[-1.0, 0.0, 1.0]);
        let (weekly, phase) = (0.2 * random.part(), TAU * random.part());
        let together = (service % 2 == 0).then(|| wander(random, shape.wandering));
        for sensor in &mut sensors {
            let alone = together.is_none().then(|| wander(random, shape.wandering));
            let level = together.as_ref().or(alone.as_ref()).unwrap();
            let own = (shape.spread * random.normal()).exp();
            let dispersion = dispersion * (shape.spread * random.normal()).exp();
            let mut born = !shape.trouble || service % 3 != 0;
            let counts = (0..DAYS).map(|day| {
                let usual = mean
                    * own
                    * (drift * index(day) / 90.0).exp2()
                    * (1.0 + weekly * (TAU * index(day) / 7.0 + phase).sin())
                    * level[day]
                    * sensor.observed[day];
                let count = if usual > 0.0 { random.negative_binomial(usual, dispersion) } else { 0 };
                born |= count > 0;
                (sensor.observed[day] > 0.0 && born).then_some(count)
            });
            let counts = counts.collect();
            sensor.services.push((tcp(service), counts));
        }
    }
    sensors
}

pub fn detect(settings: Settings, sensors: &[Sensor]) -> (Vec<Surge>, Method) {
    let mut detector = Detector::new(settings, BEFORE, dates(DAYS));
    for Sensor { name, region, observed, services, unranked } in sensors.iter().cloned() {
        detector
            .sensor(&Observer { name, region, observed }, &Counts { services, all: Vec::new(), unranked });
    }
    detector.finish()
}
