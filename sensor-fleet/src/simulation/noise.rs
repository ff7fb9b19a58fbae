//! Draws from the distributions that counts of packets follow.

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_distr::{Gamma, Poisson, StandardNormal};
use rand_xoshiro::SplitMix64;

/// The sequence that belongs to a seed and a place, such as a sensor's and a service's number: adding a sensor
/// changes nothing about the others.
#[must_use]
pub fn stream(seed: u64, place: [u64; 3]) -> SplitMix64 {
    let mut random = SplitMix64::seed_from_u64(seed);
    for part in place {
        random = SplitMix64::seed_from_u64(random.next_u64() ^ part.wrapping_mul(0xd6e8_feb8_6659_fd93));
    }
    random
}

/// At least 0 and below 1.
pub fn uniform(random: &mut SplitMix64) -> f64 {
    random.random()
}

/// From the normal distribution of mean 0 and deviation 1.
pub fn normal(random: &mut SplitMix64) -> f64 {
    random.sample(StandardNormal)
}

/// A factor of mean 1 that is log-normal with this deviation of its logarithm.
pub fn factor(random: &mut SplitMix64, deviation: f64) -> f64 {
    (deviation * normal(random) - deviation * deviation / 2.0).exp()
}

/// From the gamma distribution of mean 1 and this variance; at a variance of 0, it is always 1.
pub fn gamma(random: &mut SplitMix64, variance: f64) -> f64 {
    Gamma::new(1.0 / variance, variance).map_or(1.0, |gamma| random.sample(gamma))
}

/// From the Poisson distribution of this mean; at a mean of 0, nothing comes.
pub fn poisson(random: &mut SplitMix64, mean: f64) -> u64 {
    Poisson::new(mean).map_or(0, |poisson| random.sample(poisson) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever makes a history again gets the same one, on whatever machine and with whatever version.
    #[test]
    fn a_seed_always_gives_the_same() {
        let mut random = SplitMix64::seed_from_u64(0);
        let bits = [random.next_u64(), random.next_u64(), random.next_u64()];
        // As in the reference implementation (Vigna 2015).
        assert_eq!(bits, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);

        let mut random = stream(1, [2, 3, 4]);
        let counts = [0.5, 9.0, 15.0, 300.0, 1e6].map(|mean| poisson(&mut random, mean));
        assert_eq!(counts, [2, 5, 18, 297, 999_394]);
        // To nine digits: the last few depend on how a machine takes logarithms.
        let digits = |value: f64| (value * 1e9).round() as i64;
        let drawn =
            [normal(&mut random), factor(&mut random, 0.2), gamma(&mut random, 0.1), uniform(&mut random)];
        assert_eq!(drawn.map(digits), [-560_436_530, 1_136_085_595, 906_177_561, 523_712_327]);
    }

    /// Mean and variance of many draws lie within five standard errors of what they must be.
    #[test]
    fn counts_have_the_mean_and_the_variance_asked_for() {
        for (mean, dispersion) in [(0.4, 0.1), (9.0, 0.3), (11.0, 0.05), (300.0, 0.02), (1e6, 0.2)] {
            let mut random = stream(7, [1, 2, mean as u64]);
            let count = 40_000;
            let drawn: Vec<f64> = (0..count)
                .map(|_| {
                    let rate = mean * gamma(&mut random, dispersion);
                    poisson(&mut random, rate) as f64
                })
                .collect();
            let found = drawn.iter().sum::<f64>() / f64::from(count);
            let variance = drawn.iter().map(|it| (it - found).powi(2)).sum::<f64>() / f64::from(count);
            let expected = mean + dispersion * mean * mean;
            let error = (expected / f64::from(count)).sqrt();
            assert!((found - mean).abs() < 5.0 * error, "mean {found}, not {mean}");
            assert!((variance / expected - 1.0).abs() < 0.1, "variance {variance}, not {expected}");
        }
    }

    #[test]
    fn the_tail_of_a_poisson_distribution_is_right() {
        // The chance of more than 30 at a mean of 15 is 0.000195; normal tails would give 0.00003.
        let mut random = SplitMix64::seed_from_u64(3);
        let above = (0..400_000).filter(|_| poisson(&mut random, 15.0) > 30).count();
        assert!((40..125).contains(&above), "{above} of 400,000");
    }

    #[test]
    fn neighbouring_streams_differ() {
        let first = |place| stream(1, place).next_u64();
        let drawn = [first([0, 0, 1]), first([0, 1, 0]), first([1, 0, 0]), first([0, 0, 0])];
        for (at, bits) in drawn.iter().enumerate() {
            assert!(!drawn[at + 1..].contains(bits));
        }
    }
}
