//! A series of daily counts: its baseline from day to day, and how far windows of days are from it.
//!
//! All is done on logarithms of counts plus one. The baseline of a day is the mean of the middle half of the 28 days
//! before it on which the series was observed, seven at least; days of a known event are stepped over, so a baseline
//! is frozen at an event's begin, and afterwards is what it was before. Windows of several days are compared
//! with the baseline of their first day; and a week also with that of four weeks earlier, which shows what grows too
//! slowly to leave the days right before behind.

use super::law::Law;

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
}

/// The windows that are tested; those with a gap come last.
pub(super) const WINDOWS: [Window; KINDS] = [
    Window { days: 1, least: 1, gap: 0, run: 1.0, share: 0.35 },
    Window { days: 3, least: 2, gap: 0, run: 1.5, share: 0.2 },
    Window { days: 7, least: 5, gap: 0, run: 2.5, share: 0.2 },
    Window { days: 14, least: 10, gap: 0, run: 4.0, share: 0.2 },
    Window { days: 7, least: 5, gap: BASELINE, run: 2.5, share: 0.05 },
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
        Some(Self { low, high: None, observed: self.observed.clone(), masked: self.masked.clone() })
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
        let mut sorted: Vec<f32> = Vec::with_capacity(BASELINE + 1);
        let mut clean: Vec<usize> = Vec::with_capacity(values.len());
        let mut base = f32::NAN;
        let (mut bases, mut counts) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
        for (day, value) in values.iter().enumerate() {
            bases.push(base);
            counts.push(sorted.len());
            if self.masked[day] {
                continue;
            }
            clean.push(day);
            if self.observed[day] {
                sorted.insert(sorted.partition_point(|it| it < value), *value);
            }
            if let Some(gone) = clean.len().checked_sub(BASELINE + 1).map(|at| clean[at])
                && self.observed[gone]
            {
                sorted.remove(sorted.partition_point(|it| *it < values[gone]));
            }
            base = if sorted.len() >= least { middle(&sorted) } else { f32::NAN };
        }
        (bases, counts)
    }

    /// The days that a baseline of this day is made of, the latest first.
    pub(super) fn baseline_days(&self, day: usize) -> impl Iterator<Item = usize> + '_ {
        (0..day).rev().filter(|at| !self.masked[*at]).take(BASELINE).filter(|at| self.observed[*at])
    }
}

/// The mean of the middle half.
pub(super) fn middle(sorted: &[f32]) -> f32 {
    let cut = sorted.len() / 4;
    let middle = &sorted[cut..sorted.len() - cut];
    middle.iter().sum::<f32>() / small(middle.len())
}

/// How far days are from baselines.
pub(super) struct Residuals {
    /// Baselines.
    pub(super) bases: Vec<f32>,
    /// The days that each is made of.
    counts: Vec<usize>,
    values: Vec<f32>,
    references: Vec<f32>,
    form: Form,
}

impl Residuals {
    /// Of days' values to these baselines.
    pub(super) fn new(values: &[f32], (bases, counts): (Vec<f32>, Vec<usize>), form: Form) -> Self {
        let (values, references) = match form {
            Form::Logarithm => (values.to_vec(), bases.clone()),
            Form::Root => (
                values.iter().map(|value| (value / 3.0).exp()).collect(),
                bases.iter().map(|base| 3.0 * (-base / 3.0).exp()).collect(),
            ),
        };
        Self { bases, counts, values, references, form }
    }

    /// Of a day, to the baseline of another. Near 0 it is the logarithm of their quotient in any form.
    pub(super) fn of(&self, day: usize, base: usize) -> f32 {
        match self.form {
            Form::Logarithm => self.values[day] - self.references[base],
            Form::Root => self.values[day] * self.references[base] - 3.0,
        }
    }
}

/// Each kind of window by its first day, in standard units; no number where there is none.
pub(super) type Windows = [Vec<f32>; KINDS];

/// The windows of a track. Days are in units of the spread of their baseline, `spreads`; windows of several are sums
/// of the normal scores that `law` gives each day, divided by the root of their number: so one day's heavy tail
/// doesn't make a window.
pub(super) fn windows(track: &Track, residuals: &Residuals, spreads: &[f32], law: &Law) -> Windows {
    let days = track.days();
    let mut windows: Windows = std::array::from_fn(|_| vec![f32::NAN; days]);
    for begin in 0..days {
        let sum = |base: usize, from: usize, to: usize, sum: &mut Sum| {
            let inverse = spreads[base].recip();
            for day in (from..to).filter(|day| track.observed[*day]) {
                let value = residuals.of(day, base) * inverse;
                if sum.observed == 0 {
                    sum.first = value;
                }
                sum.scores += law.score(value);
                sum.observed += 1;
            }
        };
        let (mut from_here, mut reached) = (Sum::default(), begin);
        for (window, values) in WINDOWS.iter().zip(&mut windows) {
            let end = begin + window.days;
            let base = begin.checked_sub(window.gap).filter(|base| !residuals.bases[*base].is_nan());
            let Some(base) = base.filter(|_| end <= days) else { continue };
            let mut apart = Sum::default();
            let of = if window.gap == 0 {
                sum(base, reached, end, &mut from_here);
                reached = end;
                &from_here
            } else {
                sum(base, begin, end, &mut apart);
                &apart
            };
            if of.observed >= window.least {
                let value =
                    if window.days == 1 { of.first } else { of.scores / f32::from(of.observed).sqrt() };
                values[begin] = value * certainty(window.days, residuals.counts[base]);
            }
        }
    }
    windows
}

/// What a window is worth if its baseline is of fewer days than others: it errs more.
fn certainty(window: usize, baseline: usize) -> f32 {
    let variance = |days: usize| 1.0 / small(window) + BASELINE_VARIANCE / small(days.max(1));
    (variance(BASELINE) / variance(baseline)).sqrt()
}

/// Of the observed days of a window.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    /// The first value.
    first: f32,
    scores: f32,
    observed: u8,
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
