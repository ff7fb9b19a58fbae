//! What a sensor saw of a service in the days before.
//!
//! Both the usual level and how much it varies are taken from medians, so that an earlier surge or two in the
//! baseline change neither. The cube root of a gamma-distributed value is close to a normal one (Wilson and
//! Hilferty): with `v` for the square of the coefficient of variation, its median is `(1 - v/9) × mean^⅓` and its
//! standard deviation `√(v/9) × mean^⅓`. So the median and the median deviation of cube roots give mean and
//! variation of skewed counts too, where those of the counts themselves would give too low a mean.

/// Up to this median, counts are too few for medians to tell their variation.
pub(super) const SPARSE: f64 = 10.0;

/// The least mean that is assumed: a port on which nothing was seen for four weeks is not known to have nothing.
pub(super) const LEAST_MEAN: f64 = 1.0;

/// The dispersion that is assumed for sparse counts at least: they come in bursts.
const SPARSE_DISPERSION: f64 = 1.0;

/// Standard deviations of a normal distribution in one median absolute deviation.
const DEVIATIONS: f64 = 1.482_602_218_505_602;

/// Deviations beyond this many standard deviations count as this many.
const CLIP: f64 = 2.0;

/// The variance of a standard normal variable that is clipped so.
const CLIPPED: f64 = 0.920_54;

/// A day of a baseline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Earlier {
    /// How many days before the day in question.
    pub(super) before: usize,
    /// Packets, if the service had a series.
    pub(super) count: Option<u64>,
    /// Packets that it may have had without one.
    pub(super) unseen: f64,
}

impl Earlier {
    /// As many packets as it may have had.
    fn most(&self) -> f64 {
        self.count.map_or(self.unseen, super::number)
    }

    /// As many as are known.
    fn least(&self) -> f64 {
        self.count.map_or(0.0, super::number)
    }
}

/// What a baseline says of the day after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Baseline {
    /// The median, days without a series as 0: what a reader is shown.
    pub(super) shown: f64,
    /// The median, days without a series with as many as they may have had: what is calculated with.
    pub(super) median: f64,
    /// The mean, where it could not be found from the median.
    pub(super) sparse_mean: Option<f64>,
    /// Its own dispersion.
    pub(super) dispersion: f64,
    /// Days.
    pub(super) days: usize,
    /// How many days before the cell the first packets in it came; 0 if there were none.
    pub(super) known: usize,
}

/// Whether `packets` may be a surge at all, after the days `earlier`, the latest first.
///
/// They must be `ratio` times the median, and also `ratio` times what was reached on two earlier occasions in the
/// baseline: what happens again and again, such as a scan on Mondays, is a habit. Days right before belong to the
/// same surge and are no earlier occasion.
pub(super) fn stands_out(packets: u64, earlier: &[Earlier], ratio: f64) -> bool {
    let high = super::number(packets) / ratio;
    let below = earlier.iter().filter(|day| day.most() <= high).count();
    if high < LEAST_MEAN || 2 * below <= earlier.len() {
        return false;
    }
    let mut occasions = 0;
    let mut last = 0;
    for day in earlier {
        if day.least() > high {
            occasions += u32::from(day.before - last > 2);
            last = day.before;
        }
    }
    occasions < 2
}

impl Baseline {
    /// Of the days `earlier`, the latest first. `high` are packets above which days right before the day in
    /// question belong to the same surge; they tell nothing about sparse counts.
    pub(super) fn new(earlier: &[Earlier], high: f64, scratch: &mut Vec<f64>) -> Self {
        let mut median_of = |packets: fn(&Earlier) -> f64| {
            scratch.clear();
            scratch.extend(earlier.iter().map(packets));
            median(scratch)
        };
        let (shown, median) = (median_of(Earlier::least), median_of(Earlier::most));
        let (sparse_mean, dispersion) = if median <= SPARSE {
            let (mean, dispersion) = sparse(earlier, high, scratch);
            (Some(mean), dispersion)
        } else {
            scratch.clear();
            scratch.extend(earlier.iter().map(Earlier::most));
            (None, dispersion(scratch))
        };
        Self {
            shown,
            median,
            sparse_mean,
            dispersion,
            days: earlier.len(),
            known: earlier.iter().filter(|day| day.least() > 0.0).map(|day| day.before).max().unwrap_or(0),
        }
    }

    /// The mean that goes with the median if the dispersion is this.
    pub(super) fn mean(&self, dispersion: f64) -> f64 {
        self.sparse_mean.unwrap_or_else(|| {
            let variation = (dispersion + 1.0 / self.median).min(5.4);
            self.median / (1.0 - variation / 9.0).powi(3)
        })
    }
}

