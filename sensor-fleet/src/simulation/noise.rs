//! Draws from the distributions that counts of packets follow.

use super::random::Random;

/// The sequence that belongs to a seed and a place, such as a sensor's and a service's number: adding a sensor
/// changes nothing about the others.
#[must_use]
pub fn stream(seed: u64, place: [u64; 3]) -> Random {
    let mut random = Random::new(seed);
    for part in place {
        random = Random::new(random.bits() ^ part.wrapping_mul(0xd6e8_feb8_6659_fd93));
    }
    random
}

/// At least 0 and below 1.
pub fn uniform(random: &mut Random) -> f64 {
    // 53 bits: as many as the fraction of an f64 has.
    (random.bits() >> 11) as f64 / (1_u64 << 53) as f64
}

/// From the normal distribution of mean 0 and deviation 1 (Box and Muller 1958).
pub fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(random)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(random)).cos()
}

/// A factor of mean 1 that is log-normal with this deviation of its logarithm.
pub fn factor(random: &mut Random, deviation: f64) -> f64 {
    (deviation * normal(random) - deviation * deviation / 2.0).exp()
}

/// From the gamma distribution of mean 1 and this variance, which is above 0 and at most 1 (Marsaglia and Tsang
/// 2000).
pub fn gamma(random: &mut Random, variance: f64) -> f64 {
    let shape = 1.0 / variance;
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(random);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && (1.0 - uniform(random)).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v * variance;
        }
    }
}

/// From the Poisson distribution of this mean.
pub fn poisson(random: &mut Random, mean: f64) -> u64 {
    if mean <= 0.0 {
        0
    } else if mean < 10.0 {
        let floor = (-mean).exp();
        let mut product = uniform(random);
        let mut count = 0;
        while product > floor {
            product *= uniform(random);
            count += 1;
        }
        count
    } else {
        rejected_poisson(random, mean)
    }
}

/// For means of 10 and above (Hörmann 1993, algorithm PTRS).
#[expect(clippy::many_single_char_names, reason = "the paper's")]
fn rejected_poisson(random: &mut Random, mean: f64) -> u64 {
    let b = 0.931 + 2.53 * mean.sqrt();
    let a = -0.059 + 0.024_83 * b;
    let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    let v_r = 0.9277 - 3.6224 / (b - 2.0);
    loop {
        let u = uniform(random) - 0.5;
        let v = 1.0 - uniform(random);
        let us = 0.5 - u.abs();
        let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
        if us >= 0.07 && v <= v_r {
            return k as u64;
        }
        if k < 0.0 || (us < 0.013 && v > us) {
            continue;
        }
        let left = v.ln() + inverse_alpha.ln() - (a / (us * us) + b).ln();
        if left <= k * mean.ln() - mean - ln_factorial(k) {
            return k as u64;
        }
    }
}

/// Stirling's series; below 10 the product itself.
fn ln_factorial(k: f64) -> f64 {
    if k < 10.0 {
        return (2..=k as u64).map(|it| (it as f64).ln()).sum();
    }
    let half_ln_tau = 0.918_938_533_204_672_7;
    (k + 0.5) * k.ln() - k + half_ln_tau + (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / (k * k)) / (k * k)) / k
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut random = Random::new(3);
        let above = (0..400_000).filter(|_| poisson(&mut random, 15.0) > 30).count();
        assert!((40..125).contains(&above), "{above} of 400,000");
    }

    #[test]
    fn neighbouring_streams_differ() {
        let first = |place| stream(1, place).bits();
        let drawn = [first([0, 0, 1]), first([0, 1, 0]), first([1, 0, 0]), first([0, 0, 0])];
        for (at, bits) in drawn.iter().enumerate() {
            assert!(!drawn[at + 1..].contains(bits));
        }
    }
}
