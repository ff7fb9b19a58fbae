//! A series of daily counts: its baseline from day to day, and how far windows of days are from it.
//!
//! All is done on logarithms of counts plus one. The baseline of a day is the mean of the middle half of the 28 days
//! before it on which the series was observed, seven at least; days of a known event are stepped over, so a baseline
//! is frozen at an event's begin, and afterwards is what it was before. Windows of several days are compared
//! with the baseline of their first day; and a week also with that of four weeks earlier, which shows what grows too
//! slowly to leave the days right before behind.

use std::sync::LazyLock;

use super::law::Law;
use super::persistence::Persistence;

/// Days of a baseline.
pub(super) const BASELINE: usize = 28;
/// The variance of a baseline of n days is n times less than this many days' own: more than 1, as it is a robust mean
/// of days that depend on each other.
pub(super) const BASELINE_VARIANCE: f32 = 2.0;
/// Kinds of windows.
pub(super) const KINDS: usize = 5;

/// A kind of window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Its days.
    pub(super) days: usize,
    /// Of these, those that must have been observed.
    pub(super) least: u8,
    /// Days from its baseline to its first day.
    pub(super) gap: usize,
    /// Windows that overlap are beyond a threshold together: so many on average, seen in noise of every kind.
    pub(super) run: f64,
    /// The part of all false findings that is allowed to windows of the kind.
    pub(super) share: f64,
    /// So many times as often as their law has it are windows of the kind beyond a threshold where levels wander, by what was
    /// found in quiet histories: a level that stays elsewhere for weeks looks like few independent days.
    pub(super) excess: f64,
}

/// The windows that are tested; those with a gap come last.
pub(super) const WINDOWS: [Window; KINDS] = [
    Window { days: 1, least: 1, gap: 0, run: 1.0, share: 0.35, excess: 1.0 },
    Window { days: 3, least: 2, gap: 0, run: 1.5, share: 0.2, excess: 1.0 },
    Window { days: 7, least: 5, gap: 0, run: 2.5, share: 0.2, excess: 4.0 },
    Window { days: 14, least: 10, gap: 0, run: 4.0, share: 0.2, excess: 4.0 },
    Window { days: 7, least: 5, gap: BASELINE, run: 2.5, share: 0.05, excess: 4.0 },
];

/// Direction of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// More than the baseline.
    Up,
    /// Less.
    Down,
}

impl Side {
    /// 1, or -1.
    pub(super) const fn sign(self) -> f32 {
        match self {
            Self::Up => 1.0,
            Self::Down => -1.0,
        }
    }

    /// Its place where both are kept.
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Up => 0,
            Self::Down => 1,
        }
    }
}

/// On what scale residuals are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Logarithms of quotients.
    Logarithm,
    /// Cube roots of quotients, on which gamma-distributed counts are close to normal (Wilson and Hilferty).
    Root,
}

/// A series of daily counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    /// `ln(1 + packets)` of each day.
    pub(super) low: Vec<f32>,
    /// The same with the packets that there may have been uncounted, if there are such days.
    pub(super) high: Option<Vec<f32>>,
    /// The days that were observed.
    pub(super) observed: Vec<bool>,
    /// The days of known events.
    pub(super) masked: Vec<bool>,
    /// How much of a day is there on the next.
    pub(super) persistence: Persistence,
    /// Series with the same number are of the same service, and vary much alike.
    pub(super) group: usize,
}

impl Track {
    /// Days.
    pub(super) fn days(&self) -> usize {
        self.low.len()
    }

    /// The most that there was.
    pub(super) fn high(&self) -> &[f32] {
        self.high.as_deref().unwrap_or(&self.low)
    }

    /// The most that there was as a series of its own, if it isn't what there was.
    pub(super) fn most(&self) -> Option<Self> {
        let low = self.high.clone()?;
        let (observed, masked) = (self.observed.clone(), self.masked.clone());
        Some(Self { low, high: None, observed, masked, persistence: self.persistence, group: self.group })
    }

    /// What is tested, and what it is compared with: neither errs to the side that is looked for.
    pub(super) fn tested(&self, side: Side) -> (&[f32], &[f32]) {
        match side {
            Side::Up => (&self.low, self.high()),
            Side::Down => (self.high(), &self.low),
        }
    }

    /// The baseline of each day, and of how many days; no number where it can't be told.
    pub(super) fn bases(&self, values: &[f32], least: usize) -> (Vec<f32>, Vec<usize>) {
        let mut sorted = Sorted::default();
        let mut clean: Vec<usize> = Vec::with_capacity(values.len());
        let mut base = f32::NAN;
        let (mut bases, mut counts) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
        for (day, value) in values.iter().enumerate() {
            bases.push(base);
            counts.push(sorted.count);
            if self.masked[day] {
                continue;
            }
            clean.push(day);
            let gone = clean.len().checked_sub(BASELINE + 1).map(|at| clean[at]);
            if let Some(gone) = gone.filter(|gone| self.observed[*gone]) {
                sorted.remove(values[gone]);
            }
            if self.observed[day] {
                sorted.insert(*value);
            }
            base = if sorted.count >= least { middle(sorted.values()) } else { f32::NAN };
        }
        (bases, counts)
    }

