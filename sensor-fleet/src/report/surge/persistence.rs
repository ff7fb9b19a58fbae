//! How much of a day's distance from the baseline is still there on the next.
//!
//! Where days resemble the days before, most of what a day shows was known the day before, and a mean of many days
//! errs nearly as much as one. What is new on a day tells more: a change shows all of itself on its first day, and
//! later the part that noise would have lost meanwhile. So days are tested by what is new on them (this is the
//! matched filter for a step in autoregressive noise), and where nothing persists by what they are.
//!
//! How much persists is told by how much more days that are two days, or a week, apart differ than neighbours do: the
//! smaller counts, as a weekly pattern shows in the one alone, and events and growth more in the other. The series of a
//! service have it in common.

use super::pool::spread;
use super::track::{Track, small};

/// Days whose differences are compared with those of neighbours.
const APART: [usize; 2] = [2, 7];
/// Fewer differences tell nothing: these are those of four weeks that are a week apart.
const LEAST_DIFFERENCES: usize = 21;
/// More is never assumed: so much can't be told from drift.
const MOST: f32 = 0.9;
/// The least deviation of differences that tells anything, of logarithms.
const LEAST_SPREAD: f32 = 0.01;

/// The part of a distance that the next day keeps, and what makes the rest vary as much as the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Persistence {
    part: f32,
    inverse: f32,
}

impl Default for Persistence {
    fn default() -> Self {
        Self::of_part(0.0)
    }
}

impl Persistence {
    fn of_part(part: f32) -> Self {
        Self { part, inverse: (1.0 - part * part).sqrt().recip() }
    }

    /// That of series which have it in common: the middle of those that tell it.
    pub(super) fn of<'a>(tracks: impl Iterator<Item = &'a Track>) -> Self {
        let quotients: Vec<[f32; 2]> = tracks.filter_map(quotients).collect();
        let of_kind = |(kind, apart): (usize, usize)| {
            let mut values: Vec<f32> = quotients.iter().map(|of| of[kind]).collect();
            values.sort_by(f32::total_cmp);
            let middle = values.len().saturating_sub(1) / 2;
            values.get(middle).map_or(0.0, |times| solve(apart, *times))
        };
        Self::of_part(APART.into_iter().enumerate().map(of_kind).fold(MOST, f32::min))
    }

    /// What is new on a day, given the distances of it and of the day before.
    pub(super) fn fresh(self, day: f32, before: f32) -> f32 {
        (day - self.part * before) * self.inverse
    }

    /// What is new on the first day of a change, as a part of the change.
    pub(super) const fn at_first(self) -> f32 {
        self.inverse
    }

    /// The same of its later days.
    pub(super) fn later(self) -> f32 {
        (1.0 - self.part) * self.inverse
    }

    /// How much more the mean of so many days varies than if none resembled another, as a quotient of deviations.
    pub(super) fn of_mean(self, days: usize) -> f32 {
        let mut power = 1.0;
        let resembled = (1..days).map(|apart| {
            power *= self.part;
            (1.0 - small(apart) / small(days)) * power
        });
        (1.0 + 2.0 * resembled.sum::<f32>()).sqrt()
    }
}

/// How many times as much days so far apart differ as neighbours do, as variances.
fn quotients(track: &Track) -> Option<[f32; 2]> {
    let values = track.high();
    let clean = |day: usize| track.observed[day] && !track.masked[day];
    let deviation = |apart: usize| {
        let days = (apart..track.days()).filter(|day| clean(*day) && clean(day - apart));
        let differences: Vec<f32> = days.map(|day| values[day] - values[day - apart]).collect();
        (differences.len() >= LEAST_DIFFERENCES).then(|| spread(differences.into_iter()).0)
    };
    let near = deviation(1)?;
    let times = APART.map(|apart| Some((deviation(apart)? / near.max(LEAST_SPREAD)).powi(2)));
    Some([times[0]?, times[1]?])
}

