//! How much a service usually varies from day to day, over all sensors.
//!
//! From 28 days alone, one service in many looks much steadier than it is, and its next busy day like a surge. So
//! no baseline is taken to be steadier than the middle one of the same service on all sensors.

/// Of logarithms.
const STEP: f64 = 0.25;
/// The bins span 0.01 to more than 9.
const BINS: usize = 28;
const LOWEST: f64 = -4.605_170_185_988_091;

/// A histogram of dispersions; whole numbers, so that the order in which they come doesn't matter.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    bins: [u32; BINS],
    count: u32,
}

impl Pool {
    /// Takes one in.
    pub(super) fn add(&mut self, dispersion: f64) {
        let upper = |bin: &usize| dispersion <= upper_end(*bin);
        let bin = (0..BINS - 1).find(upper).unwrap_or(BINS - 1);
        self.bins[bin] = self.bins[bin].saturating_add(1);
        self.count = self.count.saturating_add(1);
    }

    /// Takes in all of another's.
    pub(super) fn add_all(&mut self, other: &Self) {
        for (bin, more) in self.bins.iter_mut().zip(other.bins) {
            *bin = bin.saturating_add(more);
        }
        self.count = self.count.saturating_add(other.count);
    }

    /// The median, if there are at least this many.
    pub(super) fn median(&self, least: u32) -> Option<f64> {
        if self.count == 0 || self.count < least {
            return None;
        }
        let mut seen = 0;
        let middle = |count: &u32| {
            seen += u64::from(*count);
            2 * seen >= u64::from(self.count)
        };
        self.bins.iter().position(middle).map(upper_end)
    }
}

fn upper_end(bin: usize) -> f64 {
    (LOWEST + super::number(bin as u64) * STEP).exp()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(&[], 1, None)]
    #[case::too_few(&[0.1, 0.1], 3, None)]
    #[case::steadier_than_anything(&[0.0, 0.0, 5.0], 3, Some(0.01))]
    #[case::the_middle_one(&[0.02, 0.1, 3.0], 3, Some(0.1))]
    #[case::beyond_the_last(&[99.0], 1, Some(8.5))]
    fn medians(#[case] dispersions: &[f64], #[case] least: u32, #[case] expected: Option<f64>) {
        let (mut pool, mut other) = (Pool::default(), Pool::default());
        for (number, dispersion) in dispersions.iter().enumerate() {
            if number % 2 == 0 { &mut pool } else { &mut other }.add(*dispersion);
        }
        pool.add_all(&other);
        let found = pool.median(least);
        assert_eq!(found.is_some(), expected.is_some());
        // Up to the width of a bin.
        let off = found.zip(expected).map_or(0.0, |(found, expected)| (found / expected).ln());
        assert!((-0.01..=STEP).contains(&off), "{found:?} instead of {expected:?}");
    }
}
