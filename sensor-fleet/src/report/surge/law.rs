//! What chance makes of values in standard units: the law of a pool, found from the pool itself.
//!
//! Real counts don't follow the law that a book has for them: tails are heavier, and how heavy they are decides
//! how many false surges there are, as one value in millions has to be told from the rest. So the law is
//! Student's, each side apart, whose scale and degrees of freedom are those that fit the outer part of the pool's
//! own values. The outermost few in ten thousand only count as being there: were they surges, they would
//! teach the law that surges are usual. As the fit rests on so many values and no more, chances are averaged over
//! all degrees of freedom, each as likely as the values make it; so a small pool has a heavier law than a large one.

use std::sync::OnceLock;

use super::student::ln_upper_tail;

/// Width of the bins of a histogram.
const STEP: f64 = 1.0 / 32.0;
/// Bins of a side, up to 16 units.
const BINS: usize = 512;

/// The part of a pool, on one side, that the fitted part begins with; in a small pool more.
const OUTER: f64 = 0.05;
/// The largest such part.
const MOST_OUTER: f64 = 0.2;
/// Values that a fit needs on a side.
const LEAST_OUTER: f64 = 400.0;
/// How many values the part that is only counted has at least.
const LEAST_OUTERMOST: f64 = 10.0;
/// A pool of fewer values has no law of its own: the prior alone speaks.
const LEAST_VALUES: u64 = 400;
/// Bins that a fit looks at.
const FITTED_BINS: usize = 24;

/// Inverse degrees of freedom that a law is averaged over: from normal to Cauchy's.
const SHAPES: [f64; 18] =
    [0.005, 0.02, 0.04, 0.06, 0.08, 0.1, 0.125, 0.15, 0.175, 0.2, 0.225, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7, 1.0];

/// Mean and standard deviation of the inverse degrees of freedom that are held likely without any data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prior(f64, f64);

impl Prior {
    /// Of days: any tail.
    pub(super) const DAYS: Self = Self(0.06, 0.07);
    /// Of sums of several days' normal scores, which are bounded: close to normal, but for how much series differ.
    pub(super) const WINDOWS: Self = Self(0.02, 0.03);
}
/// Scales that are tried, as logarithms.
const SCALES: (f64, f64) = (-3.0, 2.1);

/// No single day counts for more than this in a window: what it would add rests on the far tail alone.
const MOST_SCORE: f64 = 6.0;

/// A histogram of values in standard units.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    up: Vec<u32>,
    down: Vec<u32>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { up: vec![0; BINS + 1], down: vec![0; BINS + 1], count: 0 }
    }
}

impl Histogram {
    /// Takes one in; nothing if it is no number.
    pub(super) fn add(&mut self, value: f32) {
        if value.is_nan() {
            return;
        }
        let side = if value < 0.0 { &mut self.down } else { &mut self.up };
        side[whole(f64::from(value.abs()) / STEP).min(BINS)] += 1;
        self.count += 1;
    }

    /// Whether the upper side is lighter than a normal law's beyond doubt, as that of gamma-distributed counts is
    /// on a scale of logarithms.
    pub(super) fn is_light(&self) -> bool {
        /// The quotient of the values that 0.5 % and 10 % of normal ones exceed; and what a bin may be off.
        const NORMAL: f64 = 2.01 - 0.03;
        let far = self.count_of(0.005);
        let quotient = length(exceeded(&self.up, far)) / length(exceeded(&self.up, self.count_of(0.1)));
        far > 10.0 && quotient < NORMAL - 0.6 / far.sqrt()
    }

    fn count_of(&self, part: f64) -> f64 {
        part * super::number(self.count)
    }
}

/// The bin that so many values reach.
fn exceeded(side: &[u32], count: f64) -> usize {
    let mut above = 0.0;
    for (bin, values) in side.iter().enumerate().rev() {
        above += f64::from(*values);
        if above >= count {
            return bin;
        }
    }
    0
}

fn total(side: &[u32]) -> f64 {
    side.iter().copied().map(f64::from).sum()
}

