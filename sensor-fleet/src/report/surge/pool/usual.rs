//! How much the series of a pool vary usually: those of a service much alike, and services less so.
//!
//! What makes a service's days differ, such as its weekdays, its growth, or how few send, is mostly the same wherever
//! it is seen. So a series' own spread is drawn to that of its service, the more the more alike its series are, and
//! that of the service to the pool's: how alike they are the pool shows itself (an empirical Bayes estimate at two
//! levels).

use std::collections::BTreeMap;

use super::super::track::{middle, small};
use super::{DEVIATIONS, median};

/// A robust spread of n independent values has a variance of its logarithm of 1/n to 1.5/n.
const SPREAD_VARIANCE: f32 = 1.5;
/// The same of the middle of several spreads.
const MIDDLE_VARIANCE: f32 = 1.2;
/// Fewer values tell no spread.
pub(super) const LEAST_VALUES: f32 = 5.0;
/// Fewer series that share a service don't tell how alike they are.
const LEAST_ALIKE: usize = 20;
/// Spreads differ at least by as much.
const LEAST_VARIANCE: f32 = 0.002;

/// The spread of one series, and of how many independent values it was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub(super) ln: f32,
    pub(super) values: f32,
}

impl Spread {
    fn variance(self) -> f32 {
        SPREAD_VARIANCE / self.values.max(1.0)
    }
}

/// Spreads of a pool, as logarithms.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Usual {
    median: f32,
    /// Of series about the median.
    variance: f32,
    /// Of what is left of a spread's error once it is drawn to its service's.
    left: f32,
    /// The middle of each service's series.
    services: BTreeMap<usize, f32>,
    /// Of series about their service's middle.
    within: f32,
}

impl Usual {
    /// Of series, each with the number of its service.
    pub(super) fn of(spreads: impl Iterator<Item = (usize, Spread)>) -> Self {
        let mut of_services = BTreeMap::<usize, Vec<f32>>::new();
        let mut lns = Vec::new();
        let mut error = 0.0;
        for (service, spread) in spreads.filter(|(_, spread)| spread.values >= LEAST_VALUES) {
            of_services.entry(service).or_default().push(spread.ln);
            lns.push(spread.ln);
            error += spread.variance();
        }
        if lns.is_empty() {
            return Self {
                median: 0.0,
                variance: LEAST_VARIANCE,
                left: 1.0,
                services: BTreeMap::new(),
                within: 0.0,
            };
        }
        error /= small(lns.len());
        let median = median(&mut lns);
        let variance = (of(lns.iter().map(|ln| ln - median)) - error).max(LEAST_VARIANCE);
        let mut away = Vec::new();
        let middles = of_services.into_iter().map(|(service, mut lns)| {
            lns.sort_unstable_by(f32::total_cmp);
            let (count, middle) = (small(lns.len()), middle(&lns));
            if lns.len() > 1 {
                // About a middle that they made themselves.
                let more = (count / (count - 1.0)).sqrt();
                away.extend(lns.into_iter().map(|ln| (ln - middle) * more));
            }
            (service, (count, middle))
        });
        let middles: Vec<_> = middles.collect();
        // Too few don't tell how alike they are.
        let told = away.len() >= LEAST_ALIKE;
        let within =
            if told { (of(away.into_iter()) - error).clamp(LEAST_VARIANCE, variance) } else { variance };
        let left = if told { within * error / (within + error) } else { error };
        let between = variance - within;
        let services = middles.into_iter().map(|(service, (count, middle))| {
            let weight = between / (between + MIDDLE_VARIANCE * (within + error) / count);
            (service, if between > 0.0 { median + weight * (middle - median) } else { median })
        });
        Self { median, variance, left, services: services.collect(), within }
    }

    /// The variance of what a spread, so drawn, still errs by.
    pub(super) const fn left(&self) -> f32 {
        self.left
    }

    /// The own spread of a series of a service, drawn to the usual one.
    pub(super) fn shrunk(&self, service: usize, own: Spread) -> f32 {
        let (usual, variance) =
            self.services.get(&service).map_or((self.median, self.variance), |of| (*of, self.within));
        let weight = if own.values < LEAST_VALUES { 0.0 } else { variance / (variance + own.variance()) };
        weight * own.ln + (1.0 - weight) * usual
    }
}

/// A robust variance about 0.
fn of(values: impl Iterator<Item = f32>) -> f32 {
    let mut sizes: Vec<f32> = values.map(f32::abs).collect();
    (median(&mut sizes) * DEVIATIONS).powi(2)
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

    /// Nine series in each of thirty services, of 90 values, whose spreads differ by so much from service to service, and
    /// within them; and the mean square by which what they are drawn to misses the truth.
    fn missed(between: f32, within: f32) -> (Usual, f32) {
        let from = &mut stream(7, [3, 0, 0]);
        let mut spreads = Vec::new();
        for service in 0..30 {
            let of_service = between * random(from);
            for _ in 0..9 {
                let truth = of_service + within * random(from);
                let own = Spread { ln: truth + (SPREAD_VARIANCE / 90.0).sqrt() * random(from), values: 90.0 };
                spreads.push((service, own, truth));
            }
        }
        let usual = Usual::of(spreads.iter().map(|(service, own, _)| (*service, *own)));
        let squares =
            spreads.iter().map(|(service, own, truth)| (usual.shrunk(*service, *own) - truth).powi(2));
        let missed = squares.sum::<f32>() / small(spreads.len());
        (usual, missed)
    }

    /// That of the own spreads is 1.5 / 90.
    #[rstest]
    #[case::all_alike(0.0, 0.0, 0.0..0.003)]
    #[case::services_differ(0.5, 0.0, 0.0..0.006)]
    #[case::all_differ(0.0, 0.5, 0.01..0.02)]
    #[case::both(0.5, 0.2, 0.008..0.02)]
    fn spreads_are_drawn_as_far_as_they_are_alike(
        #[case] between: f32,
        #[case] within: f32,
        #[case] expected: std::ops::Range<f32>,
    ) {
        let (usual, missed) = missed(between, within);
        assert!(expected.contains(&missed), "{missed}");
        assert!(usual.left() < SPREAD_VARIANCE / 90.0);
    }

    #[test]
    fn what_tells_nothing_of_itself_is_as_its_service() {
        let (usual, _) = missed(0.5, 0.0);
        let nothing = Spread { ln: 9.0, values: 4.0 };
        assert!((usual.shrunk(3, nothing) - usual.services[&3]).abs() < 1e-6);
        assert!((usual.shrunk(99, nothing) - usual.median).abs() < 1e-6);
    }
}
