//! The events of one series: where its windows leave the baseline by more than chance and drift would, from when,
//! and until when.
//!
//! Days are gone through in order. Where a window is beyond the threshold, an event begins: its days are taken out
//! of all baselines, and it goes on while the traffic is away from the baseline that it had at its begin. So a
//! surge of weeks doesn't become its own baseline, and the return from it is no fall.

use super::pool::{Pool, Scored};
use super::track::{BASELINE, KINDS, Side, Track, WINDOWS, small};
use super::{Settings, ramp};

/// Days of tests that may tell how unlikely an event is, from its begin: later ones are too far from the baseline.
const TELLING: usize = 7;
/// Days before a window on which a level was usual, so that to be at it again is a return.
const REMEMBERED: usize = 84;

/// What is tested of a series, and at what cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tests {
    /// The logarithm of the false findings that are expected of all windows at a chance of 1, by kind; for one side.
    pub(super) ln_costs: [f64; KINDS],
    /// The logarithm of the expected false findings below which a window is a candidate.
    pub(super) ln_candidate: f64,
}

/// Thresholds of a pool's windows, in standard units, by kind and side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thresholds([[f32; 2]; KINDS]);

impl Thresholds {
    /// Where the pool's windows become candidates.
    pub(super) fn new(pool: &Pool, tests: &Tests) -> Self {
        Self(std::array::from_fn(|kind| {
            let chance = tests.ln_candidate - tests.ln_costs[kind];
            let law = pool.law(kind);
            #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
            [Side::Up, Side::Down].map(|side| law.tail(side).least(chance) as f32)
        }))
    }

    /// Of a kind of window on a side.
    pub(super) fn of(&self, kind: usize, side: Side) -> f32 {
        self.0[kind][side.index()]
    }
}

/// A candidate: it becomes an event if the rate allows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    /// Its direction.
    pub(super) side: Side,
    /// Its first day.
    pub(super) from: usize,
    /// Its last day.
    pub(super) to: usize,
    /// It grew from day to day.
    pub(super) ramp: bool,
    /// The logarithm of the false findings that are expected among all that are as unlikely.
    pub(super) ln_cost: f64,
}

/// A series with what is needed to scan it.
pub(super) struct Series<'a> {
    /// What is tested.
    pub(super) track: Track,
    /// `ln(1 + packets)` by day, if what is tested isn't all of them.
    pub(super) all: Option<Vec<f32>>,
    /// The same series with what others had too, if what is tested is apart from them.
    pub(super) with_others: Option<Track>,
    /// Its pool.
    pub(super) pool: &'a Pool,
    /// Its tests.
    pub(super) tests: &'a Tests,
    /// Their thresholds.
    pub(super) thresholds: &'a Thresholds,
    /// What is a surge.
    pub(super) settings: &'a Settings,
}

/// A window that is beyond its threshold.
#[derive(Clone, Copy, Debug)]
struct Opening {
    side: Side,
    begin: usize,
    end: usize,
    base: usize,
}

