//! What a sensor's earlier days say of the next one.

use super::tail::ln_upper_tail;

/// Dispersion that days have at least: a level that wanders by a fifth, as traffic does with the week.
const LEAST_DISPERSION: f64 = 0.05;
/// From the median absolute deviation to a standard deviation, for a normal distribution.
const MAD_TO_SIGMA: f64 = 1.4826;
/// How many standard deviations above the median the ninth decile of a normal distribution lies.
const NINTH_DECILE: f64 = 1.2816;
/// Fewest packets that a day is expected to bring, so that an empty baseline expects something.
const LEAST_MEAN: f64 = 1.0;

/// A cell's baseline: its packets on earlier days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Baseline {
    /// Their median.
    pub(super) median: f64,
    /// Nothing at all.
    pub(super) empty: bool,
    mean: f64,
    dispersion: f64,
}

impl Baseline {
    /// Of some days, which are sorted; nothing without any.
    ///
    /// What is expected is deliberately on the high side: the median and the dispersion of a few weeks are
    /// uncertain themselves, and among millions of cells it is the underestimated ones that would alarm. So the
    /// mean is the median and two of its standard errors, and the dispersion, the larger of what the median
    /// deviation and the ninth decile say, is raised likewise.
    pub(super) fn new(days: &mut [u64]) -> Option<Self> {
        days.sort_unstable();
        let (&most, number) = (days.last()?, super::number(days.len() as u64));
        let middle = median(days);
        let mut deviations: Vec<u64> = days.iter().map(|day| day.abs_diff(middle)).collect();
        deviations.sort_unstable();
        let decile = super::number(days[days.len() * 9 / 10]);
        let (level, deviation) = (super::number(middle), super::number(median(&deviations)));
        let sigma = (MAD_TO_SIGMA * deviation).max((decile - level) / NINTH_DECILE);
        let expected = level.max(LEAST_MEAN);
        let own = (sigma * sigma - expected).max(0.0) / (expected * expected);
        // Small counts come in bursts, so few packets say little of how they vary.
        let least = LEAST_DISPERSION + 1.0 / (1.0 + level);
        let dispersion = own.max(least) * (1.0 + 2.0 * (2.0 / number).sqrt());
        let variance = expected + dispersion * expected * expected;
        let error = (variance * std::f64::consts::FRAC_PI_2 / number).sqrt();
        Some(Self { median: level, empty: most == 0, mean: expected + 2.0 * error, dispersion })
    }

    /// The chance of so many packets or more.
    pub(super) fn chance(&self, packets: u64) -> f64 {
        ln_upper_tail(packets, self.mean, self.dispersion).exp()
    }
}

/// The lower median of sorted numbers, 0 without any.
fn median(sorted: &[u64]) -> u64 {
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::steady(&[100; 28], 100.0, false)]
    #[case::one_flood(&[100, 100, 100, 100, 100, 100, 90_000], 100.0, false)]
    #[case::nothing(&[0; 7], 0.0, true)]
    #[case::hardly_anything(&[0, 0, 0, 0, 0, 0, 1], 0.0, false)]
    fn the_median_stands_for_it(#[case] days: &[u64], #[case] median: f64, #[case] empty: bool) {
        let baseline = Baseline::new(&mut days.to_vec()).unwrap();
        assert!((baseline.median - median).abs() < f64::EPSILON);
        assert_eq!(baseline.empty, empty);
    }

    #[test]
    fn no_days_say_nothing() {
        assert_eq!(Baseline::new(&mut []), None);
    }

    #[test]
    fn what_varies_more_surprises_less() {
        let steady = Baseline::new(&mut [1000; 28]).unwrap();
        let mut wild: Vec<u64> = (0..28).map(|day| if day % 2 == 0 { 300 } else { 1700 }).collect();
        let wild = Baseline::new(&mut wild).unwrap();
        assert!(steady.chance(5000) < wild.chance(5000));
        let short = Baseline::new(&mut [1000; 7]).unwrap();
        assert!(steady.chance(5000) < short.chance(5000));
    }
}
