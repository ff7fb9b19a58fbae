//! Which countries, networks and scanners have series of their own: at most so many; all others add up in `other`.
//!
//! A series begins at 0 and grows once every scraper has that, since `increase()` cannot see a first value; until then
//! its packets are `other`'s. So every series only ever grows while it is there.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::counters::select::Drain;

/// Packets by something.
#[derive(Clone, Debug)]
pub(super) struct Labels<K> {
    series: HashMap<K, Series>,
    other: u64,
    most: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Series {
    packets: u64,
    /// The drain whose page showed it first.
    shown: Option<u64>,
    /// Whether it grows: every scraper has been served that page, or a later one.
    open: bool,
}

impl<K: Clone + Eq + Hash> Labels<K> {
    /// At most so many.
    pub(super) fn new(most: usize) -> Self {
        Self { series: HashMap::new(), other: 0, most }
    }

    /// At most so many from now on: those that have counted most stay.
    pub(super) fn bound(&mut self, most: usize) {
        self.most = most;
        let mut series: Vec<_> = self.series.drain().collect();
        series.sort_unstable_by_key(|(_, series)| Reverse(series.packets));
        series.truncate(most);
        self.series.extend(series);
        self.series.shrink_to_fit();
    }

    /// Notes a packet.
    pub(super) fn add(&mut self, of: &K) {
        match self.series.get_mut(of) {
            Some(series) if series.open => series.packets += 1,
            _ => self.other += 1,
        }
    }

    /// Gives series to those of these that have most packets. Where there is no room, the others' go, the least first; of
    /// those that are alike, one that has a series keeps it.
    pub(super) fn rank(&mut self, packets: &HashMap<K, u64>) {
        let of = |key: &K| packets.get(key).copied().unwrap_or_default();
        let mut ranked: Vec<_> = packets.keys().chain(self.series.keys()).cloned().collect();
        ranked.sort_unstable_by_key(|key| (Reverse(of(key)), !self.has(key)));
        // One that has a series may stand there twice, one behind the other's equals.
        let mut first = HashSet::new();
        for key in ranked {
            if first.len() < self.most {
                first.insert(key);
            }
        }
        self.series.retain(|key, _| first.contains(key));
        for key in first {
            self.series.entry(key).or_default();
        }
    }

    /// Whether it has a series.
    pub(super) fn has(&self, of: &K) -> bool {
        self.series.contains_key(of)
    }

    /// All series, for the page of a drain. Those that every scraper has by then grow from now on: whoever looks at a page
    /// beside Prometheus opens none.
    pub(super) fn shown(&mut self, drain: Drain) -> (Vec<(K, u64)>, u64) {
        for series in self.series.values_mut() {
            series.open |= drain.has_carried(*series.shown.get_or_insert(drain.number()));
        }
        let series = self.series.iter().map(|(key, series)| (key.clone(), series.packets));
        (series.collect(), self.other)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;
    use crate::counters::select::{Scraper, Scrapers};

    /// Who is scraped by these, and what they have by the next page.
    #[derive(Default)]
    struct Pages(Scrapers);

    impl Pages {
        /// The page of the next drain, which is served to this one.
        fn page(&mut self, labels: &mut Labels<u8>, to: &str) -> (Vec<(u8, u64)>, u64) {
            let shown = labels.shown(self.0.drain());
            self.0.served(Instant::now(), Scraper::new([192, 0, 2, 1].into(), Some(to.as_bytes())));
            shown
        }
    }

    proptest! {
        #[test]
        fn series_are_bounded_and_only_grow(
            steps in prop::collection::vec((prop::collection::vec(0_u8..20, 0..30), any::<bool>()), 1..20),
            most in 1_usize..6,
        ) {
            let mut labels = Labels::new(most);
            let mut before = HashMap::<u8, u64>::new();
            let mut counts = [0_u64; 20];
            let (mut packets, mut gone, mut last_other) = (0, 0, 0);
            let mut pages = Pages::default();
            for (keys, is_shown) in steps {
                for key in keys {
                    labels.add(&key);
                    counts[usize::from(key)] += 1;
                    packets += 1;
                }
                let known: HashMap<u8, u64> =
                    (0..20).map(|key| (key, counts[usize::from(key)])).filter(|(_, n)| *n > 0).collect();
                let there: HashMap<u8, u64> =
                    labels.series.iter().map(|(&key, series)| (key, series.packets)).collect();
                labels.rank(&known);
                // Nobody without a series has more than who has one.
                let least = labels.series.keys().map(|key| counts[usize::from(*key)]).min();
                let most_without = (0..20).filter(|key| !labels.has(key)).map(|key| counts[usize::from(key)]).max();
                prop_assert_eq!(labels.series.len(), known.len().min(most));
                prop_assert!(least >= most_without || labels.series.len() < most);
                before.retain(|key, _| labels.has(key));
                gone += there.iter().filter(|(key, _)| !labels.series.contains_key(key)).map(|(_, n)| n).sum::<u64>();
                if !is_shown {
                    continue;
                }
                let (series, other) = pages.page(&mut labels, "Prometheus");
                prop_assert!(series.len() <= most && other >= last_other);
                prop_assert_eq!(series.iter().map(|(_, packets)| packets).sum::<u64>() + other + gone, packets);
                for (key, packets) in &series {
                    // One that came back began anew.
                    prop_assert!(*packets >= before.get(key).copied().unwrap_or_default());
                }
                before = series.into_iter().collect();
                last_other = other;
            }
        }
    }

    #[test]
    fn a_series_grows_once_every_scraper_has_it() {
        let (mut labels, mut pages) = (Labels::new(5), Pages::default());
        pages.page(&mut labels, "Prometheus");
        labels.rank(&HashMap::from([(7, 1)]));
        let mut next = |to: &str| {
            labels.add(&7);
            let (series, other) = pages.page(&mut labels, to);
            (series.iter().map(|(_, packets)| *packets).sum::<u64>(), other)
        };
        // A person looks at it again and again: Prometheus has not seen it.
        assert_eq!([next("curl"), next("curl"), next("curl")], [(0, 1), (0, 2), (0, 3)]);
        // Now it is served the 0, and whoever is served next may see it grow.
        assert_eq!([next("Prometheus"), next("Prometheus")], [(0, 4), (0, 5)]);
        assert_eq!([next("Prometheus"), next("curl")], [(1, 5), (2, 5)]);
    }

    #[test]
    fn fewer_series_are_fewer_at_once() {
        let (mut labels, mut pages) = (Labels::new(5), Pages::default());
        labels.rank(&(0..5).map(|key| (key, 10)).collect());
        for _ in 0..2 {
            pages.page(&mut labels, "Prometheus");
        }
        for key in 0..5 {
            (0..=key).for_each(|_| labels.add(&key));
        }
        labels.bound(2);
        let (mut series, _) = pages.page(&mut labels, "Prometheus");
        series.sort_unstable();
        assert_eq!(series, [(3, 4), (4, 5)]);
    }
}
