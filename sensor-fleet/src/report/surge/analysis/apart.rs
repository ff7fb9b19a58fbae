//! What a series of a service has apart from what the others had on the same days.
//!
//! Much of what makes one sensor's days vary is seen by all: the world scans more on some days, on weekdays, this
//! year. A sensor, or a region, that is compared with the others of the same days stands out by what is its own. How
//! much of the others' movement a series follows is found from its steps from day to day (by least squares); where
//! little is shared, nothing is compared. What all see is not its own, and is found in the series as they are, and in
//! their sums: both are tested.

use super::super::track::{Track, small};

/// Cells with a smaller median, as `ln(1 + packets)`, show no movement but that of few packets.
const LEAST_MEDIAN: f32 = 2.4;
/// So many others have a middle that one of them doesn't move.
const LEAST_OTHERS: usize = 4;
/// To follow less than this is not to follow: so much comes by chance.
const LEAST_SHARE: f32 = 0.2;
/// Steps of more than so many median sizes count as this many: three standard deviations.
const MOST: f32 = 4.45;

/// A series apart from the others.
#[derive(Clone, Debug)]
pub(super) struct Apart {
    /// What is its own.
    pub(super) track: Track,
    /// The same of all packets, if what is tested isn't all of them.
    pub(super) all: Option<Vec<f32>>,
}

/// How the cells of a service moved: each day's distance from their own median.
pub(super) struct Movement {
    /// By cell; none if its packets are too few. No number where it was not observed.
    away: Vec<Option<Vec<f32>>>,
    /// By day: the distances in order, and the sums of the first of them.
    sorted: Vec<(Vec<f32>, Vec<f32>)>,
}

impl Movement {
    /// Of these cells.
    pub(super) fn of(tracks: &[&Track]) -> Self {
        let away: Vec<Option<Vec<f32>>> = tracks.iter().map(|track| away(track)).collect();
        let days = tracks.first().map_or(0, |track| track.days());
        let mut movement = Self { away, sorted: Vec::new() };
        movement.sorted = (0..days).map(|day| sorted(movement.on(day, |_| true))).collect();
        movement
    }

    fn on(&self, day: usize, of: impl Fn(usize) -> bool) -> Vec<f32> {
        let cells = self.away.iter().enumerate().filter(|(cell, _)| of(*cell));
        cells.filter_map(|(_, away)| Some(away.as_ref()?[day])).filter(|it| !it.is_nan()).collect()
    }

    /// The middle of all cells but one, by day; no number where there are too few.
    fn without(&self, cell: usize) -> Vec<f32> {
        let own = self.away[cell].as_deref();
        let day = |(day, (sorted, sums)): (usize, &(Vec<f32>, Vec<f32>))| {
            let own = own.map(|own| own[day]).filter(|own| !own.is_nan());
            let Some(own) = own else { return middle(sums) };
            let place = sorted.partition_point(|it| *it < own);
            let others = sorted.len() - 1;
            if others < LEAST_OTHERS {
                return f32::NAN;
            }
            let (from, to) = (others / 4, others - others / 4);
            let sum = if place >= to {
                sums[to] - sums[from]
            } else if place < from {
                sums[to + 1] - sums[from + 1]
            } else {
                sums[to + 1] - sums[from] - own
            };
            sum / small(to - from)
        };
        self.sorted.iter().enumerate().map(day).collect()
    }

    /// The middle of these cells, by day.
    fn middles(&self, of: impl Fn(usize) -> bool + Copy) -> Vec<f32> {
        (0..self.sorted.len()).map(|day| middle(&sorted(self.on(day, of)).1)).collect()
    }