    /// The days that a baseline of this day is made of, the latest first.
    pub(super) fn baseline_days(&self, day: usize) -> impl Iterator<Item = usize> + '_ {
        (0..day).rev().filter(|at| !self.masked[*at]).take(BASELINE).filter(|at| self.observed[*at])
    }
}

/// The values of a baseline, in order.
#[derive(Default)]
struct Sorted {
    all: [f32; BASELINE],
    count: usize,
}

impl Sorted {
    fn values(&self) -> &[f32] {
        &self.all[..self.count]
    }

    fn below(&self, value: f32) -> usize {
        self.values().iter().filter(|it| **it < value).count()
    }

    /// Adds a value; there must be room.
    fn insert(&mut self, value: f32) {
        let at = self.below(value);
        self.all.copy_within(at..self.count, at + 1);
        self.all[at] = value;
        self.count += 1;
    }

    /// Removes a value that is among them.
    fn remove(&mut self, value: f32) {
        let at = self.below(value);
        self.all.copy_within(at + 1..self.count, at);
        self.count -= 1;
    }
}

/// The mean of the middle half.
pub(super) fn middle(sorted: &[f32]) -> f32 {
    let cut = sorted.len() / 4;
    let middle = &sorted[cut..sorted.len() - cut];
    middle.iter().sum::<f32>() / small(middle.len())
}

/// What is new on a day: `value × slope − level × offset`, with slope and offset of the baseline that it is compared
/// with. Nothing if it was not observed.
#[derive(Clone, Copy, Debug, Default)]
struct Fresh {
    value: f32,
    level: f32,
    /// What a change shows of itself on the day.
    part: f32,
}

/// How far days are from baselines.
pub(super) struct Residuals {
    /// Baselines.
    pub(super) bases: Vec<f32>,
    /// The days that each is made of.
    counts: Vec<usize>,
    /// Each day as it is.
    plain: Vec<Fresh>,
    /// What is new on each day, if a change begins with it.
    at_first: Vec<Fresh>,
    /// The same, if a change began before.
    later: Vec<Fresh>,
    form: Form,
}

impl Residuals {
    /// Of a track's days on a side, if `least` days make a baseline.
    pub(super) fn new(track: &Track, side: Side, least: usize, form: Form) -> Self {
        let (values, compared) = track.tested(side);
        let (bases, counts) = track.bases(compared, least);
        let formed = |values: &[f32]| match form {
            Form::Logarithm => values.to_vec(),
            Form::Root => values.iter().map(|value| (value / 3.0).exp()).collect(),
        };
        let values = formed(values);
        let most = track.high.as_ref().map(|_| formed(compared));
        let compared = most.as_ref().unwrap_or(&values);
        let persistence = track.persistence;
        let plain = |day: usize| Fresh { value: values[day], level: 1.0, part: 1.0 };
        // A day after one that was not observed, or after an event, is new as it is.
        let fresh = |day: usize, began: bool| match day.checked_sub(1) {
            Some(before) if track.observed[before] && (began || !track.masked[before]) => Fresh {
                value: persistence.fresh(values[day], compared[before]),
                level: persistence.later(),
                part: if began { persistence.later() } else { persistence.at_first() },
            },
            _ => plain(day),
        };
        let all = |of: &dyn Fn(usize) -> Fresh| -> Vec<Fresh> {
            (0..track.days())
                .map(|day| if track.observed[day] { of(day) } else { Fresh::default() })
                .collect()
        };
        let (at_first, later) = (all(&|day| fresh(day, false)), all(&|day| fresh(day, true)));
        let plain = all(&plain);
        Self { bases, counts, plain, at_first, later, form }
    }

    /// The slope and the offset of a baseline. Near 0, what they make of a day is the logarithm of its quotient to
    /// the baseline, in any form.
    fn line(&self, base: usize) -> (f32, f32) {
        match self.form {
            Form::Logarithm => (1.0, self.bases[base]),
            Form::Root => (3.0 * (-self.bases[base] / 3.0).exp(), 3.0),
        }
    }

    /// What is new on a day, to its own baseline.
    pub(super) fn fresh(&self, day: usize) -> f32 {
        let ((slope, offset), fresh) = (self.line(day), self.at_first[day]);
        fresh.value * slope - fresh.level * offset
    }
}

/// Each kind of window by its first day, in standard units; no number where there is none.
pub(super) type Windows = [Vec<f32>; KINDS];

