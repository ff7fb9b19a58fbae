//! What series of like size have in common: how much they vary, and by which law.
//!
//! From its own days alone, one series in many looks much steadier than it is. So its spread is drawn towards what is
//! usual for its service and in its pool, the more the fewer its days are and the more alike spreads are (`usual.rs`).
//! What is left of the error is in the values that the law is fitted to, as are weekly patterns, drift, and noise that
//! lasts for days: they are the same values that are tested later.

mod usual;

use std::borrow::Cow;
use std::iter;

use self::usual::{LEAST_VALUES, Spread, Usual};
use super::law::{Histogram, Law, Outermost, Prior};
use super::persistence::Persistence;
use super::track::{self, BASELINE, Form, KINDS, Residuals, Side, Track, WINDOWS, Windows, small, windows};

/// No series is steadier than this; days of the week alone do as much. Of logarithms.
const LEAST_SPREAD: f32 = 0.1;
/// The logarithm of the least spread of windows.
const LEAST_WINDOW_SPREAD: f32 = -0.2;
/// A baseline of fewer packets counts as this many when it is asked how much they vary by themselves.
const LEAST_MEAN: f32 = 0.3;
/// Days depend on each other: as many as these are worth one that doesn't.
const DEPENDENCE: f64 = 2.0;
/// The same of the days of windows.
const WINDOW_DEPENDENCE: f64 = 1.5;
/// Standard deviations of a normal distribution in one median absolute deviation.
const DEVIATIONS: f32 = 1.482_602_2;
/// Values beyond this many robust deviations count as this many.
const CLIP: f32 = 2.0;
/// The variance of a standard normal variable that is clipped so.
const CLIPPED: f32 = 0.920_54;
/// Days, from a window's begin on, that don't tell how much the series varies: those of the longest window, and those
/// whose baselines it is in.
const OWN_DAYS: usize = 14 + BASELINE;

/// A pool.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    form: Form,
    least_days: usize,
    spreads: Usual,
    /// Of days, and of the other kinds of windows.
    laws: Vec<Law>,
    /// Of windows of series whose days vary much, where that is asked of each series.
    unsteady: Vec<Law>,
    windows: Vec<Usual>,
}

/// By what it is told how heavy the laws of windows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Laws {
    /// By how much a pool's days usually vary.
    OfPools,
    /// Heavier where a series' own days vary more than that: among many steady ones, it is those that have false events.
    OfSeries,
}

/// What is known of a track.
#[derive(Clone, Debug)]
pub(super) struct Scored {
    /// Baselines by day, as `ln(1 + packets)`.
    pub(super) bases: Vec<f32>,
    /// Spreads by the day of their baseline.
    pub(super) spreads: Vec<f32>,
    /// Windows in standard units.
    pub(super) windows: Windows,
    /// What turned each kind of window into standard units.
    units: [f32; KINDS],
    persistence: Persistence,
}

/// What is known of a track before its windows are scored.
pub(super) struct Outline {
    residuals: Residuals,
    /// As in [`Scored`].
    pub(super) spreads: Vec<f32>,
    /// The spread that each day is judged by, in units of what counts have by themselves.
    own: Vec<f32>,
}

impl Outline {
    /// Baselines by day, as `ln(1 + packets)`.
    pub(super) fn bases(&self) -> &[f32] {
        &self.residuals.bases
    }
}

impl Scored {
    /// What a week's mean varies more than independent days.
    pub(super) fn week(&self) -> f32 {
        self.persistence.of_mean(WINDOWS[2].days) / self.units[2]
    }
}

