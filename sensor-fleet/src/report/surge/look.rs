//! Which series are worth a closer look: those with a window that is large, and beyond its threshold or not far from it.
//!
//! What is large, sums of days tell. So most windows need no scores, for which a law has to be asked day by day.

use super::Settings;
use super::pool::{Outline, Pool};
use super::scan::Thresholds;
use super::track::{Side, Track, WINDOWS, small};

/// The part of a threshold from which on a series is worth a closer look: pools may change once events are known.
const NEAR: f32 = 0.8;
/// What sums made in another order may be off by, of logarithms.
const ROUNDING: f64 = 1e-3;

/// A series that is looked at, with what is needed for it.
pub(super) struct Look<'a> {
    /// What is tested.
    pub(super) track: &'a Track,
    /// `ln(1 + packets)` by day, if what is tested isn't all of them.
    pub(super) all: Option<&'a [f32]>,
    /// Its pool.
    pub(super) pool: &'a Pool,
    /// Its thresholds.
    pub(super) thresholds: &'a Thresholds,
    /// What is a surge.
    pub(super) settings: &'a Settings,
}

impl Look<'_> {
    /// Whether it is worth a closer look, given its outlines for surges and for falls.
    pub(super) fn is_worth(&self, outlines: [&Outline; 2]) -> bool {
        let sides = [Side::Up, Side::Down].into_iter().zip(outlines);
        sides.into_iter().any(|(side, outline)| {
            let mut scored = None;
            self.large(side, outline.bases()).any(|(kind, begin)| {
                let near = |value: f32| value * side.sign() >= NEAR * self.thresholds.of(kind, side);
                near(self.pool.window(outline, kind, begin))
                    && near(
                        scored.get_or_insert_with(|| self.pool.score(self.track, side)).windows[kind][begin],
                    )
            })
        })
    }

    /// Kinds and first days of the windows that are large: `ratio` times their baseline, and with as many packets as
    /// the floor.
    fn large<'a>(&'a self, side: Side, bases: &'a [f32]) -> impl Iterator<Item = (usize, usize)> + 'a {
        let values = self.all.unwrap_or(self.track.tested(side).0);
        let sums = Sums::of(values, &self.track.observed);
        let (least, sign) = (self.settings.ratio.ln() - ROUNDING, f64::from(side.sign()));
        let kinds = WINDOWS.iter().enumerate();
        let all = kinds.flat_map(move |(kind, window)| {
            let ends = (bases.len() + 1).saturating_sub(window.days);
            (window.gap..ends).map(move |begin| (kind, begin, bases[begin - window.gap]))
        });
        let large = all.filter(move |&(kind, begin, usual)| {
            let end = begin + WINDOWS[kind].days;
            let (days, sum) = sums.between(begin, end);
            // No number is never as far.
            (sum - days * f64::from(usual)) * sign >= days * least
                && days > 0.0
                && self.has_packets(side, &values[begin..end], &self.track.observed[begin..end], usual)
        });
        large.map(|(kind, begin, _)| (kind, begin))
    }

    fn has_packets(&self, side: Side, values: &[f32], observed: &[bool], usual: f32) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let floor = self.settings.floor as f32;
        match side {
            Side::Down => usual.exp_m1() >= floor,
            Side::Up => {
                let days = values.iter().zip(observed).filter(|(_, observed)| **observed);
                let packets: Vec<f32> = days.map(|(value, _)| value.exp_m1()).collect();
                packets.iter().sum::<f32>() / small(packets.len()) >= floor
            }
        }
    }
}

/// Of the observed days before each: how many, and the sum of their values.
struct Sums(Vec<(f64, f64)>);

impl Sums {
    fn of(values: &[f32], observed: &[bool]) -> Self {
        let mut sums = Vec::with_capacity(values.len() + 1);
        let mut sum = (0.0, 0.0);
        sums.push(sum);
        for (value, observed) in values.iter().zip(observed) {
            if *observed {
                sum = (sum.0 + 1.0, sum.1 + f64::from(*value));
            }
            sums.push(sum);
        }
        Self(sums)
    }