/// The windows of a track. Days are in units of the spread of their baseline, `spreads`; windows of several are sums
/// of the normal scores that `law` gives to what is new on each day, each as much as a change shows on it, in units of
/// their own deviation: so one day's heavy tail doesn't make a window. What grows slowly is never new, so windows
/// that look for it take days as they are.
pub(super) fn windows(residuals: &Residuals, spreads: &[f32], law: &Law) -> Windows {
    std::array::from_fn(|kind| {
        (0..spreads.len()).map(|begin| window(residuals, spreads, law, (kind, begin))).collect()
    })
}

/// One of them, by its kind and its first day.
pub(super) fn window(
    residuals: &Residuals,
    spreads: &[f32],
    law: &Law,
    (kind, begin): (usize, usize),
) -> f32 {
    let window = &WINDOWS[kind];
    let end = begin + window.days;
    let base = begin.checked_sub(window.gap).filter(|base| !residuals.bases[*base].is_nan());
    let Some(base) = base.filter(|_| end <= spreads.len()) else { return f32::NAN };
    let (slope, offset) = residuals.line(base);
    let inverse = spreads[base].recip();
    let units = |of: &Fresh| (of.value * slope - of.level * offset) * inverse;
    let certainty = CERTAINTY[kind][residuals.counts[base]];
    let first = &residuals.at_first[begin];
    if window.days == 1 {
        return if first.part > 0.0 { units(first) * certainty } else { f32::NAN };
    }
    let scores = law.scores();
    let mut sum = Sum::default();
    let mut add = |day: &Fresh| sum.add(day.part, scores.of(units(day)));
    if window.gap > 0 {
        residuals.plain[begin..end].iter().for_each(add);
    } else {
        add(first);
        residuals.later[begin + 1..end].iter().for_each(add);
    }
    if sum.observed >= window.least { sum.scores / sum.squares.sqrt() * certainty } else { f32::NAN }
}

/// What each kind of window is worth by the days of its baseline: with fewer it errs more.
static CERTAINTY: LazyLock<[[f32; BASELINE + 1]; KINDS]> = LazyLock::new(|| {
    let certainty = |window: usize, baseline: usize| {
        let variance = |days: usize| 1.0 / small(window) + BASELINE_VARIANCE / small(days.max(1));
        (variance(BASELINE) / variance(baseline)).sqrt()
    };
    WINDOWS.map(|window| std::array::from_fn(|baseline| certainty(window.days, baseline)))
});

/// Of the days of a window; those that were not observed show nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    observed: u8,
    scores: f32,
    /// Of what a change shows on each.
    squares: f32,
}

impl Sum {
    /// Adds a day, on which a change shows this part of itself.
    fn add(&mut self, part: f32, score: f32) {
        self.observed += u8::from(part > 0.0);
        self.scores += part * score;
        self.squares += part * part;
    }
}

/// A small number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "days, or series")]
pub(super) const fn small(number: usize) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn track(counts: &[f32]) -> Track {
        Track {
            low: counts.iter().map(|count| count.ln_1p()).collect(),
            high: None,
            observed: vec![true; counts.len()],
            masked: vec![false; counts.len()],
            ..Track::default()
        }
    }

    fn base(track: &Track, day: usize) -> f32 {
        track.bases(&track.low, 7).0[day].exp_m1()
    }

    #[rstest]
    #[case::too_few(6, None)]
    #[case::a_week(7, Some(100.0))]
    #[case::before_the_step(40, Some(100.0))]
    #[case::a_few_days_after_it(45, Some(100.0))]
    #[case::it_has_become_usual(68, Some(900.0))]
    fn a_baseline_follows(#[case] day: usize, #[case] expected: Option<f32>) {
        let counts: Vec<f32> = (0..90).map(|day| if day < 40 { 100.0 } else { 900.0 }).collect();
        let found = base(&track(&counts), day);
        assert!(expected.map_or(found.is_nan(), |expected| (found / expected - 1.0).abs() < 1e-3), "{found}");
    }

    #[test]
    fn a_baseline_steps_over_an_event() {
        let counts: Vec<f32> =
            (0..90).map(|day| if (40..80).contains(&day) { 900.0 } else { 100.0 }).collect();
        let mut track = track(&counts);
        track.masked[40..80].fill(true);
        for day in [41, 79, 80, 85] {
            assert!((base(&track, day) / 100.0 - 1.0).abs() < 1e-3, "day {day}");
        }
    }

    #[test]
    fn a_baseline_leaves_out_what_was_not_observed() {
        let mut track = track(&[vec![100.0; 30], vec![0.0; 20], vec![100.0; 9]].concat());
        track.observed[30..50].fill(false);
        assert!((base(&track, 50) / 100.0 - 1.0).abs() < 1e-3);
        track.observed[..28].fill(false);
        assert!(base(&track, 50).is_nan());
    }
}
