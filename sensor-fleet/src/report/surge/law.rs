//! What chance makes of values in standard units: the law of a pool, found from the pool itself.
//!
//! Real counts don't follow the law that a book has for them: tails are heavier, and how heavy they are decides
//! how many false surges there are, as one value in millions has to be told from the rest. So the law is
//! Student's, each side apart, whose scale and degrees of freedom are those that fit the outer part of the pool's
//! own values. The outermost few in ten thousand only count as being there: were they surges, they would
//! teach the law that surges are usual. As the fit rests on so many values and no more, chances are averaged over
//! all degrees of freedom, each as likely as the values make it; so a small pool has a heavier law than a large one.

mod fit;
mod histogram;
mod normal;

use self::fit::{Component, Grid, Outer};
pub(super) use self::fit::{Outermost, Prior};
pub(super) use self::histogram::Histogram;
use self::histogram::{BINS, STEP, length};
use self::normal::normal_score;
use super::track::{Side, small};

/// A pool of fewer values has no law of its own: the prior alone speaks.
const LEAST_VALUES: u64 = 400;
/// No single day counts for more than this in a window: what it would add rests on the far tail alone.
const MOST_SCORE: f64 = 6.0;

/// One side of a law.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    /// Where the fitted part begins, and the logarithm of the part of all values that is beyond.
    low: f64,
    ln_beyond: f64,
    components: Vec<Component>,
}

impl Tail {
    /// Fits a side of `count` values on both sides, of which as many as `dependence` together are worth one that is
    /// independent.
    fn fit(side: &[u32], count: u64, dependence: f64, (prior, outermost): (Prior, Outermost)) -> Self {
        let mut tail = if count < LEAST_VALUES || outermost.is_all() {
            Self { low: 0.0, ln_beyond: 0.5_f64.ln(), components: prior.components() }
        } else {
            let outer = Outer::of(side, super::number(count), outermost);
            let components = outer.components(dependence, prior);
            Self { low: outer.low(), ln_beyond: outer.ln_beyond(), components }
        };
        tail.normalise();
        tail
    }

    fn normalise(&mut self) {
        let total = ln_sum(self.components.iter().map(|component| component.ln_weight));
        for component in &mut self.components {
            component.ln_weight -= total;
        }
        // What is less likely than this changes no chance that matters.
        self.components.retain(|component| component.ln_weight > -16.0);
    }

    /// The logarithm of the chance of this value, above 0, or more.
    pub(super) fn ln_chance(&self, value: f64) -> f64 {
        if value <= self.low {
            let part = value.max(0.0) / self.low.max(f64::MIN_POSITIVE);
            return 0.5_f64.ln() * (1.0 - part) + self.ln_beyond * part;
        }
        let grid = Grid::get();
        let beyond = self.components.iter().map(|&Component { shape, scale, ln_weight }| {
            ln_weight + grid.ln_tail(shape, value / scale) - grid.ln_tail(shape, self.low / scale)
        });
        (self.ln_beyond + ln_sum(beyond)).min(0.5_f64.ln())
    }

    /// The least value whose chance is at most this.
    pub(super) fn least(&self, ln_chance: f64) -> f64 {
        let (mut below, mut above) = (0.0, 1.0);
        while self.ln_chance(above) > ln_chance && above < 1e12 {
            below = above;
            above *= 2.0;
        }
        for _ in 0..40 {
            let middle = f64::midpoint(below, above);
            if self.ln_chance(middle) > ln_chance {
                below = middle;
            } else {
                above = middle;
            }
        }
        above
    }

    /// Normal scores of the bins' ends, from 0 on.
    fn scores(&self) -> impl DoubleEndedIterator<Item = f32> {
        (0..=BINS).map(|bin| single(normal_score(self.ln_chance(length(bin))).clamp(0.0, MOST_SCORE)))
    }
}

/// Both sides.
#[derive(Clone, Debug)]
pub(super) struct Law {
    /// Above 0.
    pub(super) up: Tail,
    /// Below 0, mirrored.
    pub(super) down: Tail,
    scores: Scores,
}

impl Law {
    /// The law of these values, of which as many as `dependence` together are worth one that is independent.
    pub(super) fn fit(histogram: &Histogram, dependence: f64, prior: Prior, outermost: Outermost) -> Self {
        let side = |side| Tail::fit(side, histogram.count(), dependence, (prior, outermost));
        Self { up: side(histogram.up()), down: side(histogram.down()), scores: Scores::none() }
    }