/// The dispersion of counts, from their cube roots; at least 0.
pub(super) fn dispersion(counts: &mut [f64]) -> f64 {
    let days = super::number(counts.len() as u64);
    let usual = median(counts);
    for count in counts.iter_mut() {
        *count = count.cbrt();
    }
    let root = usual.cbrt();
    for count in counts.iter_mut() {
        *count = (*count - root).abs();
    }
    // The last factor takes off most of what the median deviation of few values is too small by.
    let rough = median(counts) * DEVIATIONS * days / (days - 0.8);
    // The median deviation alone wastes most of what so few days tell; so the squares of all are averaged, those
    // from two deviations on as two.
    let limit = CLIP * rough;
    let squares = counts.iter().map(|distance| distance.min(limit).powi(2)).sum::<f64>() / (days - 1.0);
    let deviation = (squares / CLIPPED).sqrt();
    // Solves (deviation / root)² = (v/9) / (1 - v/9)² for v/9.
    let square = (deviation / root).powi(2);
    if square < 1e-12 {
        return 0.0;
    }
    let ninth = (2.0 * square + 1.0 - (4.0 * square + 1.0).sqrt()) / (2.0 * square);
    (9.0 * ninth - 1.0 / usual).max(0.0)
}

/// Mean and dispersion of counts that are mostly near 0, from moments: their medians say too little.
fn sparse(earlier: &[Earlier], high: f64, scratch: &mut Vec<f64>) -> (f64, f64) {
    scratch.clear();
    let mut last = 0;
    for day in earlier {
        let count = day.most();
        if count > high && day.before - last <= 2 {
            last = day.before;
        } else {
            scratch.push(count);
        }
    }
    let days = super::number(scratch.len().max(2) as u64);
    let mean = scratch.iter().sum::<f64>() / days;
    let variance = scratch.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / (days - 1.0);
    let mean = mean.max(LEAST_MEAN);
    (mean, ((variance - mean) / (mean * mean)).max(SPARSE_DISPERSION))
}

/// The median; 0 of nothing. Reorders.
pub(super) fn median(values: &mut [f64]) -> f64 {
    let half = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    let even = values.len().is_multiple_of(2);
    let (lower, &mut upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    if even { f64::midpoint(lower.iter().copied().fold(f64::MIN, f64::max), upper) } else { upper }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_xoshiro::SplitMix64;
    use rstest::rstest;

    use super::super::tests::simulate::negative_binomial;
    use super::*;

    /// The middle one of what is found in many baselines, as a multiple of the truth: mean, then dispersion.
    fn found(mean: f64, truth: f64, surging: usize) -> (f64, f64) {
        let mut random = SplitMix64::seed_from_u64(7);
        let (mut means, mut dispersions): (Vec<f64>, Vec<f64>) = (0..400)
            .map(|_| {
                let earlier: Vec<Earlier> = (0..28)
                    .map(|day| {
                        let times = if day < surging { 10 } else { 1 };
                        let count = Some(times * negative_binomial(&mut random, mean, truth));
                        Earlier { before: day + 1, count, unseen: 0.0 }
                    })
                    .collect();
                let baseline = Baseline::new(&earlier, f64::MAX, &mut Vec::new());
                (baseline.mean(baseline.dispersion) / mean, baseline.dispersion / truth)
            })
            .unzip();
        (median(&mut means), median(&mut dispersions))
    }

    #[rstest]
    #[case::steady(500.0, 0.02)]
    #[case::as_often_seen(50.0, 0.1)]
    #[case::skewed(5_000.0, 0.3)]
    #[case::very_skewed(5_000.0, 1.0)]
    fn mean_and_dispersion_come_out(#[case] mean: f64, #[case] truth: f64) {
        let (of_mean, of_dispersion) = found(mean, truth, 0);
        assert!((0.93..1.07).contains(&of_mean), "{of_mean} times the mean");
        assert!((0.8..1.2).contains(&of_dispersion), "{of_dispersion} times the dispersion");
    }

    #[test]
    fn an_earlier_surge_hardly_changes_them() {
        let (of_mean, of_dispersion) = found(500.0, 0.05, 3);
        assert!((0.95..1.15).contains(&of_mean), "{of_mean} times the mean");
        assert!((1.0..2.5).contains(&of_dispersion), "{of_dispersion} times the dispersion");
    }

    #[rstest]
    #[case(&[], 0.0)]
    #[case(&[3.0], 3.0)]
    #[case(&[9.0, 1.0], 5.0)]
    #[case(&[9.0, 1.0, 2.0], 2.0)]
    #[case(&[4.0, 9.0, 1.0, 2.0], 3.0)]
    fn medians(#[case] values: &[f64], #[case] expected: f64) {
        assert!((median(&mut values.to_vec()) - expected).abs() < 1e-12);
    }
}
