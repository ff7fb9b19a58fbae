//! Fleets in which nothing happens but noise, of the kinds that darknets have.

use std::f64::consts::TAU;

use rand_xoshiro::SplitMix64;
use sensor_fleet::simulation::noise::{gamma, normal, poisson, stream, uniform};

/// How a service's level varies from day to day on the sensors of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// Gamma-Poisson, with a weekly cycle and drift that sensors share.
    Gamma,
    /// Log-normal and autoregressive, half of it shared by sensors.
    Autoregressive,
    /// Log-normal, with this coefficient of variation in hundredths.
    Lognormal(u32),
    /// Log-normal, from cell to cell with another spread.
    Spreads,
    /// Student's t with 4 degrees of freedom, on logarithms.
    Student,
}

/// All of them.
pub const ALL: [Noise; 7] = [
    Noise::Gamma,
    Noise::Autoregressive,
    Noise::Lognormal(53),
    Noise::Lognormal(80),
    Noise::Lognormal(112),
    Noise::Spreads,
    Noise::Student,
];

/// Packets of cells by day: of each service 5 to 50,000 a day, on a sensor half or twice as many.
pub fn fleet(noise: Noise, sensors: usize, services: usize, days: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut random = stream(seed, [7, 0, 0]);
    let mut cells = Vec::new();
    for _ in 0..services {
        let mean = (5.0_f64.ln() + 10_000.0_f64.ln() * uniform(&mut random)).exp();
        for factors in noise.factors(&mut random, sensors, days) {
            let own = mean * (0.5 * normal(&mut random)).exp();
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            cells.push(factors.iter().map(|factor| poisson(&mut random, own * factor) as f64).collect());
        }
    }
    cells
}

impl Noise {
    /// The factors of a service by sensor and day.
    #[expect(clippy::cast_precision_loss, reason = "a few days")]
    fn factors(self, random: &mut SplitMix64, sensors: usize, days: usize) -> Vec<Vec<f64>> {
        match self {
            Self::Gamma => {
                let dispersion = 0.02 + 0.18 * uniform(random).powi(2);
                let (weekly, phase) = (0.25 * uniform(random), TAU * uniform(random));
                let drift = 2.0 * uniform(random) - 1.0;
                let usual = |day: usize| {
                    let day = day as f64;
                    (drift * day / 90.0).exp2() * (1.0 + weekly * (TAU * day / 7.0 + phase).sin())
                };
                each(sensors, days, |day| usual(day) * gamma(random, dispersion))
            }
            Self::Autoregressive => {
                let (kept, deviation) = (0.3 + 0.5 * uniform(random), 0.2 + 0.15 * uniform(random));
                let shared = walk(random, kept, days);
                let own: Vec<Vec<f64>> = (0..sensors).map(|_| walk(random, kept, days)).collect();
                let factor = |own: &Vec<f64>| {
                    let both = own.iter().zip(&shared);
                    both.map(|(own, shared)| (deviation * (own + shared) / 2.0_f64.sqrt()).exp()).collect()
                };
                own.iter().map(factor).collect()
            }
            Self::Lognormal(hundredths) => {
                let variation = f64::from(hundredths) / 100.0;
                let deviation = (variation * variation).ln_1p().sqrt();
                each(sensors, days, |_| (deviation * normal(random)).exp())
            }
            Self::Spreads => (0..sensors)
                .map(|_| {
                    // 0.1 to 1.
                    let deviation = 0.1 * (10.0_f64.ln() * uniform(random)).exp();
                    (0..days).map(|_| (deviation * normal(random)).exp()).collect()
                })
                .collect(),
            Self::Student => each(sensors, days, |_| {
                (0.3 * normal(random) / gamma(random, 0.5).sqrt()).clamp(-12.0, 12.0).exp()
            }),
        }
    }
}

fn each(sensors: usize, days: usize, mut factor: impl FnMut(usize) -> f64) -> Vec<Vec<f64>> {
    (0..sensors).map(|_| (0..days).map(&mut factor).collect()).collect()
}

/// Of variance 1, of which a day keeps this part of the day before.
fn walk(random: &mut SplitMix64, kept: f64, days: usize) -> Vec<f64> {
    let mut level = normal(random);
    let mut step = || {
        level = kept * level + (1.0 - kept * kept).sqrt() * normal(random);
        level
    };
    (0..days).map(|_| step()).collect()
}
