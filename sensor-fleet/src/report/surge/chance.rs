//! How likely a count is without a surge, when mean and dispersion are known from a few days only.
//!
//! A tail computed as if the estimates were the truth is far too thin where one cell in millions is looked for.
//! So the negative-binomial tail is averaged over what mean and dispersion may be: both log-normal around their
//! estimates, on a grid of Gauss and Hermite's nodes.

use std::f64::consts::PI;

use super::baseline::Baseline;
use super::tail::ln_upper_tail;

/// Nodes and weights for the mean.
const OF_MEAN: [(f64, f64); 5] = [
    (-2.020_182_870_456_086, 0.019_953_242_059_046),
    (-0.958_572_464_613_819, 0.393_619_323_152_241),
    (0.0, 0.945_308_720_482_942),
    (0.958_572_464_613_819, 0.393_619_323_152_241),
    (2.020_182_870_456_086, 0.019_953_242_059_046),
];

/// Nodes and weights for the dispersion.
const OF_DISPERSION: [(f64, f64); 7] = [
    (-2.651_961_356_835_233, 0.000_971_781_245_100),
    (-1.673_551_628_767_471, 0.054_515_582_819_127),
    (-0.816_287_882_858_965, 0.425_607_252_610_128),
    (0.0, 0.810_264_617_556_807),
    (0.816_287_882_858_965, 0.425_607_252_610_128),
    (1.673_551_628_767_471, 0.054_515_582_819_127),
    (2.651_961_356_835_233, 0.000_971_781_245_100),
];

/// No service is steadier than this; days of the week alone do as much.
pub(super) const LEAST_DISPERSION: f64 = 0.01;

/// The standard deviation of the logarithm of a level from the middle of a baseline to the day after it: a
/// doubling in 90 days is 0.11 over these two weeks.
const DRIFT: f64 = 0.1;

/// The standard deviation of the logarithm of a small dispersion that was found from [`OF_DAYS`] days, where other
/// sensors confirm it. Somewhat more than the 0.27 of a variance of normal values, and enough to keep the promise
/// on histories without surges: see the tests.
const CONFIRMED: f64 = 0.35;

/// The same where they don't.
const ALONE: f64 = 0.55;

/// The days that these are for.
const OF_DAYS: f64 = 28.0;

/// By what part of the dispersion the variance of its logarithm is larger: a gamma distribution's fourth moment
/// makes that of a sample's variance `2 + 6 × dispersion`.
const SKEW: f64 = 3.0;

/// How much a service usually varies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usual {
    /// Its dispersion.
    pub(super) dispersion: f64,
    /// It is this service's own; if not, that of all services together.
    pub(super) own: bool,
}

/// The chance, a lower bound that is cheap: as if the estimates were the truth.
pub(super) fn at_least(packets: u64, baseline: &Baseline) -> f64 {
    let dispersion = baseline.dispersion.max(LEAST_DISPERSION);
    ln_upper_tail(packets, baseline.mean(dispersion), dispersion).exp()
}

/// The chance.
pub(super) fn chance(packets: u64, baseline: &Baseline, usual: Usual) -> f64 {
    let days = super::number(baseline.days as u64);
    let dispersion = baseline.dispersion.max(usual.dispersion).max(LEAST_DISPERSION);
    let mean = baseline.mean(dispersion);
    // The median of n values has π/2 times the variance of their mean.
    let of_mean = ((dispersion + 1.0 / mean) * PI / 2.0 / days + DRIFT * DRIFT).sqrt();
    let of_dispersion =
        if usual.own { CONFIRMED } else { ALONE } * (OF_DAYS / days * (1.0 + SKEW * dispersion)).sqrt();
    let mut sum = 0.0;
    for (node, weight) in OF_MEAN {
        let mean = mean * (node * of_mean * 2.0_f64.sqrt()).exp();
        for (node, of_this) in OF_DISPERSION {
            let dispersion = dispersion * (node * of_dispersion * 2.0_f64.sqrt()).exp();
            sum += weight * of_this * ln_upper_tail(packets, mean, dispersion).exp();
        }
    }
    // 0 is never true, and doesn't survive a logarithm.
    (sum / PI).clamp(f64::MIN_POSITIVE, 1.0)
}