impl Series<'_> {
    /// Its candidates, in order. `scored` is what is known of it.
    pub(super) fn candidates(&mut self, scored: [Scored; 2]) -> Vec<Candidate> {
        let mut scored = scored;
        let mut candidates = Vec::new();
        let mut cursor = 0;
        while let Some(opening) = self.opening(&scored, cursor) {
            let of = &scored[opening.side.index()];
            let (mut from, to) = self.extent(of, opening, cursor);
            let ramp = self.ramp(of, opening, from, to);
            if let Some(begin) = ramp {
                from = begin.max(cursor);
            }
            for track in [&mut self.track].into_iter().chain(&mut self.with_others) {
                track.masked[from..=to].fill(true);
            }
            scored = self.pool.score_both(&self.track);
            let of = &scored[opening.side.index()];
            let ln_cost = self.ln_cost(of, opening, from, to);
            candidates.push(Candidate { side: opening.side, from, to, ramp: ramp.is_some(), ln_cost });
            cursor = to + 1;
        }
        candidates
    }

    /// The first window from `cursor` on that is beyond its threshold and large enough.
    fn opening(&self, scored: &[Scored; 2], cursor: usize) -> Option<Opening> {
        for end in cursor..self.track.days() {
            for (kind, window) in WINDOWS.iter().enumerate() {
                let Some(begin) = (end + 1).checked_sub(window.days).filter(|begin| *begin >= cursor) else {
                    continue;
                };
                for (side, scored) in [Side::Up, Side::Down].into_iter().zip(scored) {
                    let value = scored.windows[kind][begin] * side.sign();
                    let opening = Opening { side, begin, end, base: begin - window.gap.min(begin) };
                    if value >= self.thresholds.of(kind, side) && self.is_large(scored, opening) {
                        return Some(opening);
                    }
                }
            }
        }
        None
    }

    /// `ln(1 + packets)` by day.
    fn values(&self, side: Side) -> &[f32] {
        self.all.as_deref().unwrap_or(self.track.tested(side).0)
    }

    #[expect(clippy::cast_precision_loss, reason = "small")]
    fn floor(&self) -> f32 {
        self.settings.floor as f32
    }

    fn observed(&self, days: impl Iterator<Item = usize>) -> impl Iterator<Item = usize> {
        days.filter(|day| self.track.observed[*day])
    }

    /// Large, and no habit: `ratio` times the baseline; `ratio` times what was reached on two occasions in it; and
    /// no return to what was usual before.
    fn is_large(&self, scored: &Scored, opening: Opening) -> bool {
        let Opening { side, begin, end, base } = opening;
        let sign = side.sign();
        let values = self.values(side);
        let days: Vec<f32> = self.observed(begin..=end).map(|day| values[day]).collect();
        let mean = days.iter().sum::<f32>() / small(days.len());
        let packets = days.iter().map(|value| value.exp_m1()).sum::<f32>() / small(days.len());
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
        let ratio = self.settings.ratio.ln() as f32;
        let usual = scored.bases[base];
        if (mean - usual) * sign < ratio || !self.is_large_with_others(opening, ratio) {
            return false;
        }
        let floor = self.floor();
        let most = if side == Side::Up { packets } else { usual.exp_m1() };
        if most < floor {
            return false;
        }
        let earlier = &scored.bases[base.saturating_sub(REMEMBERED)..base];
        // Back from where it had drifted, traffic is often not where it was.
        let apart = if side == Side::Up { ratio / 2.0 } else { ratio };
        if earlier.iter().any(|before| (mean - before) * sign < apart) {
            return false;
        }
        !self.is_habit(opening, mean - sign * ratio)
    }

    /// Large also with what others had too: who stays while all others move has no event.
    fn is_large_with_others(&self, opening: Opening, ratio: f32) -> bool {
        let Some(track) = &self.with_others else { return true };
        let Opening { side, begin, end, base } = opening;
        let (values, compared) = track.tested(side);
        let days: Vec<f32> = self.observed(begin..=end).map(|day| values[day]).collect();
        let mean = days.iter().sum::<f32>() / small(days.len());
        let usual = track.bases(compared, self.settings.least_baseline_days).0[base];
        (mean - usual) * side.sign() >= ratio
    }

    /// Whether as many days in a row were beyond `level` on two occasions in the baseline: what happens again and
    /// again, such as a scan on Mondays, is a habit. Days right before belong to the same event and are no earlier
    /// occasion.
    fn is_habit(&self, opening: Opening, level: f32) -> bool {
        let Opening { side, begin, end, .. } = opening;
        let values = self.values(side);
        let days: Vec<usize> = self.observed(begin.saturating_sub(BASELINE)..begin).collect();
        let (mut occasions, mut last) = (0, begin);
        for window in days.windows(end + 1 - begin).rev() {
            let mean = window.iter().map(|day| values[*day]).sum::<f32>() / small(window.len());
            let latest = window[window.len() - 1];
            if (mean - level) * side.sign() > 0.0 {
                occasions += u32::from(last.saturating_sub(latest) > 2);
                last = window[0];
            }
        }
        occasions > 1
    }

    /// First and last day: while the traffic is away from the baseline by half the way, or by `ratio` if that is
    /// nearer. A day or two on which it isn't are bridged, more where days vary more.
    fn extent(&self, scored: &Scored, opening: Opening, cursor: usize) -> (usize, usize) {
        let Opening { side, begin, end, base } = opening;
        let values = self.values(side);
        let (usual, sign) = (scored.bases[base], side.sign());
        // Fewer packets than the floor are no surge, and no part of one.
        let away = |day: usize| match side {
            Side::Up if values[day] < self.floor().ln_1p() => 0.0,
            _ => (values[day] - usual) * sign,
        };
        let days: Vec<usize> = self.observed(begin..=end).collect();
        let lift = days.iter().map(|day| away(*day)).sum::<f32>() / small(days.len());
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
        let half = (lift / 2.0).min(self.settings.ratio.ln() as f32);
        let patience = 1.5 * half + scored.spreads[base].min(2.0 * half);
        let middle = days.into_iter().max_by(|a, b| away(*a).total_cmp(&away(*b))).unwrap_or(begin);
        let walk = |days: &mut dyn Iterator<Item = usize>| {
            let (mut sum, mut most, mut last) = (0.0_f32, 0.0_f32, middle);
            for day in self.observed(days) {
                sum += (away(day) - half).clamp(-half, half);
                if sum > most {
                    (most, last) = (sum, day);
                } else if most - sum > patience {
                    break;
                }
            }
            last
        };
        let from = walk(&mut (cursor..middle).rev());
        let to = walk(&mut (middle + 1..self.track.days()));
        (from, to)
    }

    /// The day on which a ramp began, if an event is one: it grew all the time, from about the baseline.
    fn ramp(&self, scored: &Scored, opening: Opening, from: usize, to: usize) -> Option<usize> {
        let Opening { side, base, .. } = opening;
        let values = self.values(side);
        let usual = scored.bases[base];
        let away = |day: usize| (day, (values[day] - usual) * side.sign());
        let before = from.saturating_sub((to + 1 - from).max(ramp::LEAST));
        let days: Vec<(usize, f32)> = self.observed(before..=to).map(away).collect();
        ramp::begin(&days, from)
    }

    /// The least cost of the windows at an event's begin.
    fn ln_cost(&self, scored: &Scored, opening: Opening, from: usize, to: usize) -> f64 {
        let side = opening.side;
        let mut best = f64::MAX;
        for (kind, window) in WINDOWS.iter().enumerate() {
            let last = (opening.begin + TELLING).min((to + 2).saturating_sub(window.days));
            for begin in from.saturating_sub(1)..=last.max(opening.begin) {
                let Some(value) = scored.windows[kind].get(begin).filter(|value| !value.is_nan()) else {
                    continue;
                };
                let spread = scored.spreads.get(begin - window.gap.min(begin)).copied().unwrap_or(f32::NAN);
                let chance = self.pool.ln_chance((kind, side), f64::from(value * side.sign()), spread);
                best = best.min(chance + self.tests.ln_costs[kind]);
            }
        }
        best
    }
}