    /// Each cell without what the others had too; nothing if that is little.
    pub(super) fn apart(&self, tracks: &[&Track]) -> Vec<Option<Apart>> {
        let others: Vec<Vec<f32>> = (0..tracks.len())
            .map(|cell| self.away[cell].as_ref().map_or_else(Vec::new, |_| self.without(cell)))
            .collect();
        let mut fit = Fit::default();
        for ((track, away), others) in tracks.iter().zip(&self.away).zip(&others) {
            if let Some(away) = away {
                fit.add(track, away, others);
            }
        }
        let Some(share) = fit.share() else { return vec![None; tracks.len()] };
        let own = |(track, others): (&&Track, &Vec<f32>)| {
            (!others.is_empty()).then(|| Apart { track: rest(track, others, share), all: None })
        };
        tracks.iter().zip(&others).map(own).collect()
    }

    /// A sum of some of the cells without what the cells `others` had too; nothing if that is little.
    pub(super) fn sum_apart(
        &self,
        sum: &Track,
        all: &[f32],
        others: impl Fn(usize) -> bool + Copy,
    ) -> Option<Apart> {
        let others = self.middles(others);
        let mut fit = Fit::default();
        fit.add(sum, &away(sum)?, &others);
        let share = fit.share()?;
        Some(Apart { track: rest(sum, &others, share), all: Some(less(all, &others, share)) })
    }
}

/// Days' distances from the median.
fn away(track: &Track) -> Option<Vec<f32>> {
    let there = |day: &usize| track.observed[*day];
    let mut values: Vec<f32> =
        (0..track.days()).filter(|day| there(day) && !track.masked[*day]).map(|day| track.low[day]).collect();
    if values.is_empty() {
        return None;
    }
    let half = values.len() / 2;
    let median = *values.select_nth_unstable_by(half, f32::total_cmp).1;
    let value = |day| if there(&day) { track.low[day] - median } else { f32::NAN };
    (median >= LEAST_MEDIAN).then(|| (0..track.days()).map(value).collect())
}

/// In order, and the sums of the first none, one, two and so on.
fn sorted(mut values: Vec<f32>) -> (Vec<f32>, Vec<f32>) {
    values.sort_unstable_by(f32::total_cmp);
    let mut sum = 0.0;
    let sums = std::iter::once(0.0).chain(values.iter().map(|value| {
        sum += value;
        sum
    }));
    let sums = sums.collect();
    (values, sums)
}

/// The mean of the middle half, from the sums.
fn middle(sums: &[f32]) -> f32 {
    let count = sums.len() - 1;
    let (from, to) = (count / 4, count - count / 4);
    if count < LEAST_OTHERS { f32::NAN } else { (sums[to] - sums[from]) / small(to - from) }
}

/// A day on which too few others observed has nothing that it could be compared with.
fn rest(track: &Track, others: &[f32], share: f32) -> Track {
    let high = track.high.as_deref().map(|high| less(high, others, share));
    let observed = track.observed.iter().zip(others).map(|(observed, others)| *observed && !others.is_nan());
    Track { low: less(&track.low, others, share), high, observed: observed.collect(), ..track.clone() }
}

fn less(values: &[f32], others: &[f32], share: f32) -> Vec<f32> {
    let shared = others.iter().map(|it| if it.is_nan() { 0.0 } else { share * it });
    values.iter().zip(shared).map(|(value, shared)| (value - shared).max(0.0)).collect()
}

/// How far values may be from 0.
fn limit(values: impl Iterator<Item = f32>) -> Option<f32> {
    let mut sizes: Vec<f32> = values.map(f32::abs).collect();
    let half = sizes.len() / 2;
    (!sizes.is_empty()).then(|| MOST * *sizes.select_nth_unstable_by(half, f32::total_cmp).1)
}

/// How much series follow others.
#[derive(Clone, Copy, Debug, Default)]
struct Fit {
    both: f32,
    others: f32,
}

