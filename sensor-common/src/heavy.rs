//! Which keys come most, in a table of bounded size, as Misra and Gries count them.
//!
//! A key that comes has a place, and a weight that grows with it. When all places are taken, the median weight is taken
//! from all, and those that have none left lose their place. So at each such moment half of the places become free, what
//! is taken from a key in all is at most 2/n of all that came for n places, and whatever came more often than that has
//! a place. A key that has had its place from the start is counted exactly.

extern crate std;

use core::hash::Hash;
use std::collections::HashMap;
use std::vec::Vec;

/// Places that there are at least.
const LEAST: usize = 8;

/// The heaviest keys, with what is known of each.
#[derive(Clone, Debug)]
pub struct Heavy<K, V> {
    places: Vec<(K, Place<V>)>,
    /// Where a key has its place.
    index: HashMap<K, u32>,
    most: usize,
    /// Taken from each weight so far.
    taken: u64,
}

/// What is known of a key.
#[derive(Clone, Debug)]
pub struct Place<V> {
    /// How often it came since it has this place: never more than the truth.
    pub seen: u64,
    /// How often it may have come before, at most.
    pub before: u64,
    /// What else is known of it, since then.
    pub value: V,
}

impl<K: Copy + Eq + Hash, V> Heavy<K, V> {
    /// With as many places as fit into so many bytes, where each value has up to so many bytes elsewhere; at least eight.
    #[must_use]
    pub fn within(bytes: usize, elsewhere: usize) -> Self {
        let most = Self::places_within(bytes, elsewhere);
        Self { places: Vec::new(), index: HashMap::new(), most, taken: 0 }
    }

    fn places_within(bytes: usize, elsewhere: usize) -> usize {
        (bytes / Self::place(elsewhere)).clamp(LEAST, 1 << 30)
    }

    /// Bytes that it takes, however few it is given.
    #[must_use]
    pub const fn least(elsewhere: usize) -> usize {
        LEAST * Self::place(elsewhere)
    }

    /// Bytes of a place.
    const fn place(elsewhere: usize) -> usize {
        // A `HashMap` fills between 7/16 and 7/8 of its table, with a byte for each of its places. While it is purged,
        // the weights stand in a list of their own.
        let in_index = (size_of::<(K, u32)>() + 1) * 16 / 7;
        size_of::<(K, Place<V>)>() + elsewhere + in_index + size_of::<u64>()
    }

    /// Has so many bytes from now on, as [`Heavy::within`]; gives to `gone` what loses its place.
    pub fn bound(&mut self, bytes: usize, elsewhere: usize, mut gone: impl FnMut(K, &V)) {
        self.most = Self::places_within(bytes, elsewhere);
        while self.places.len() > self.most {
            self.purge(|_, _| false, &mut gone);
        }
        self.places.shrink_to_fit();
        self.index.shrink_to_fit();
    }

    /// Likewise; those that `keeps` says so of keep their place while they are no more than half of all.
    pub fn add_keeping(
        &mut self,
        key: K,
        new: impl FnOnce() -> V,
        keeps: impl Fn(&K, &V) -> bool,
        gone: impl FnMut(K, &V),
    ) -> &mut V {
        self.come(key, 1, new, keeps, gone)
    }

    /// Notes that a key came, and gives what is known of it: of one that had no place, what `new` makes. Gives to `gone`
    /// what has to make room.
    pub fn add(&mut self, key: K, new: impl FnOnce() -> V, gone: impl FnMut(K, &V)) -> &mut V {
        self.add_all(key, 1, new, gone)
    }

    /// Likewise, that it came so often.
    pub fn add_all(
        &mut self,
        key: K,
        times: u64,
        new: impl FnOnce() -> V,
        gone: impl FnMut(K, &V),
    ) -> &mut V {
        self.come(key, times, new, |_, _| false, gone)
    }

    fn come(
        &mut self,
        key: K,
        times: u64,
        new: impl FnOnce() -> V,
        keeps: impl Fn(&K, &V) -> bool,
        gone: impl FnMut(K, &V),
    ) -> &mut V {
        let found = self.index.get(&key).map(|&at| at as usize);
        let at = found.unwrap_or_else(|| self.enter(key, new(), keeps, gone));
        let place = &mut self.places[at].1;
        place.seen += times;
        &mut place.value
    }

    fn enter(&mut self, key: K, value: V, keeps: impl Fn(&K, &V) -> bool, gone: impl FnMut(K, &V)) -> usize {
        if self.places.len() >= self.most {
            self.purge(keeps, gone);
        }
        let at = self.places.len();
        if at == self.places.capacity() {
            self.places.reserve_exact(at.max(8).min(self.most - at));
        }
        self.places.push((key, Place { seen: 0, before: self.taken, value }));
        self.note(key, at);
        at
    }

    #[expect(clippy::cast_possible_truncation, reason = "there are at most 2³⁰ places")]
    fn note(&mut self, key: K, at: usize) {
        self.index.insert(key, at as u32);
    }

    /// Takes the median weight from all, and their places from those that have none left: but for those that are kept, as
    /// long as that makes room for a quarter.
    fn purge(&mut self, keeps: impl Fn(&K, &V) -> bool, mut gone: impl FnMut(K, &V)) {
        let kept = self.places.iter().filter(|(key, place)| keeps(key, &place.value)).count();
        let is_kept = |key: &K, value: &V| kept <= self.most / 2 && keeps(key, value);
        let may_go = self.places.iter().filter(|(key, place)| !is_kept(key, &place.value));
        let mut weights: Vec<_> = may_go.map(|(_, place)| place.weight(self.taken)).collect();
        let half = weights.len() / 2;
        let (_, &mut median, _) = weights.select_nth_unstable(half);
        self.taken += median;
        let taken = self.taken;
        self.places.retain(|(key, place)| {
            let stays = place.weight(taken) > 0 || is_kept(key, &place.value);
            if !stays {
                gone(*key, &place.value);
            }
            stays
        });
        self.find_again();
    }

