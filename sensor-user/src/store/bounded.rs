//! What waits under keys, in so many bytes at most.

use std::collections::BTreeMap;

/// Values by key, each with what it takes: together no more than `MOST` bytes.
#[derive(Debug)]
pub(super) struct Bounded<K, V, const MOST: usize> {
    values: BTreeMap<K, (V, usize)>,
    bytes: usize,
}

impl<K, V, const MOST: usize> Default for Bounded<K, V, MOST> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), bytes: 0 }
    }
}

impl<K: Ord, V, const MOST: usize> Bounded<K, V, MOST> {
    /// Puts a value that takes so many bytes, its key included, in the place of the one before; where there is no room for
    /// it, that one stays.
    pub(super) fn put(&mut self, key: K, value: V, weight: usize) {
        let before = self.values.get(&key).map_or(0, |(_, weight)| *weight);
        let bytes = self.bytes - before + weight;
        if bytes <= MOST {
            self.bytes = bytes;
            self.values.insert(key, (value, weight));
        }
    }

    /// All of them, by key.
    pub(super) fn into_values(self) -> Vec<V> {
        self.values.into_values().map(|(value, _)| value).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_are_bounded_and_the_last_that_fits_is_there(
            puts in prop::collection::vec((0_u8..20, 1_usize..40), 1..200),
        ) {
            let mut bounded = Bounded::<u8, usize, 100>::default();
            let mut truth = BTreeMap::new();
            for (key, weight) in puts {
                let others: usize = truth.iter().filter(|(of, _)| **of != key).map(|(_, weight)| *weight).sum();
                if others + weight <= 100 {
                    truth.insert(key, weight);
                }
                bounded.put(key, weight, weight);
                prop_assert!(bounded.bytes <= 100);
            }
            prop_assert_eq!(bounded.into_values(), truth.into_values().collect::<Vec<_>>());
        }
    }
}
