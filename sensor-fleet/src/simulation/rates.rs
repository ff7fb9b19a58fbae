//! How many packets a day a sensor is to expect.

use rand::RngExt as _;
use rand_xoshiro::SplitMix64;

use super::noise::{factor, gamma, stream};
use super::plan::Plan;

/// Packets that an address receives in a day.
const PER_ADDRESS: f64 = 6_900.0;

/// The packets a day that a sensor expects for a service, day by day, noise included; and the sequence to go on
/// drawing counts from.
#[must_use]
pub fn rates(plan: &Plan, sensor: usize, service: usize) -> (Vec<f64>, SplitMix64) {
    let (it, about) = (&plan.sensors[sensor], &plan.services[service]);
    let seed = plan.options.seed;
    let mut regional = stream(seed, [7, it.region as u64, service as u64]);
    let mut random = stream(seed, [8, sensor as u64, service as u64]);
    let place = factor(&mut regional, 0.25) * factor(&mut random, 0.2) * it.scale;
    let usual = PER_ADDRESS * f64::from(it.addresses) * about.share * place;
    let surges: Vec<_> = plan.surges.iter().filter(|it| it.service == service && it.seen[sensor]).collect();
    let of_day = |(day, pulse): (usize, &f64)| {
        let noise = gamma(&mut random, about.dispersion);
        if about.born.is_some_and(|born| day < born) {
            return 0.0;
        }
        surges.iter().fold(usual * pulse, |rate, surge| surge.apply(rate, it.addresses, day)) * noise
    };
    let rates = about.pulse.iter().enumerate().map(of_day).collect();
    (rates, random)
}

/// A day's pattern: what the rate of each of its hours is multiplied by; their mean is 1.
#[must_use]
pub fn hours(plan: &Plan, service: usize) -> [f64; 24] {
    let mut random = stream(plan.options.seed, [9, service as u64, 0]);
    let phase = f64::from(random.random_range(0..24));
    std::array::from_fn(|hour| 1.0 + 0.15 * (std::f64::consts::TAU * (hour as f64 - phase) / 24.0).cos())
}
