//! Sums by service, country and the like, over sensors; for a report that is published, of what three sensors have.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Days, at};
use crate::report::spread::Backed;

/// What sensors had in the period and in the previous one.
#[derive(Clone, Copy, Debug, Default)]
struct Both {
    now: Sum,
    before: Sum,
}

/// A sum over sensors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum(Backed);

impl Sum {
    /// Adds a sensor's number.
    pub(super) fn add(&mut self, number: u64) {
        self.0.add(number);
    }

    /// All of it; or, to be published, with no sensor counting for more than the third.
    pub(super) fn of(self, publish: bool) -> u64 {
        if publish { self.0.backed() } else { self.0.all() }
    }
}

/// Sums by something.
#[derive(Clone, Debug)]
pub(super) struct Keyed<K>(BTreeMap<K, Both>);

impl<K> Default for Keyed<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Keyed<K> {
    /// Adds what a sensor had on the days of the period and of the previous one, as far as they count.
    pub(super) fn add<'a>(
        &mut self,
        all: impl IntoIterator<Item = (&'a K, &'a Days)>,
        [now, before]: &[Range<usize>; 2],
        counts: impl Fn(usize) -> bool,
    ) where
        K: 'a,
    {
        for (key, days) in all {
            let both = self.0.entry(key.clone()).or_default();
            both.now.add(sum(days, now, &counts));
            both.before.add(sum(days, before, &counts));
        }
    }

    /// All keys with their sums, now and before.
    pub(super) fn sums(&self, publish: bool) -> Vec<(K, u64, u64)> {
        self.0
            .iter()
            .map(|(key, both)| (key.clone(), both.now.of(publish), both.before.of(publish)))
            .collect()
    }
}

/// The sum of those of some days that count.
pub(super) fn sum(days: &[Option<u64>], range: &Range<usize>, counts: impl Fn(usize) -> bool) -> u64 {
    let there = range.clone().filter(|day| counts(*day)).filter_map(|day| at(days, day));
    there.fold(0, u64::saturating_add)
}