fn length(bins: usize) -> f64 {
    super::number(bins as u64) * STEP
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not below 0, and small")]
fn whole(value: f64) -> usize {
    value as usize
}

/// The logarithms of Student's upper tails, by shape, on a grid of `ln(1 + value)`: the series themselves are too
/// slow for fits.
struct Grid(Vec<Vec<f64>>);

impl Grid {
    const PER_UNIT: f64 = 40.0;
    const POINTS: usize = 400;

    fn get() -> &'static Self {
        static GRID: OnceLock<Grid> = OnceLock::new();
        GRID.get_or_init(|| {
            let value = |at: usize| (super::number(at as u64) / Self::PER_UNIT).exp_m1();
            let tail =
                |shape: &f64| (0..Self::POINTS).map(|at| ln_upper_tail(value(at), 1.0 / shape)).collect();
            Self(SHAPES.iter().map(tail).collect())
        })
    }

    fn ln_tail(&self, shape: usize, value: f64) -> f64 {
        let at = value.max(0.0).ln_1p() * Self::PER_UNIT;
        // Beyond the grid the last step goes on.
        let left = whole(at).min(Self::POINTS - 2);
        let tail = &self.0[shape];
        tail[left] + (tail[left + 1] - tail[left]) * (at - super::number(left as u64))
    }
}

/// One of the laws that a tail is averaged over.
#[derive(Clone, Copy, Debug)]
struct Component {
    shape: usize,
    scale: f64,
    ln_weight: f64,
}

/// One side of a law.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    /// Where the fitted part begins, and the logarithm of the part of all values that is beyond.
    low: f64,
    ln_beyond: f64,
    components: Vec<Component>,
    /// Normal scores of the bins' lower ends.
    scores: Vec<f32>,
}

