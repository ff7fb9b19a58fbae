//! Packets and different sources by something: by port, by country, by network operator.
//!
//! A scan of all ports makes 65,536 of them, and a flood from forged sources makes each as large as it can be: so all
//! together have a budget of memory. Where it is spent, those with the fewest packets go, until a quarter of it is free
//! again; what comes back after that is counted anew, and says so.

use std::collections::HashMap;
use std::hash::Hash;

use super::distinct::{Count, Distinct, Key};

/// What is counted, by something.
#[derive(Clone)]
pub(super) struct Counted<K> {
    parts: HashMap<K, Part>,
    /// Bytes that the parts may take.
    most: usize,
    /// Bytes that they take.
    bytes: usize,
    /// The most packets that a part had which had to go: 0 if all are there.
    gone: u64,
}

/// What is counted of one.
#[derive(Clone, Default)]
pub(super) struct Part {
    /// Packets.
    pub packets: u64,
    /// Those from known scanners.
    pub known: u64,
    /// Their sources that are no known scanners.
    pub others: Distinct,
    /// Their sources that are.
    pub known_sources: Distinct,
    /// Whether some came that are not among them, since others had to make room.
    pub partial: bool,
}

impl<K: Copy + Eq + Hash> Counted<K> {
    /// What one takes at least: its place in a table that is filled between 7/16 and 7/8, another in a smaller one while
    /// others make room, and one in the list that is then made.
    const PLACE: usize = (size_of::<(K, Part)>() + 1) * 24 / 7 + size_of::<(u64, usize)>();

    /// Bytes that the sets of one take at most.
    const SETS: usize = 2 * Distinct::MOST_BYTES;

    /// Bytes that it takes, however few it is given.
    pub(super) const LEAST: usize = 2 * (Self::PLACE + Self::SETS);

    /// Within so many bytes; in at least as many as two large ones take.
    pub(super) fn within(bytes: usize) -> Self {
        Self { parts: HashMap::new(), most: Self::at_least(bytes), bytes: 0, gone: 0 }
    }

    fn at_least(bytes: usize) -> usize {
        bytes.max(Self::LEAST)
    }

    /// Has so many bytes from now on, as [`Counted::within`].
    pub(super) fn bound(&mut self, bytes: usize) {
        self.most = Self::at_least(bytes);
        if self.bytes > self.most {
            self.make_room();
        }
    }

    /// Notes a packet of `of` from a source.
    pub(super) fn add(&mut self, of: K, source: Key, known: bool) {
        self.add_all(of, source, known, 1);
    }

    /// Likewise, so many packets.
    pub(super) fn add_all(&mut self, of: K, source: Key, known: bool, packets: u64) {
        if self.bytes + Self::PLACE + Self::SETS > self.most && !self.parts.contains_key(&of) {
            self.make_room();
        }
        let (bytes, partial) = (&mut self.bytes, self.gone > 0);
        let part = self.parts.entry(of).or_insert_with(|| {
            *bytes += Self::PLACE;
            Part { partial, ..Part::default() }
        });
        part.packets += packets;
        part.known += if known { packets } else { 0 };
        let before = part.bytes();
        let set = if known { &mut part.known_sources } else { &mut part.others };
        set.add(source);
        let after = part.bytes();
        self.bytes = self.bytes + after - before;
        if self.bytes > self.most {
            self.make_room();
        }
    }

    /// Lets those with the fewest packets go.
    fn make_room(&mut self) {
        let mut parts: Vec<_> = self.parts.values().map(|part| (part.packets, part.bytes())).collect();
        parts.sort_unstable();
        let (mut bytes, mut fewest) = (self.bytes, 0);
        for (packets, sets) in parts {
            if bytes <= self.most / 4 * 3 {
                break;
            }
            bytes -= Self::PLACE + sets;
            fewest = packets;
        }
        self.gone = self.gone.max(fewest);
        self.parts.retain(|_, part| part.packets > fewest);
        // What is removed one by one leaves marks that take room.
        self.parts.shrink_to_fit();
        self.bytes = self.parts.values().map(|part| Self::PLACE + part.bytes()).sum();
    }

    /// All that there are, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Part)> {
        self.parts.iter()
    }

    /// What is counted of one.
    pub(super) fn get(&self, of: &K) -> Option<&Part> {
        self.parts.get(of)
    }

    /// Those that are not there had at most so many packets at a time: 0 if all are there.
    pub(super) const fn gone(&self) -> u64 {
        self.gone
    }
}

impl Part {
    /// Bytes that its sets take beside itself.
    fn bytes(&self) -> usize {
        self.others.bytes() + self.known_sources.bytes()
    }

    /// How many sources there were.
    pub(super) fn sources(&self) -> Count {
        Distinct::count_both(&self.others, &self.known_sources)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::super::distinct::Secret;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn counts_are_the_truth_while_there_is_room(
            packets in prop::collection::vec((0_u16..40, 0_u64..100, any::<bool>()), 0..3000),
        ) {
            let (mut counted, secret) = (Counted::within(1 << 20), Secret::default());
            let mut truth = BTreeMap::<u16, (u64, u64, BTreeSet<u64>, BTreeSet<u64>)>::new();
            for &(port, source, known) in &packets {
                counted.add(port, secret.key(source), known);
                let part = truth.entry(port).or_default();
                part.0 += 1;
                part.1 += u64::from(known);
                let set = if known { &mut part.3 } else { &mut part.2 };
                set.insert(source);
            }
            prop_assert_eq!(counted.iter().count(), truth.len());
            prop_assert_eq!(counted.gone(), 0);
            for (port, (packets, known, others, known_sources)) in truth {
                let part = counted.get(&port).unwrap();
                prop_assert_eq!((part.packets, part.known, part.partial), (packets, known, false));
                let all = others.union(&known_sources).count();
                prop_assert_eq!(part.sources().count, all as u64);
                prop_assert_eq!(part.others.count().count, others.len() as u64);
                prop_assert_eq!(part.known_sources.count().count, known_sources.len() as u64);
            }
        }
    }

    #[test]
    fn a_flood_over_all_ports_leaves_the_largest() {
        let most = 1 << 20;
        let (mut counted, secret) = (Counted::within(most), Secret::default());
        let mut source = 0;
        for round in 0..600_000_u32 {
            source += 1;
            // One in ten packets goes to one of ten ports.
            let port =
                if round % 10 == 0 { round / 10 % 10 } else { 100 + round.wrapping_mul(40_503) % 65_000 };
            counted.add(port, secret.key(source), false);
            assert!(counted.bytes <= most, "{}", counted.bytes);
        }
        assert!(counted.gone() > 0);
        for port in 0..10 {
            let part = counted.get(&port).unwrap();
            assert_eq!((part.packets, part.partial), (6_000, false), "port {port}");
        }
        assert!(counted.iter().any(|(_, part)| part.partial));
    }
}
