//! The laws that fit the outer part of a side best.

use std::sync::OnceLock;

use super::super::{number, student::ln_upper_tail};
use super::histogram::{BINS, exceeded, length, total, whole};

/// The part of a pool, on one side, that the fitted part begins with; in a small pool more.
const OUTER: f64 = 0.05;
/// The largest such part.
const MOST_OUTER: f64 = 0.2;
/// Values that a fit needs on a side.
const LEAST_OUTER: f64 = 400.0;
/// Bins that a fit looks at.
const FITTED_BINS: usize = 24;

/// Inverse degrees of freedom that a law is averaged over: from normal to Cauchy's.
pub(super) const SHAPES: [f64; 18] =
    [0.005, 0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.175, 0.2, 0.225, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7, 1.0];

/// Mean and standard deviation of the inverse degrees of freedom that are held likely without any data.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Prior(f64, f64);

impl Prior {
    /// Of days: any tail.
    pub(in super::super) const DAYS: Self = Self(0.06, 0.07);

    /// Of sums of several days' normal scores, which are bounded: close to normal, but for how much series differ.
    pub(in super::super) const WINDOWS: Self = Self(0.02, 0.03);
    /// The same where series don't differ from what they are judged by.
    const ALIKE: Self = Self(0.005, 0.018);

    /// Days that vary less than the one (of logarithms) are steady, those that vary more than the other are not.
    const STEADY: (f64, f64) = (0.35, 0.65);

    /// The same where the logarithm of the spread by which a series is judged errs with this variance: half of the
    /// inverse degrees of freedom of what is then Student's law. Where days usually vary by more than a steady one's
    /// `spread`, their laws differ from series to series, however alike the spreads are.
    pub(in super::super) fn windows(error: f64, spread: f64) -> Self {
        let Self(mean, deviation) = Self::ALIKE;
        let alike = Self((mean + 2.0 * error).min(Self::WINDOWS.0), (deviation + error).min(Self::WINDOWS.1));
        let part = Self::unsteadiness(spread);
        let between = |from: f64, to: f64| from + part * (to - from);
        Self(between(alike.0, Self::WINDOWS.0), between(alike.1, Self::WINDOWS.1))
    }

    /// How far days that vary by so much are from steady, 0 to 1.
    pub(in super::super) fn unsteadiness(spread: f64) -> f64 {
        let (steady, unsteady) = Self::STEADY;
        if spread.is_nan() { 1.0 } else { ((spread - steady) / (unsteady - steady)).clamp(0.0, 1.0) }
    }
}

/// Scales that are tried, as logarithms.
const SCALES: (f64, f64) = (-3.0, 2.1);
/// The best scales of two shapes in turn differ by at most so much, as logarithms.
const NEXT_SCALE: f64 = 0.5;

impl Prior {
    /// Every shape, as likely as it is without any data.
    pub(super) fn components(self) -> Vec<Component> {
        let component = |shape| Component { shape, scale: 1.0, ln_weight: self.ln_weight(shape) };
        (0..SHAPES.len()).map(component).collect()
    }

    fn ln_weight(self, shape: usize) -> f64 {
        // The shapes stand for stretches of different lengths.
        let middle = |left: usize, right: usize| f64::midpoint(SHAPES[left], SHAPES[right]);
        let last = SHAPES.len() - 1;
        let begin = if shape == 0 { 0.0 } else { middle(shape - 1, shape) };
        let end = if shape == last { SHAPES[last] } else { middle(shape, shape + 1) };
        (end - begin).ln() - ((SHAPES[shape] - self.0) / self.1).powi(2) / 2.0
    }
}

/// The part of a pool's values that is only counted as being there.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Outermost {
    part: f64,
    /// It has as many values at least.
    least: f64,
}

impl Outermost {
    /// While it isn't known which days are events: they may be as many.
    pub(in super::super) const UNKNOWN: Self = Self { part: 0.008, least: 60.0 };
    /// All: the prior alone speaks.
    pub(in super::super) const ALL: Self = Self { part: 1.0, least: 0.0 };
    /// Once they are left out.
    pub(in super::super) const KNOWN: Self = Self { part: 0.0005, least: 10.0 };

    /// Whether nothing is fitted.
    pub(in super::super) fn is_all(self) -> bool {
        self.part >= 1.0
    }
}

/// One of the laws that a tail is averaged over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Component {
    pub(super) shape: usize,
    pub(super) scale: f64,
    pub(super) ln_weight: f64,
}

/// The logarithms of Student's upper tails, by shape, on a grid of `ln(1 + value)`: the series themselves are too
/// slow for fits.
pub(super) struct Grid(Vec<Vec<f64>>);