    /// The same, ready to give scores.
    pub(super) fn with_scores(mut self) -> Self {
        let down: Vec<f32> = self.down.scores().skip(1).map(|score| -score).collect();
        let all = down.into_iter().rev().chain(self.up.scores());
        self.scores.0.iter_mut().zip(all).for_each(|(score, of)| *score = of);
        self
    }

    /// One side.
    pub(super) const fn tail(&self, side: Side) -> &Tail {
        match side {
            Side::Up => &self.up,
            Side::Down => &self.down,
        }
    }

    /// The normal scores of a law that is ready to give them.
    pub(super) fn scores(&self) -> &Scores {
        &self.scores
    }
}

/// Normal scores of bins' ends, from the least to the largest.
#[derive(Clone, Debug)]
pub(super) struct Scores(Box<[f32; 2 * BINS + 1]>);

impl Scores {
    /// Of nothing.
    fn none() -> Self {
        Self(Box::new([0.0; 2 * BINS + 1]))
    }

    /// The normal value with the chance of this one, within [`MOST_SCORE`].
    #[inline]
    pub(super) fn of(&self, value: f32) -> f32 {
        const MIDDLE: f32 = small(BINS);
        let at = (value / single(STEP) + MIDDLE).clamp(0.0, 2.0 * MIDDLE);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let left = (at as u32 as usize).min(2 * BINS - 1);
        let (below, above) = (self.0[left], self.0[left + 1]);
        below + (above - below) * (at - small(left))
    }
}

/// The logarithm of a sum, of terms' logarithms.
fn ln_sum(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = terms.clone().fold(f64::MIN, f64::max);
    most + terms.map(|term| (term - most).exp()).sum::<f64>().ln()
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
const fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::student::ln_upper_tail;
    use super::fit::SHAPES;
    use super::*;

    /// Values at the quantiles of Student's law with this shape and scale.
    fn histogram(shape: usize, scale: f64, count: u32) -> Histogram {
        let exact = Tail {
            low: 0.0,
            ln_beyond: 0.5_f64.ln(),
            components: vec![Component { shape, scale, ln_weight: 0.0 }],
        };
        let mut histogram = Histogram::default();
        for at in 0..count {
            let chance = (f64::from(at) + 0.5) / f64::from(count) / 2.0;
            let value = single(exact.least(chance.ln()));
            histogram.add(value);
            histogram.add(-value);
        }
        histogram
    }

    /// The value that one in 10⁷ exceeds, as a multiple of the truth.
    #[rstest]
    #[case::normal(0, 1.0, 0.95..1.2)]
    #[case::ten_degrees(5, 0.8, 0.9..1.15)]
    #[case::four_degrees(11, 0.7, 0.8..1.3)]
    fn a_law_is_found(#[case] shape: usize, #[case] scale: f64, #[case] within: std::ops::Range<f64>) {
        let law = Law::fit(&histogram(shape, scale, 20_000), 2.0, Prior::DAYS, Outermost::KNOWN);
        let chance = 1e-7_f64.ln();
        let truth = {
            let (mut low, mut high) = (0.0, 1e3);
            for _ in 0..60 {
                let middle = f64::midpoint(low, high);
                if ln_upper_tail(middle, 1.0 / SHAPES[shape]) > chance { low = middle } else { high = middle }
            }
            low * scale
        };
        for tail in [&law.up, &law.down] {
            let found = tail.least(chance) / truth;
            assert!(within.contains(&found), "{found} times the truth");
        }
    }

    #[test]
    fn few_surges_hardly_change_a_law() {
        let clean = histogram(0, 1.0, 20_000);
        let mut surging = clean.clone();
        for _ in 0..8 {
            surging.add(15.0);
        }
        let least =
            |histogram| Law::fit(histogram, 2.0, Prior::DAYS, Outermost::KNOWN).up.least(1e-7_f64.ln());
        assert!(least(&surging) / least(&clean) < 1.2, "{} {}", least(&surging), least(&clean));
    }

    #[test]
    fn a_small_pool_has_a_heavier_law() {
        let least = |count| {
            Law::fit(&histogram(0, 1.0, count), 2.0, Prior::DAYS, Outermost::KNOWN).up.least(1e-7_f64.ln())
        };
        assert!(least(100) > least(500) && least(500) > least(20_000));
    }
}