impl Pool {
    /// The pool of these tracks; `least_days` must be in a baseline.
    pub(super) fn of(tracks: &[&Track], least_days: usize, outermost: Outermost, laws_of: Laws) -> Self {
        let tracks: Vec<Cow<Track>> =
            tracks.iter().map(|track| track.most().map_or(Cow::Borrowed(*track), Cow::Owned)).collect();
        let tracks = tracks.as_slice();
        let mut form = Form::Logarithm;
        let (mut residuals, mut spreads, mut histogram) = days(tracks, form, least_days);
        if histogram.is_light() {
            form = Form::Root;
            (residuals, spreads, histogram) = days(tracks, form, least_days);
        }
        let laws = vec![Law::fit(&histogram, DEPENDENCE, Prior::DAYS, outermost).with_scores()];
        let mut pool = Self { form, least_days, spreads, laws, unsteady: Vec::new(), windows: Vec::new() };
        let of = |(track, residuals): (&Cow<Track>, Residuals)| {
            pool.scored(track, pool.outlined(track, residuals, None), None)
        };
        let scored: Vec<Scored> = tracks.iter().zip(residuals).map(of).collect();
        let spread = usual_spread(&scored);
        for (kind, window) in WINDOWS.iter().enumerate().skip(1) {
            let length = window.days;
            let own: Vec<Spread> = tracks
                .iter()
                .zip(&scored)
                .map(|(track, scored)| window_spread(track, &scored.windows[kind], length))
                .collect();
            let usual = Usual::of(tracks.iter().map(|track| track.group).zip(own.iter().copied()));
            let mut histogram = Histogram::default();
            for ((track, scored), own) in tracks.iter().zip(&scored).zip(own) {
                let inverse = unit(&usual, track.group, own);
                clean_windows(track, &scored.windows[kind], length)
                    .for_each(|value| histogram.add(value * inverse));
            }
            let dependence = WINDOW_DEPENDENCE * super::number(length as u64);
            let prior = if outermost.is_all() {
                Prior::WINDOWS
            } else {
                Prior::windows(f64::from(usual.left()), f64::from(spread))
            };
            pool.laws.push(Law::fit(&histogram, dependence, prior, outermost));
            if laws_of == Laws::OfSeries {
                pool.unsteady.push(Law::fit(&histogram, dependence, Prior::WINDOWS, outermost));
            }
            pool.windows.push(usual);
        }
        pool
    }

    /// The law of a kind of window.
    pub(super) fn law(&self, kind: usize) -> &Law {
        &self.laws[kind]
    }

    /// The logarithm of the chance of a window of this value or more, in standard units and in the side's direction, in a
    /// series whose days vary by `spread`.
    pub(super) fn ln_chance(&self, (kind, side): (usize, Side), value: f64, spread: f32) -> f64 {
        let usual = self.laws[kind].tail(side).ln_chance(value);
        // Days come first, and have one law.
        let unsteady = kind.checked_sub(1).and_then(|window| self.unsteady.get(window));
        unsteady.map_or(usual, |law| {
            let more = law.tail(side).ln_chance(value) - usual;
            usual + Prior::unsteadiness(f64::from(spread)) * more.max(0.0)
        })
    }

    /// A track in the pool's terms, for surges and for falls.
    pub(super) fn score_both(&self, track: &Track) -> [Scored; 2] {
        let up = self.score(track, Side::Up);
        let down = if track.high.is_some() { self.score(track, Side::Down) } else { up.clone() };
        [up, down]
    }

    /// A track in the pool's terms.
    pub(super) fn score(&self, track: &Track, side: Side) -> Scored {
        // Days that were not counted, but taken at their worst, say nothing of how much the series varies.
        let usual = track.most().map(|most| {
            let outline = self.outlined(&most, self.residuals(&most, side), None);
            (outline.own.clone(), self.scored(&most, outline, None).units)
        });
        let (own, units) = usual.unzip();
        self.scored(track, self.outlined(track, self.residuals(track, side), own), units)
    }

    /// The same, without its windows.
    pub(super) fn outline(&self, track: &Track, side: Side) -> Outline {
        let own = track.most().map(|most| self.outlined(&most, self.residuals(&most, side), None).own);
        self.outlined(track, self.residuals(track, side), own)
    }

