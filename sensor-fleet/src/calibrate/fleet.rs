//! A quarter of a made-up fleet.

use rand_xoshiro::SplitMix64;

use super::noise::{Loud, Noise};
use crate::report::surge::Settings;
use crate::simulation::noise::{normal, poisson, stream, uniform};

/// Days of the quarter that is judged.
pub(super) const QUARTER: usize = 92;
/// Days before it.
pub(super) const BEFORE: usize = Settings::BASELINE_DAYS;
/// All.
pub(super) const DAYS: usize = BEFORE + QUARTER;
/// Sensors of the first region; the others are in the second.
pub(super) const fn home(sensors: usize) -> usize {
    sensors.div_ceil(2)
}

/// Expected packets by service, sensor and day, noise included.
#[derive(Clone, Debug)]
pub(super) struct Fleet {
    pub(super) sensors: usize,
    pub(super) levels: Vec<Vec<Vec<f64>>>,
    /// What single sources have of these, by service; nothing of noises in which none is loud.
    pub(super) loud: Vec<Loud>,
    pub(super) random: SplitMix64,
}

impl Fleet {
    /// In which nothing happens. A service has 5 to 50,000 packets a day, on a sensor half or twice as many.
    pub(super) fn new(noise: Noise, sensors: usize, services: usize, seed: u64, place: [u64; 3]) -> Self {
        let mut random = stream(seed, place);
        let (levels, loud) = (0..services)
            .map(|_| {
                let mean = (5.0_f64.ln() + 10_000.0_f64.ln() * uniform(&mut random)).exp();
                let (mut factors, mut loud) = noise.drawn(&mut random, sensors, DAYS);
                for (sensor, factors) in factors.iter_mut().enumerate() {
                    let own = mean * (0.5 * normal(&mut random)).exp();
                    for factor in factors.iter_mut().chain(sources(&mut loud, sensor)) {
                        *factor *= own;
                    }
                }
                (factors, loud)
            })
            .unzip();
        Self { sensors, levels, loud, random }
    }

    /// Gives a service this mean at all sensors, and keeps its noise.
    pub(super) fn set_level(&mut self, service: usize, packets: f64) {
        for (sensor, days) in self.levels[service].iter_mut().enumerate() {
            let mut sorted = days.clone();
            sorted.sort_by(f64::total_cmp);
            let usual = sorted[sorted.len() / 2];
            for day in days.iter_mut().chain(sources(&mut self.loud[service], sensor)) {
                *day *= packets / usual;
            }
        }
    }

    /// Counts packets: of each sensor, by service and day.
    pub(super) fn counts(&mut self, sensor: usize) -> Vec<Vec<u64>> {
        let Self { levels, random, .. } = self;
        levels.iter().map(|of| of[sensor].iter().map(|level| poisson(random, *level)).collect()).collect()
    }
}

/// What single sources have on a sensor, on all days.
fn sources(loud: &mut Loud, sensor: usize) -> impl Iterator<Item = &mut f64> {
    loud.get_mut(sensor).into_iter().flatten().flatten()
}
