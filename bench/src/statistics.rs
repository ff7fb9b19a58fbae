//! A middle, and how far the rounds lie apart.

/// The median of some samples, and between what half of them lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// A quarter of the samples is below.
    pub low: f64,
    /// Half of the samples are below.
    pub median: f64,
    /// A quarter of the samples is above.
    pub high: f64,
}

impl Spread {
    /// That of the samples, `None` if there are none.
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |share| quantile(&sorted, share);
        Some(Self { low: at(0.25)?, median: at(0.5)?, high: at(0.75)? })
    }
}

/// The value below which that share of the samples lies, interpolated between the two next to it.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share * from_usize(last);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies between 0 and `last`"
    )]
    let below = place.floor() as usize;
    let (below_it, above_it) = (sorted[below], sorted[(below + 1).min(last)]);
    Some(below_it + (above_it - below_it) * place.fract())
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts of packets and rounds are far below 2^52")]
pub const fn from_usize(count: usize) -> f64 {
    count as f64
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts of packets and bytes are far below 2^52")]
pub const fn from_u64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0, 5.0]).expect("there are samples");
        assert!((spread.median - 3.0).abs() < 1e-9);
        assert!((spread.low - 2.0).abs() < 1e-9 && (spread.high - 4.0).abs() < 1e-9, "{spread:?}");
        let even = Spread::of([1.0, 2.0]).expect("there are samples");
        assert!((even.low - 1.25).abs() < 1e-9 && (even.median - 1.5).abs() < 1e-9, "{even:?}");
        assert_eq!(Spread::of([7.0]).map(|it| it.high), Some(7.0));
        assert_eq!(Spread::of([]), None);
    }
}
