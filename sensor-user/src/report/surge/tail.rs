//! The upper tail of the negative-binomial distribution.
//!
//! Counts of packets in a day vary more than a Poisson distribution says: their variance is `mean + dispersion ×
//! mean²`. Far out in the tail, where one cell in millions has to be told from the rest, sums of probabilities lose
//! all digits; so the tail is taken from the regularised incomplete beta function, as a logarithm.

use std::f64::consts::PI;

/// Dispersions below this are taken for this; the variance then differs from a Poisson distribution's by a
/// millionth of the mean.
const LEAST_DISPERSION: f64 = 1e-6;

/// The natural logarithm of the probability of `count` or more, where `mean` (above 0) are expected and the
/// variance is `mean + dispersion × mean²`. Never above 0; exact to about eight digits.
pub(super) fn ln_upper_tail(count: u64, mean: f64, dispersion: f64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    let size = 1.0 / dispersion.max(LEAST_DISPERSION);
    let (success, failure) = (mean / (mean + size), size / (mean + size));
    ln_regularised_beta(super::number(count), size, success, failure)
}

/// `ln I_x(a, b)`, with `y = 1 - x` given apart, so that neither loses digits near 1.
fn ln_regularised_beta(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let ln_front = a * x.ln() + b * y.ln() - ln_beta(a, b);
    // The fraction converges quickly on this side of the mean only; the other side is the rest to 1.
    if x < (a + 1.0) / (a + b + 2.0) {
        (ln_front - a.ln() + fraction(a, b, x).ln()).min(0.0)
    } else {
        let rest = (ln_front - b.ln() + fraction(b, a, y).ln()).exp();
        (-rest.min(1.0)).ln_1p()
    }
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), evaluated by Lentz's method.
#[expect(clippy::many_single_char_names, reason = "the names that the formula has everywhere")]
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    const ENOUGH: f64 = 1e-12;
    const MOST: u32 = 20_000;

    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    for step in 1..MOST {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        result *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        let factor = d * c;
        result *= factor;
        if (factor - 1.0).abs() < ENOUGH {
            break;
        }
    }
    result
}

/// `ln B(a, b)`.
fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// `ln Γ(x)` for `x > 0`: Stirling's series (DLMF 5.11.1), after a shift to where it is good for all digits.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 1.0);
    while x < 10.0 {
        shift *= x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = (1.0 / 12.0
        - square
            * (1.0 / 360.0
                - square
                    * (1.0 / 1260.0
                        - square * (1.0 / 1680.0 - square * (1.0 / 1188.0 - square * 691.0 / 360_360.0)))))
        / x;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln() + series - shift.ln()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    // Made with mpmath 1.4.1 at 60 digits: log(betainc(count, 1/dispersion, 0, mean/(mean + 1/dispersion),
    // regularized=True)).
    #[rstest]
    #[case::one(1, 5.0, 0.2, -0.031_748_698_314_58)]
    #[case::near_the_mean(450, 400.0, 0.3, -1.063_645_434_013)]
    #[case::far_out(5000, 400.0, 0.3, -33.775_566_450_392)]
    #[case::small_mean(100, 1.0, 1.05, -67.120_186_398_217)]
    #[case::little_dispersion(700, 500.0, 0.001, -25.575_119_970_995)]
    #[case::large(2_000_000, 200_000.0, 0.1, -71.259_973_722_782)]
    #[case::below_the_mean(50, 400.0, 0.3, -0.004_504_009_263_447_6)]
    fn the_tail_is_exact(#[case] count: u64, #[case] mean: f64, #[case] dispersion: f64, #[case] ln_p: f64) {
        let found = ln_upper_tail(count, mean, dispersion);
        assert!((found - ln_p).abs() <= 1e-8 * ln_p.abs().max(1.0), "{found} instead of {ln_p}");
    }

    #[test]
    fn without_dispersion_it_is_poisson() {
        // Made likewise: log(1 - sum of exp(-5) 5^k / k! for k up to 19).
        let poisson = -14.879_102_532_939;
        assert!((ln_upper_tail(20, 5.0, 0.0) - poisson).abs() < 1e-3);
    }

    #[test]
    fn it_falls_with_the_count_and_never_leaves_its_range() {
        let mut before = 0.0;
        for count in 0..3_000 {
            let now = ln_upper_tail(count, 400.0, 0.3);
            assert!(now <= before && now.is_finite(), "{count}: {now} after {before}");
            before = now;
        }
        assert!(ln_upper_tail(u64::MAX, 1.0, 0.01).is_finite());
    }
}