    /// Notes where each key has its place by now.
    fn find_again(&mut self) {
        // Emptied whole, its table does not grow: what is removed one by one leaves marks that take room.
        self.index.clear();
        for at in 0..self.places.len() {
            self.note(self.places[at].0, at);
        }
    }

    /// Takes away those of which `which` says so, and gives them to `taken`.
    pub fn remove(&mut self, which: impl Fn(&K, &V) -> bool, mut taken: impl FnMut(K, &V)) {
        let before = self.places.len();
        self.places.retain(|(key, place)| {
            let goes = which(key, &place.value);
            if goes {
                taken(*key, &place.value);
            }
            !goes
        });
        if self.places.len() < before {
            self.find_again();
        }
    }

    /// All keys that have a place, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &(K, Place<V>)> {
        self.places.iter()
    }

    /// What is known of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&Place<V>> {
        let &at = self.index.get(key)?;
        self.places.get(at as usize).map(|(_, place)| place)
    }

    /// How often a key without a place may have come, at most: no count is further below the truth.
    #[must_use]
    pub const fn error(&self) -> u64 {
        self.taken
    }
}

impl<V> Place<V> {
    /// What is left of what it came, after so much was taken from all.
    const fn weight(&self, taken: u64) -> u64 {
        self.seen.saturating_sub(taken - self.before)
    }
}

/// Takes what has to make room, where nobody wants it.
pub fn forgotten<K, V>(_: K, _: &V) {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// Keys that come, some of them often: the square of a uniform number is small more often than not.
    fn skewed() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec((0_u64..60).prop_map(|key| key * key / 20), 0..2000)
    }

    proptest! {
        #[test]
        fn counts_are_within_their_bounds(keys in skewed(), most in 8_usize..40) {
            let mut heavy = Heavy { most, ..Heavy::within(0, 0) };
            let mut truth = BTreeMap::<u64, u64>::new();
            for &key in &keys {
                heavy.add(key, || (), forgotten);
                *truth.entry(key).or_default() += 1;
            }
            let all = keys.len() as u64;
            prop_assert!(heavy.iter().count() <= most);
            prop_assert!(heavy.error() <= 2 * all / most as u64, "{} of {all}", heavy.error());
            for (key, &came) in &truth {
                match heavy.get(key) {
                    Some(place) => {
                        prop_assert!((place.seen..=place.seen + place.before).contains(&came));
                    }
                    None => prop_assert!(came <= heavy.error()),
                }
            }
            if truth.len() <= most {
                prop_assert_eq!(heavy.error(), 0);
            }
        }
    }

    #[test]
    fn a_flood_of_random_keys_does_not_hide_the_heavy_ones() {
        let mut heavy = Heavy::within(1 << 16, 0);
        let mut random = 1_u64;
        for round in 0..1_000_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            heavy.add(random | 1 << 63, || (), forgotten);
            if round % 20 == 0 {
                heavy.add(round / 20 % 10, || (), forgotten);
            }
        }
        let mut top: Vec<_> = heavy.iter().map(|(key, place)| (place.seen, *key)).collect();
        top.sort_unstable();
        let mut keys: Vec<_> = top.iter().rev().take(10).map(|&(_, key)| key).collect();
        keys.sort_unstable();
        assert_eq!(keys, (0..10).collect::<Vec<_>>());
        assert!(top.iter().rev().take(10).all(|&(seen, _)| seen == 5_000), "they were there from the start");
    }

    #[test]
    fn those_that_are_kept_stay_while_they_are_half_at_most() {
        for (kept, stay) in [(4, true), (8, false)] {
            let mut heavy = Heavy { most: 8, ..Heavy::within(0, 0) };
            let keeps = |key: &u32, (): &()| *key < kept;
            for key in 0..1_000 {
                heavy.add_keeping(key, || (), keeps, forgotten);
                assert!(heavy.iter().count() <= 8);
            }
            assert_eq!((0..kept).all(|key| heavy.get(&key).is_some()), stay, "{kept}");
        }
    }

    #[test]
    fn what_loses_its_place_is_given_away() {
        let mut heavy = Heavy { most: 8, ..Heavy::within(0, 0) };
        let mut gone = Vec::new();
        for key in 0..100_u32 {
            heavy.add(key, || key, |key, &value| gone.push((key, value)));
        }
        heavy.bound(0, 0, |key, &value| gone.push((key, value)));
        gone.extend(heavy.iter().map(|(key, place)| (*key, place.value)));
        gone.sort_unstable();
        assert_eq!(gone, (0..100).map(|key| (key, key)).collect::<Vec<_>>());
    }

    #[test]
    fn a_table_stays_within_the_memory_that_it_is_given() {
        for bytes in [1 << 12, 1 << 16, 1_000_000, 1 << 22] {
            let mut heavy = Heavy::<u64, [u64; 12]>::within(bytes, 0);
            for key in 0..100_000 {
                heavy.add(key, || [0; 12], forgotten);
            }
            let places = heavy.places.capacity() * size_of::<(u64, Place<[u64; 12]>)>();
            let index = (heavy.index.capacity() * 8 / 7) * (size_of::<(u64, u32)>() + 1);
            assert!(places + index + heavy.most * 8 <= bytes, "{places} and {index} of {bytes}");
            assert!(heavy.most * 300 >= bytes, "{} places in {bytes}", heavy.most);
        }
    }
}