    fn between(&self, from: usize, to: usize) -> (f64, f64) {
        let ((days, sum), (more_days, more)) = (self.0[from], self.0[to]);
        (more_days - days, more - sum)
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::SplitMix64;
    use rstest::rstest;

    use super::super::law::Outermost;
    use super::super::number;
    use super::super::pool::Laws;
    use super::super::scan::{Series, Tests};
    use super::super::track::KINDS;
    use super::*;
    use crate::simulation::noise::{factor, poisson, stream, uniform};

    const DAYS: usize = 120;

    fn below(random: &mut SplitMix64, limit: usize) -> usize {
        let at = uniform(random) * number(limit as u64);
        (0..limit).rev().find(|it| number(*it as u64) <= at).unwrap()
    }

    /// Days that vary by `deviation`, of logarithms; half of the series have a surge, or a fall, of some days.
    fn series(random: &mut SplitMix64, deviation: f64) -> Track {
        let mean = 10.0 * (5.0 * uniform(random)).exp();
        let (from, length) = (30 + below(random, 60), 1 + below(random, 20));
        let times = if uniform(random) < 0.5 { (4.0 * uniform(random) - 2.0).exp() } else { 1.0 };
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
        let ln = |day: usize| {
            let surge = if (from..from + length).contains(&day) { times } else { 1.0 };
            let level = mean * surge * factor(random, deviation);
            number(poisson(random, level)).ln_1p() as f32
        };
        let low: Vec<f32> = (0..DAYS).map(ln).collect();
        let high = (uniform(random) < 0.3).then(|| low.iter().map(|ln| ln.max(11.0_f32.ln())).collect());
        let mut draw = |part: f64| (0..DAYS).map(|_| uniform(random) < part).collect();
        let (observed, masked) = (draw(0.9), draw(0.02));
        Track { low, high, observed, masked, ..Track::default() }
    }

    #[rstest]
    #[case::usual(0.3)]
    #[case::unsteady(1.0)]
    fn what_has_an_event_is_worth_a_look_and_little_else(#[case] deviation: f64) {
        let random = &mut stream(5, [0; 3]);
        let tracks: Vec<Track> = (0..400).map(|_| series(random, deviation)).collect();
        let settings = &Settings::default();
        let pool = &Pool::of(
            &tracks.iter().collect::<Vec<_>>(),
            settings.least_baseline_days,
            Outermost::UNKNOWN,
            Laws::OfPools,
        );
        let tests = &Tests { ln_costs: [1e4_f64.ln(); KINDS], ln_candidate: 0.0 };
        let thresholds = &Thresholds::new(pool, tests);
        let (mut eventful, mut worth, mut near) = (0, 0, 0);
        for track in &tracks {
            let scored = pool.score_both(track);
            let [up, down] = [Side::Up, Side::Down].map(|side| pool.outline(track, side));
            let look = Look { track, all: None, pool, thresholds, settings };
            let is_worth = look.is_worth([&up, &down]);
            let mut is_near = false;
            for ((side, scored), outline) in [Side::Up, Side::Down].into_iter().zip(&scored).zip([&up, &down])
            {
                assert_eq!(outline.spreads.len(), scored.spreads.len());
                for (kind, windows) in scored.windows.iter().enumerate() {
                    for (begin, exact) in windows.iter().enumerate() {
                        let most = pool.window(outline, kind, begin);
                        assert!(most.abs() >= exact.abs() * 0.999_999 || most.is_nan() && exact.is_nan());
                        is_near |= exact * side.sign() >= NEAR * thresholds.of(kind, side);
                    }
                }
            }
            let mut all = Series {
                track: track.clone(),
                all: None,
                with_others: None,
                pool,
                tests,
                thresholds,
                settings,
            };
            let has_event = !all.candidates(scored).is_empty();
            assert!(is_worth >= has_event && is_near >= is_worth);
            eventful += u32::from(has_event);
            worth += u32::from(is_worth);
            near += u32::from(is_near);
        }
        assert!(0 < eventful && eventful < worth && worth < near, "{eventful} {worth} {near}");
    }
}