    /// The window of a kind that begins on a day, in standard units, or more: not less if it is above 0, nor more if
    /// it is below.
    pub(super) fn window(&self, outline: &Outline, kind: usize, begin: usize) -> f32 {
        let value = track::window(&outline.residuals, &outline.spreads, &self.laws[0], (kind, begin));
        if kind == 0 { value } else { value * most_unit() }
    }

    fn residuals(&self, track: &Track, side: Side) -> Residuals {
        Residuals::new(track, side, self.least_days, self.form)
    }

    /// With spreads of its own, or these.
    fn outlined(&self, track: &Track, residuals: Residuals, own: Option<Vec<f32>>) -> Outline {
        let least = least_spreads(&residuals);
        let own = own.unwrap_or_else(|| Variation::of(track, &residuals, &least).judging(&self.spreads));
        let spreads = least.iter().zip(&own).map(|(least, own)| own * least).collect();
        Outline { residuals, spreads, own }
    }

    /// With units of its own, or these.
    fn scored(&self, track: &Track, outline: Outline, like: Option<[f32; KINDS]>) -> Scored {
        let Outline { residuals, spreads, .. } = outline;
        let mut windows = windows(&residuals, &spreads, &self.laws[0]);
        let mut units = [1.0; KINDS];
        for (kind, usual) in (1..KINDS).zip(&self.windows) {
            let own = || unit(usual, track.group, window_spread(track, &windows[kind], WINDOWS[kind].days));
            units[kind] = like.map_or_else(own, |like| like[kind]);
            windows[kind].iter_mut().for_each(|value| *value *= units[kind]);
        }
        let persistence = track.persistence;
        Scored { bases: residuals.bases, spreads, windows, units, persistence }
    }
}

/// How much days usually vary in the end, of logarithms.
fn usual_spread(scored: &[Scored]) -> f32 {
    let latest = |scored: &Scored| scored.spreads.iter().rev().find(|spread| !spread.is_nan()).copied();
    let mut spreads: Vec<f32> = scored.iter().filter_map(latest).collect();
    if spreads.is_empty() { f32::MAX } else { median(&mut spreads) }
}

/// The spreads that counts have by themselves, by the day of their baseline.
fn least_spreads(residuals: &Residuals) -> Vec<f32> {
    residuals.bases.iter().map(|base| least_spread(*base)).collect()
}

/// The spread that counts have by themselves at this baseline.
fn least_spread(base: f32) -> f32 {
    let mean = base.exp_m1();
    (LEAST_SPREAD * LEAST_SPREAD + mean.max(LEAST_MEAN) / (mean + 1.0).powi(2)).sqrt()
}

/// Residuals of tracks, their spreads in units of what counts have by themselves, and all days in units of them.
fn days(tracks: &[Cow<Track>], form: Form, least_days: usize) -> (Vec<Residuals>, Usual, Histogram) {
    let residuals: Vec<Residuals> =
        tracks.iter().map(|track| Residuals::new(track, Side::Up, least_days, form)).collect();
    let own: Vec<Variation> = tracks
        .iter()
        .zip(&residuals)
        .map(|(track, of)| Variation::of(track, of, &least_spreads(of)))
        .collect();
    let usual = Usual::of(own.iter().map(|own| (own.group, own.all())));
    let mut histogram = Histogram::default();
    for own in own {
        let judging = own.judging(&usual);
        own.values.iter().zip(judging).for_each(|(value, spread)| histogram.add(value / spread));
    }
    (residuals, usual, histogram)
}

/// How much a series varies from day to day: a surge that is no known event yet must not be judged by the spread that it
/// makes itself, so each day is judged by what the others show.
struct Variation {
    /// Its service's number.
    group: usize,
    /// What is new on each day, in units of what counts have by themselves; no number on days of known events.
    values: Vec<f32>,
    /// Sums of the squares of the first days, clipped, and how many they are.
    sums: Vec<(f32, f32)>,
}