impl Tail {
    /// Fits a side of `count` values on both sides, of which as many as `dependence` together are worth one that is
    /// independent.
    fn fit(side: &[u32], count: u64, dependence: f64, (prior, outermost): (Prior, Outermost)) -> Self {
        let mut tail = if count < LEAST_VALUES {
            let component = |shape| Component { shape, scale: 1.0, ln_weight: prior.ln_weight(shape) };
            let components = (0..SHAPES.len()).map(component).collect();
            Self { low: 0.0, ln_beyond: 0.5_f64.ln(), components, scores: Vec::new() }
        } else {
            Outer::of(side, super::number(count), outermost).fit(dependence, prior)
        };
        tail.normalise();
        tail.scores = (0..=BINS).map(|bin| single(tail.score_of(length(bin)))).collect();
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

    fn score_of(&self, value: f64) -> f64 {
        normal_score(self.ln_chance(value)).clamp(0.0, MOST_SCORE)
    }

    fn score(&self, value: f32) -> f32 {
        let at = value / single(STEP);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not below 0; saturates")]
        let left = at as usize;
        if left >= BINS {
            return self.scores[BINS];
        }
        #[expect(clippy::cast_precision_loss, reason = "a bin's number")]
        let rest = at - left as f32;
        self.scores[left] + (self.scores[left + 1] - self.scores[left]) * rest
    }
}

impl Prior {
    fn ln_weight(self, shape: usize) -> f64 {
        // The shapes stand for stretches of different lengths.
        let middle = |left: usize, right: usize| f64::midpoint(SHAPES[left], SHAPES[right]);
        let last = SHAPES.len() - 1;
        let begin = if shape == 0 { 0.0 } else { middle(shape - 1, shape) };
        let end = if shape == last { SHAPES[last] } else { middle(shape, shape + 1) };
        (end - begin).ln() - ((SHAPES[shape] - self.0) / self.1).powi(2) / 2.0
    }
}

/// The outer part of a side, in bins.
struct Outer {
    low: usize,
    beyond: f64,
    count: f64,
    /// The upper ends of bins, and the values in them.
    bins: Vec<(f64, f64)>,
    /// Values beyond the last.
    outermost: f64,
}

impl Outer {
    fn of(side: &[u32], count: f64, outermost: Outermost) -> Self {
        let part = (LEAST_OUTER / count).clamp(OUTER, MOST_OUTER);
        let low = exceeded(side, part * count).min(BINS - 1);
        let high = exceeded(side, (outermost.0 * count).max(LEAST_OUTERMOST)).clamp(low + 1, BINS);
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

    fn fit(&self, dependence: f64, prior: Prior) -> Tail {
        let component = |shape| {
            let (scale, ln_likelihood) = self.best_scale(shape);
            Component { shape, scale, ln_weight: ln_likelihood / dependence + prior.ln_weight(shape) }
        };
        Tail {
            low: length(self.low),
            ln_beyond: (self.beyond.max(1.0) / self.count).min(0.5).ln(),
            components: (0..SHAPES.len()).map(component).collect(),
            scores: Vec::new(),
        }
    }

    /// The scale that makes the values most likely, and how likely: by golden-section search.
    fn best_scale(&self, shape: usize) -> (f64, f64) {
        const GOLDEN: f64 = 0.618_033_988_749_895;
        const STEPS: u32 = 22;
        let of = |ln: f64| self.ln_likelihood(shape, ln.exp());
        let (mut from, mut to) = SCALES;
        let (mut left, mut right) = (to - GOLDEN * (to - from), from + GOLDEN * (to - from));
        let (mut of_left, mut of_right) = (of(left), of(right));
        for _ in 0..STEPS {
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
        (best.exp(), of(best))
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

/// The part of a pool's values that is only counted as being there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outermost(f64);

impl Outermost {
    /// While it isn't known which days are events: they may be as many.
    pub(super) const UNKNOWN: Self = Self(0.008);
    /// Once they are left out.
    pub(super) const KNOWN: Self = Self(0.0005);
}

/// Both sides.
#[derive(Clone, Debug)]
pub(super) struct Law {
    /// Above 0.
    pub(super) up: Tail,
    /// Below 0, mirrored.
    pub(super) down: Tail,
}

impl Law {
    /// The law of these values, of which as many as `dependence` together are worth one that is independent.
    pub(super) fn fit(histogram: &Histogram, dependence: f64, prior: Prior, outermost: Outermost) -> Self {
        let Histogram { up, down, count } = histogram;
        let [up, down] = [up, down].map(|side| Tail::fit(side, *count, dependence, (prior, outermost)));
        Self { up, down }
    }

    /// The normal value with the chance of this one, within [`MOST_SCORE`].
    pub(super) fn score(&self, value: f32) -> f32 {
        if value < 0.0 { -self.down.score(-value) } else { self.up.score(value) }
    }
}

/// The logarithm of a sum, of terms' logarithms.
fn ln_sum(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = terms.clone().fold(f64::MIN, f64::max);
    most + terms.map(|term| (term - most).exp()).sum::<f64>().ln()
}

/// The value that a normal variable exceeds with this chance, at most one half (Acklam's approximation, good to nine
/// digits in the value).
fn normal_score(ln_chance: f64) -> f64 {
    const CENTRE: [f64; 6] = [
        -39.696_830_286_653_76,
        220.946_098_424_520_5,
        -275.928_510_446_968_7,
        138.357_751_867_269,
        -30.664_798_066_147_16,
        2.506_628_277_459_239,
    ];
    const BELOW_CENTRE: [f64; 6] = [
        -54.476_098_798_224_06,
        161.585_836_858_040_9,
        -155.698_979_859_886_6,
        66.801_311_887_719_72,
        -13.280_681_552_885_72,
        1.0,
    ];
    const TAIL: [f64; 6] = [
        -0.007_784_894_002_430_293,
        -0.322_396_458_041_136_5,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const BELOW_TAIL: [f64; 5] = [
        0.007_784_695_709_041_462,
        0.322_467_129_070_039_8,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    let polynomial = |of: &[f64], at: f64| of.iter().fold(0.0, |sum, coefficient| sum * at + coefficient);
    let chance = ln_chance.exp();
    if chance > 0.024_25 {
        let at = 0.5 - chance;
        at * polynomial(&CENTRE, at * at) / polynomial(&BELOW_CENTRE, at * at)
    } else {
        let at = (-2.0 * ln_chance).sqrt();
        -polynomial(&TAIL, at) / polynomial(&BELOW_TAIL, at)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
const fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Values at the quantiles of Student's law with this shape and scale.
    fn histogram(shape: usize, scale: f64, count: u32) -> Histogram {
        let exact = Tail {
            low: 0.0,
            ln_beyond: 0.5_f64.ln(),
            components: vec![Component { shape, scale, ln_weight: 0.0 }],
            scores: Vec::new(),
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

    // scipy 1.17.1, norm.isf
    #[rstest]
    #[case(0.5, 0.0)]
    #[case(0.1, 1.281_551_565_5)]
    #[case(0.001, 3.090_232_306_2)]
    #[case(1e-12, 7.034_483_825_3)]
    fn normal_scores(#[case] chance: f64, #[case] expected: f64) {
        assert!((normal_score(chance.ln()) - expected).abs() < 1e-7);
    }
}