impl Grid {
    const PER_UNIT: f64 = 40.0;
    const POINTS: usize = 400;

    pub(super) fn get() -> &'static Self {
        static GRID: OnceLock<Grid> = OnceLock::new();
        GRID.get_or_init(|| {
            let value = |at: usize| (number(at as u64) / Self::PER_UNIT).exp_m1();
            let tail =
                |shape: &f64| (0..Self::POINTS).map(|at| ln_upper_tail(value(at), 1.0 / shape)).collect();
            Self(SHAPES.iter().map(tail).collect())
        })
    }

    pub(super) fn ln_tail(&self, shape: usize, value: f64) -> f64 {
        let at = value.max(0.0).ln_1p() * Self::PER_UNIT;
        // Beyond the grid the last step goes on.
        let left = whole(at).min(Self::POINTS - 2);
        let tail = &self.0[shape];
        tail[left] + (tail[left + 1] - tail[left]) * (at - number(left as u64))
    }
}

/// The outer part of a side, in bins.
pub(super) struct Outer {
    low: usize,
    beyond: f64,
    count: f64,
    /// The upper ends of bins, and the values in them.
    bins: Vec<(f64, f64)>,
    /// Values beyond the last.
    outermost: f64,
}

impl Outer {
    pub(super) fn of(side: &[u32], count: f64, outermost: Outermost) -> Self {
        let part = (LEAST_OUTER / count).clamp(OUTER, MOST_OUTER);
        let low = exceeded(side, part * count).min(BINS - 1);
        let high = exceeded(side, (outermost.part * count).max(outermost.least)).clamp(low + 1, BINS);
        let stride = ((high - low) / FITTED_BINS).max(1);
        let bins = (low..high).step_by(stride).map(|from| {
            let to = (from + stride).min(high);
            (length(to), total(&side[from..to]))
        });
        Self {
            low,
            beyond: total(&side[low..]),
            count,
            bins: bins.collect(),
            outermost: total(&side[high..]),
        }
    }

    /// Where it begins.
    pub(super) fn low(&self) -> f64 {
        length(self.low)
    }

    /// The logarithm of the part of all values that is in it.
    pub(super) fn ln_beyond(&self) -> f64 {
        (self.beyond.max(1.0) / self.count).min(0.5).ln()
    }

    /// Every shape, as likely as the values make it.
    pub(super) fn components(&self, dependence: f64, prior: Prior) -> Vec<Component> {
        let mut among = SCALES;
        let component = |shape| {
            let (ln_scale, ln_likelihood) = self.best_scale(shape, among);
            // That of the next is not far.
            among = ((ln_scale - NEXT_SCALE).max(SCALES.0), (ln_scale + NEXT_SCALE).min(SCALES.1));
            let ln_weight = ln_likelihood / dependence + prior.ln_weight(shape);
            Component { shape, scale: ln_scale.exp(), ln_weight }
        };
        (0..SHAPES.len()).map(component).collect()
    }

    /// The logarithm of the scale that makes the values most likely, and how likely: by golden-section search.
    fn best_scale(&self, shape: usize, (mut from, mut to): (f64, f64)) -> (f64, f64) {
        const GOLDEN: f64 = 0.618_033_988_749_895;
        const ENOUGH: f64 = 0.01;
        let of = |ln: f64| self.ln_likelihood(shape, ln.exp());
        let (mut left, mut right) = (to - GOLDEN * (to - from), from + GOLDEN * (to - from));
        let (mut of_left, mut of_right) = (of(left), of(right));
        while to - from > ENOUGH {
            if of_left > of_right {
                (to, right, of_right) = (right, left, of_left);
                left = to - GOLDEN * (to - from);
                of_left = of(left);
            } else {
                (from, left, of_left) = (left, right, of_right);
                right = from + GOLDEN * (to - from);
                of_right = of(right);
            }
        }
        let best = f64::midpoint(from, to);
        (best, of(best))
    }

    fn ln_likelihood(&self, shape: usize, scale: f64) -> f64 {
        let grid = Grid::get();
        let first = grid.ln_tail(shape, length(self.low) / scale);
        let mut before = 1.0;
        let mut sum = 0.0;
        for (end, values) in &self.bins {
            let beyond = (grid.ln_tail(shape, end / scale) - first).exp();
            sum += values * (before - beyond).max(f64::MIN_POSITIVE).ln();
            before = beyond;
        }
        sum + self.outermost * before.max(f64::MIN_POSITIVE).ln()
    }
}