/// The part with which differences of days so far apart have so many times the variance of neighbours':
/// 1 + part + … times, of as many terms as there are days.
fn solve(apart: usize, times: f32) -> f32 {
    let (mut below, mut above) = (0.0, MOST);
    for _ in 0..12 {
        let middle = f32::midpoint(below, above);
        let sum = (0..apart).fold(0.0, |sum, _| 1.0 + middle * sum);
        if sum < times { below = middle } else { above = middle }
    }
    below
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::SplitMix64;
    use rstest::rstest;

    use super::*;
    use crate::simulation::noise::{normal, stream};

    #[expect(clippy::cast_possible_truncation, reason = "a small number")]
    fn random(random: &mut SplitMix64) -> f32 {
        normal(random) as f32
    }

    /// Days that keep this part of the day before, and what `also` adds to them.
    fn track(number: u64, part: f32, also: fn(usize) -> f32) -> Track {
        let from = &mut stream(7, [number, 0, 0]);
        let mut level = random(from);
        let low = (0..120).map(|day| {
            level = part * level + (1.0 - part * part).sqrt() * random(from);
            6.0 + 0.3 * level + also(day)
        });
        let (observed, masked) = (vec![true; 120], vec![false; 120]);
        Track { low: low.collect(), observed, masked, ..Track::default() }
    }

    #[rstest]
    #[case::nothing(0.0, |_| 0.0, 0.0..0.1)]
    #[case::half(0.5, |_| 0.0, 0.35..0.6)]
    #[case::most(0.8, |_| 0.0, 0.65..0.85)]
    #[case::a_week(0.0, |day| 0.3 * (small(day) * std::f32::consts::TAU / 7.0).sin(), 0.0..0.1)]
    #[case::drift(0.0, |day| 0.01 * small(day), 0.0..0.15)]
    #[case::a_surge_of_all(0.5, |day| if (60..74).contains(&day) { 1.1 } else { 0.0 }, 0.35..0.65)]
    #[case::growth(0.0, |day: usize| 0.06 * small(day.saturating_sub(70)), 0.0..0.2)]
    fn it_is_found(
        #[case] part: f32,
        #[case] also: fn(usize) -> f32,
        #[case] expected: std::ops::Range<f32>,
    ) {
        let tracks: Vec<Track> = (0..9).map(|number| track(number, part, also)).collect();
        let found = Persistence::of(tracks.iter()).part;
        assert!(expected.contains(&found), "{found}");
    }

    #[test]
    fn one_event_among_nine_changes_little() {
        let mut tracks: Vec<Track> = (0..9).map(|number| track(number, 0.3, |_| 0.0)).collect();
        let before = Persistence::of(tracks.iter()).part;
        tracks[4].low[60..74].iter_mut().for_each(|value| *value += 2.0);
        assert!((Persistence::of(tracks.iter()).part - before).abs() < 0.1);
    }

    #[test]
    fn what_is_new_varies_as_much_as_the_whole() {
        let persistence = Persistence::of_part(0.6);
        let track = track(1, 0.6, |_| 0.0);
        let fresh = track.low.windows(2).map(|days| persistence.fresh(days[1] - 6.0, days[0] - 6.0));
        let mean = fresh.map(|value| value * value).sum::<f32>() / 119.0;
        assert!((mean.sqrt() / 0.3 - 1.0).abs() < 0.15, "{mean}");
    }

    #[rstest]
    #[case::alike(0.0, 7, 1.0)]
    #[case::a_day(0.8, 1, 1.0)]
    // Of two days, (2 + 2 × 0.5) / 4 instead of 2 / 4.
    #[case::two(0.5, 2, 1.5_f32.sqrt())]
    fn means_vary_more(#[case] part: f32, #[case] days: usize, #[case] expected: f32) {
        assert!((Persistence::of_part(part).of_mean(days) - expected).abs() < 1e-6);
    }

    #[test]
    fn too_few_days_tell_nothing() {
        let mut track = track(1, 0.8, |_| 0.0);
        track.observed[27..].fill(false);
        assert_eq!(Persistence::of([&track].into_iter()), Persistence::default());
    }
}