impl Variation {
    fn of(track: &Track, residuals: &Residuals, least: &[f32]) -> Self {
        let clean = |day: usize| track.observed[day] && !track.masked[day] && !residuals.bases[day].is_nan();
        let value = |day| {
            if clean(day) { residuals.fresh(day) / least[day] } else { f32::NAN }
        };
        let values: Vec<f32> = (0..track.days()).map(value).collect();
        let limit = limit(values.iter().filter(|value| !value.is_nan()).map(|value| value.abs()).collect());
        let mut sum = (0.0, 0.0);
        let sums = values.iter().map(|value| {
            if !value.is_nan() {
                sum = (sum.0 + value.abs().min(limit).powi(2), sum.1 + 1.0);
            }
            sum
        });
        Self { group: track.group, sums: iter::once((0.0, 0.0)).chain(sums).collect(), values }
    }

    /// The spread of all days but these.
    fn without(&self, from: usize, to: usize) -> Spread {
        let (all, before, after) = (self.sums[self.values.len()], self.sums[from], self.sums[to]);
        let (squares, values) = (all.0 - (after.0 - before.0), all.1 - (after.1 - before.1));
        Spread { ln: 0.5 * (squares / values.max(1.0) / CLIPPED).max(0.04).ln(), values }
    }

    fn all(&self) -> Spread {
        self.without(0, 0)
    }

    /// The spread that each day, and the windows that begin on it, are judged by.
    fn judging(&self, usual: &Usual) -> Vec<f32> {
        let days = self.values.len();
        (0..days)
            .map(|day| usual.shrunk(self.group, self.without(day, (day + OWN_DAYS).min(days))).max(0.0).exp())
            .collect()
    }
}

fn window_spread(track: &Track, values: &[f32], length: usize) -> Spread {
    let (spread, values) = spread(clean_windows(track, values, length));
    Spread { ln: spread.max(0.5).ln(), values: values / small(length) }
}

/// The windows of so many days that have no day of a known event, the last first.
fn clean_windows<'a>(track: &'a Track, values: &'a [f32], length: usize) -> impl Iterator<Item = f32> + 'a {
    let mut masked = usize::MAX;
    let clean = (0..values.len()).rev().filter(move |begin| {
        if track.masked[*begin] {
            masked = *begin;
        }
        masked - begin >= length
    });
    clean.map(|begin| values[begin]).filter(|value| !value.is_nan())
}

/// What turns a window of this series into standard units.
fn unit(usual: &Usual, group: usize, own: Spread) -> f32 {
    (-usual.shrunk(group, own).max(LEAST_WINDOW_SPREAD)).exp()
}

/// At most that.
fn most_unit() -> f32 {
    (-LEAST_WINDOW_SPREAD).exp()
}

/// A robust standard deviation about 0, and of how many values. The median deviation alone wastes most of what so few
/// days tell; so the squares of all are averaged, those from two deviations on as two.
pub(super) fn spread(values: impl Iterator<Item = f32>) -> (f32, f32) {
    let values: Vec<f32> = values.map(f32::abs).collect();
    let count = small(values.len());
    if count < LEAST_VALUES {
        return (1.0, 0.0);
    }
    let limit = limit(values.clone());
    let squares = values.iter().map(|value| value.min(limit).powi(2)).sum::<f32>() / count;
    ((squares / CLIPPED).sqrt(), count)
}

/// Where values are clipped.
fn limit(mut sizes: Vec<f32>) -> f32 {
    let count = small(sizes.len());
    if count < LEAST_VALUES {
        f32::MAX
    } else {
        CLIP * median(&mut sizes) * DEVIATIONS * count / (count - 0.8)
    }
}

/// The upper median; reorders.
fn median(values: &mut [f32]) -> f32 {
    let half = values.len() / 2;
    *values.select_nth_unstable_by(half, f32::total_cmp).1
}
