//! The noises of darknets: how a service's level varies on the sensors of a fleet while nothing happens.
//!
//! Each is a factor by day, with which the mean of a cell's packets is multiplied before they are counted.

use std::f64::consts::TAU;

use rand_xoshiro::SplitMix64;

use crate::simulation::noise::{gamma, normal, poisson, uniform};

/// A kind of noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Noise {
    /// Gamma-Poisson, with a weekly cycle and drift that sensors share
    Gamma,
    /// Log-normal and autoregressive, half of it shared by sensors
    Autoregressive,
    /// Log-normal, coefficient of variation 0.53
    Lognormal53,
    /// Log-normal, coefficient of variation 0.80
    Lognormal80,
    /// Log-normal, coefficient of variation 1.12
    Lognormal112,
    /// Log-normal, from cell to cell with another spread
    Spreads,
    /// Student's t with 4 degrees of freedom, on logarithms
    Student,
    /// Half of the packets from few sources whose shares follow Pareto's law
    Loud,
}

impl Noise {
    /// All of them, loud single sources last.
    pub const ALL: [Self; 8] = [
        Self::Gamma,
        Self::Autoregressive,
        Self::Lognormal53,
        Self::Lognormal80,
        Self::Lognormal112,
        Self::Spreads,
        Self::Student,
        Self::Loud,
    ];

    /// As a table has it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gamma => "gamma-Poisson, weekly cycle, drift",
            Self::Autoregressive => "lognormal AR(1), half shared",
            Self::Lognormal53 => "lognormal, CV 0.53",
            Self::Lognormal80 => "lognormal, CV 0.80",
            Self::Lognormal112 => "lognormal, CV 1.12",
            Self::Spreads => "lognormal, cells of different spread",
            Self::Student => "Student t, 4 degrees",
            Self::Loud => "loud single sources",
        }
    }

    /// The factors of a service by sensor and day, each above 0.
    #[must_use]
    pub fn factors(self, random: &mut SplitMix64, sensors: usize, days: usize) -> Vec<Vec<f64>> {
        self.drawn(random, sensors, days).0
    }

    /// The same, and by sensor and day what single sources have of each, if any is loud.
    pub(super) fn drawn(self, random: &mut SplitMix64, sensors: usize, days: usize) -> (Vec<Vec<f64>>, Loud) {
        let factors = match self {
            Self::Gamma => {
                let dispersion = 0.02 + 0.18 * uniform(random).powi(2);
                let (weekly, phase) = (0.25 * uniform(random), TAU * uniform(random));
                // At most twice or half as much in 90 days.
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
            Self::Lognormal53 => lognormal(random, sensors, days, 0.53),
            Self::Lognormal80 => lognormal(random, sensors, days, 0.8),
            Self::Lognormal112 => lognormal(random, sensors, days, 1.12),
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
            Self::Loud => return loud(random, sensors, days),
        };
        (factors, Loud::new())
    }
}

/// What single sources have of a service, by sensor and day; each day has sources of its own.
pub(super) type Loud = Vec<Vec<Vec<f64>>>;

/// Of a day's packets, half are about the same from day to day, and half of some sources.
fn loud(random: &mut SplitMix64, sensors: usize, days: usize) -> (Vec<Vec<f64>>, Loud) {
    let mut all = Loud::new();
    let factors = (0..sensors).map(|_| {
        let mut of_days = Vec::with_capacity(days);
        let factors = (0..days).map(|_| {
            let sources = poisson(random, 20.0);
            // Pareto's law with this exponent has a mean of six.
            let sent = (0..sources).map(|_| (1.0 - uniform(random)).powf(-1.0 / 1.2));
            let sent: Vec<f64> = sent.map(|sent| 0.5 * sent / 120.0).collect();
            let factor = 0.5 * gamma(random, 0.03) + sent.iter().sum::<f64>();
            of_days.push(sent);
            factor
        });
        let factors: Vec<f64> = factors.collect();
        all.push(of_days);
        factors
    });
    let factors = factors.collect();
    (factors, all)
}

fn each(sensors: usize, days: usize, mut factor: impl FnMut(usize) -> f64) -> Vec<Vec<f64>> {
    (0..sensors).map(|_| (0..days).map(&mut factor).collect()).collect()
}

fn lognormal(random: &mut SplitMix64, sensors: usize, days: usize, variation: f64) -> Vec<Vec<f64>> {
    let deviation = (variation * variation).ln_1p().sqrt();
    each(sensors, days, |_| (deviation * normal(random)).exp())
}

/// Of variance 1, of which a day keeps this part of the day before.
fn walk(random: &mut SplitMix64, kept: f64, days: usize) -> Vec<f64> {
    let mut level = normal(random);
    (0..days)
        .map(|_| {
            level = kept * level + (1.0 - kept * kept).sqrt() * normal(random);
            level
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::simulation::noise::stream;

    /// Standard deviation of the logarithms, and the part of them beyond four of it.
    #[rstest]
    #[case::lognormal_53(Noise::Lognormal53, 0.497, 0.0)]
    #[case::lognormal_80(Noise::Lognormal80, 0.703, 0.0)]
    #[case::lognormal_112(Noise::Lognormal112, 0.902, 0.0)]
    // The deviation of Student's law with 4 degrees is the root of 2.
    #[case::student(Noise::Student, 0.424, 0.0048)]
    fn logarithms_are_spread(#[case] noise: Noise, #[case] expected: f64, #[case] beyond: f64) {
        let all = noise.factors(&mut stream(1, [0; 3]), 200, 500);
        let lns: Vec<f64> = all.iter().flatten().map(|factor| factor.ln()).collect();
        let deviation = (lns.iter().map(|ln| ln * ln).sum::<f64>() / lns.len() as f64).sqrt();
        assert!((deviation / expected - 1.0).abs() < 0.1, "{deviation} instead of {expected}");
        let far = lns.iter().filter(|ln| ln.abs() > 4.0 * expected).count() as f64 / lns.len() as f64;
        assert!((far - beyond).abs() < 0.3 * beyond + 0.0003, "{far} instead of {beyond}");
    }

    #[test]
    fn half_of_the_autoregressive_noise_is_shared() {
        let all = Noise::Autoregressive.factors(&mut stream(1, [0; 3]), 2, 40_000);
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a.ln() * b.ln()).sum::<f64>();
        let correlation =
            product(&all[0], &all[1]) / (product(&all[0], &all[0]) * product(&all[1], &all[1])).sqrt();
        assert!((correlation - 0.5).abs() < 0.05, "{correlation}");
    }
}
