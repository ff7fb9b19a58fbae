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
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    const ENOUGH: f64 = 1e-12;
    const MOST: u32 = 20_000;

    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut upper = 1.0;
    let mut lower = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut result = lower;
    for step in 1..MOST {
        let step = f64::from(step);
        let even = step * (b - step) * x / ((a + 2.0 * step - 1.0) * (a + 2.0 * step));
        let odd = -(a + step) * (a + b + step) * x / ((a + 2.0 * step) * (a + 2.0 * step + 1.0));
        let before = result;
        for term in [even, odd] {
            lower = 1.0 / away(1.0 + term * lower);
            upper = away(1.0 + term / upper);
            result *= lower * upper;
        }
        if (result / before - 1.0).abs() < ENOUGH {
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

    // Made with mpmath 1.4.1 at 50 digits: the logarithm of the sum over k >= count of the probabilities, with
    // size r = 1/dispersion and x = mean/(mean + r): Γ(k+r)/(Γ(r) k!) x^k (1-x)^r. Cases 50 of 1 and 800 of 200 were
    // compared with scipy 1.17.1, nbinom.logsf(count - 1, r, 1 - x).
    #[rstest]
    #[case(0, 3.0, 0.5, 0.0)]
    #[case(1, 5.0, 0.1, -0.017_493_655_538_459)]
    #[case(5, 5.0, 0.1, -0.645_310_744_249_89)]
    #[case(20, 5.0, 0.1, -9.270_727_496_318_3)]
    #[case(40, 10.0, 0.0001, -27.896_172_058_397)]
    #[case(50, 1.0, 1.0, -34.657_359_027_997)]
    #[case(50, 1.0, 3.0, -17.092_150_059_045)]
    #[case(150, 200.0, 0.02, -0.046_713_474_635_522)]
    #[case(200, 200.0, 0.02, -0.718_718_904_165_4)]
    #[case(800, 200.0, 0.02, -72.618_050_631_44)]
    #[case(800, 200.0, 0.2, -10.826_249_912_861)]
    #[case(3_000, 200.0, 1.0, -14.962_624_533_117)]
    #[case(20_000, 1_000.0, 2.0, -11.765_819_588_564)]
    #[case(60_000, 50_000.0, 0.01, -3.576_163_094_758_2)]
    #[case(60_000, 50_000.0, 0.0001, -152.558_724_099_4)]
    #[case(200_000, 50_000.0, 0.01, -165.469_534_591_61)]
    #[case(2_000_000, 100_000.0, 0.05, -325.417_232_764_43)]
    fn the_tail_is_exact(#[case] count: u64, #[case] mean: f64, #[case] dispersion: f64, #[case] ln_p: f64) {
        let found = ln_upper_tail(count, mean, dispersion);
        assert!((found - ln_p).abs() <= 1e-8 * ln_p.abs().max(1.0), "{found} instead of {ln_p}");
    }

    #[test]
    fn without_dispersion_it_is_poisson() {
        // scipy.stats.poisson.logsf(19, 5)
        let poisson: f64 = -14.879_102_532_939_18;
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