impl Fit {
    /// Takes in a series: its steps from day to day, as an event of many days or a ramp would look like something
    /// shared.
    fn add(&mut self, track: &Track, away: &[f32], others: &[f32]) {
        let there = |day: usize| !track.masked[day] && !away[day].is_nan() && !others[day].is_nan();
        let steps: Vec<(f32, f32)> = (1..track.days())
            .filter(|day| there(*day) && there(day - 1))
            .map(|day| (away[day] - away[day - 1], others[day] - others[day - 1]))
            .collect();
        let (Some(most), Some(most_of_others)) =
            (limit(steps.iter().map(|step| step.0)), limit(steps.iter().map(|step| step.1)))
        else {
            return;
        };
        // Where all others leap together, it may be an event.
        for (own, others) in steps.into_iter().filter(|step| step.1.abs() <= most_of_others) {
            let own = own.clamp(-most, most);
            self.both += own * others;
            self.others += others * others;
        }
    }

    /// The part of the others' movement that series follow.
    fn share(self) -> Option<f32> {
        let share = if self.others > 0.0 { (self.both / self.others).min(1.0) } else { 0.0 };
        (share > LEAST_SHARE).then_some(share)
    }
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

    /// Sensors around `level`, of whose deviation 0.3 this part is everybody's; the first has an event on day 50.
    fn sensors(count: usize, shared: f32, level: f32) -> Vec<Track> {
        let random = &mut stream(7, [count as u64, 0, 0]);
        let all: Vec<f32> = (0..90).map(|_| self::random(random)).collect();
        let track = |sensor: usize| {
            let mut low: Vec<f32> = all
                .iter()
                .map(|all| level + 0.3 * (shared.sqrt() * all + (1.0 - shared).sqrt() * self::random(random)))
                .collect();
            if sensor == 0 {
                low[50] += 2.0;
            }
            Track { low, observed: vec![true; 90], masked: vec![false; 90], ..Track::default() }
        };
        (0..count).map(track).collect()
    }

    fn deviation(track: &Track) -> f32 {
        let days = || track.low.iter().enumerate().filter(|(day, _)| *day != 50).map(|(_, value)| value);
        let mean = days().sum::<f32>() / 89.0;
        (days().map(|value| (value - mean).powi(2)).sum::<f32>() / 89.0).sqrt()
    }

    #[rstest]
    #[case::half(9, 0.5, 6.0, Some(0.18..0.26))]
    #[case::nearly_all(9, 0.95, 6.0, Some(0.0..0.11))]
    #[case::many(60, 0.5, 6.0, Some(0.18..0.26))]
    #[case::nothing(60, 0.0, 6.0, None)]
    #[case::too_few_sensors(4, 0.9, 6.0, None)]
    #[case::too_few_packets(9, 0.9, 2.0, None)]
    fn what_all_have_is_taken_out(
        #[case] count: usize,
        #[case] shared: f32,
        #[case] level: f32,
        #[case] expected: Option<std::ops::Range<f32>>,
    ) {
        let tracks = sensors(count, shared, level);
        let tracks: Vec<&Track> = tracks.iter().collect();
        let own = Movement::of(&tracks).apart(&tracks);
        let found = own[0].as_ref().map(|own| deviation(&own.track));
        match (found, expected) {
            (None, None) => {}
            (Some(found), Some(expected)) => {
                assert!(expected.contains(&found), "{found}");
                let event = own[0].as_ref().unwrap().track.low[50] - level;
                assert!((1.0..3.0).contains(&event), "{event} is left of the event");
            }
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn days_without_others_are_not_compared() {
        let mut tracks = sensors(9, 0.95, 6.0);
        for track in &mut tracks[3..] {
            track.observed[60..70].fill(false);
        }
        let tracks: Vec<&Track> = tracks.iter().collect();
        let own = &Movement::of(&tracks).apart(&tracks)[0];
        let unobserved: Vec<usize> =
            (0..90).filter(|day| !own.as_ref().unwrap().track.observed[*day]).collect();
        assert_eq!(unobserved, (60..70).collect::<Vec<_>>());
    }

    #[test]
    fn the_middle_of_the_others_is_without_oneself() {
        let tracks = sensors(9, 0.5, 6.0);
        let tracks: Vec<&Track> = tracks.iter().collect();
        let movement = Movement::of(&tracks);
        for cell in 0..9 {
            let expected = movement.middles(|other| other != cell);
            for (found, expected) in movement.without(cell).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }
}
