//! The upper tail of Student's distribution.
//!
//! Far out in the tail, where one cell in millions has to be told from the rest, sums of probabilities lose all
//! digits; so the tail is taken from the regularised incomplete beta function, as a logarithm.

use std::f64::consts::{LN_2, PI};

/// The natural logarithm of the probability of `value` or more, which is not below 0, with so many degrees of
/// freedom; exact to about eight digits.
pub(super) fn ln_upper_tail(value: f64, freedom: f64) -> f64 {
    let square = value * value;
    let (x, y) = (freedom / (freedom + square), square / (freedom + square));
    ln_regularised_beta(freedom / 2.0, 0.5, x, y) - LN_2
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

    // Made with mpmath at 40 digits: log(betainc(f/2, 1/2, 0, f/(f + v²), regularized=True)/2).
    #[rstest]
    #[case(0.0, 4.0, -LN_2)]
    #[case(0.5, 4.0, -1.134_244_704_902_4)]
    #[case(2.0, 1.0, -1.913_360_364_504)]
    #[case(2.0, 200.0, -3.753_883_444_908_2)]
    #[case(5.0, 10.0, -8.222_038_602_718_1)]
    #[case(20.0, 4.0, -10.900_904_129_634)]
    #[case(300.0, 3.0, -17.013_663_984_295)]
    #[case(9.0, 200.0, -36.962_999_153_678)]
    fn the_tail_is_exact(#[case] value: f64, #[case] freedom: f64, #[case] ln_p: f64) {
        let found = ln_upper_tail(value, freedom);
        assert!((found - ln_p).abs() <= 1e-8 * ln_p.abs().max(1.0), "{found} instead of {ln_p}");
    }
}
