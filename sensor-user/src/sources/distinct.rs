//! How many different ones there were: counted one by one while they are few, estimated when they are many.
//!
//! Up to 256 they are all kept. Beyond, they are a `HyperLogLog` sketch of 4,096 registers, whose estimates have a standard
//! error of 1.6 %: of a thousand, three are more than 5 % off. It takes 4 KiB however many there are. Where there are very
//! many such sets, smaller ones do.

use std::hash::{BuildHasher as _, Hash, RandomState};

use sensor_common::hyperloglog::HyperLogLog;
use serde::{Deserialize, Serialize};

/// Sources: exact up to 256, then with a standard error of 1.04/√4096 = 1.6 %.
pub(super) type Distinct = Set<256, 12>;
/// Ports or addresses of one source: exact up to 128, then with a standard error of 1.04/√512 = 4.6 %.
pub(super) type Targets = Set<128, 9>;

/// What is counted: a hash that tells it from all others.
#[derive(Clone, Copy)]
pub(super) struct Key(u64);

/// What makes keys, anew with each start: whoever knew how could send from sources that sketches take for few, or for very
/// many. Of two that differ, the keys are the same with a chance of 2⁻⁶⁴.
#[derive(Clone, Debug, Default)]
pub(super) struct Secret(RandomState);

impl Secret {
    pub(super) fn key(&self, of: impl Hash) -> Key {
        Key(self.0.hash_one(of))
    }
}

/// How many there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// How many.
    pub count: u64,
    /// Whether that is exact, or an estimate.
    pub exact: bool,
}

/// A set of which only the size matters: exact up to `EXACTLY`, then with 2 to the `REGISTERS` registers.
#[derive(Clone)]
pub(super) enum Set<const EXACTLY: usize, const REGISTERS: u8> {
    /// All of them, sorted.
    Few(Vec<u64>),
    Many(HyperLogLog<REGISTERS>),
}

impl<const EXACTLY: usize, const REGISTERS: u8> Default for Set<EXACTLY, REGISTERS> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<const EXACTLY: usize, const REGISTERS: u8> Set<EXACTLY, REGISTERS> {
    /// Most bytes that one takes beside itself.
    pub(super) const MOST_BYTES: usize = {
        let exactly = EXACTLY * size_of::<u64>();
        let sketch = HyperLogLog::<REGISTERS>::BYTES;
        if exactly > sketch { exactly } else { sketch }
    };

    pub(super) fn add(&mut self, key: Key) {
        match self {
            Self::Many(sketch) => sketch.add(key.0),
            Self::Few(numbers) => {
                let Err(at) = numbers.binary_search(&key.0) else { return };
                if numbers.len() < EXACTLY {
                    numbers.insert(at, key.0);
                    return;
                }
                let mut sketch = HyperLogLog::new();
                for &number in numbers.iter() {
                    sketch.add(number);
                }
                sketch.add(key.0);
                *self = Self::Many(sketch);
            }
        }
    }

    pub(super) fn count(&self) -> Count {
        match self {
            Self::Few(numbers) => Count { count: numbers.len() as u64, exact: true },
            Self::Many(sketch) => Count { count: rounded(sketch.estimate()), exact: false },
        }
    }

    /// How many there were in two sets together.
    pub(super) fn count_both(one: &Self, other: &Self) -> Count {
        match (one, other) {
            (it, Self::Few(none)) | (Self::Few(none), it) if none.is_empty() => it.count(),
            _ => {
                let mut both = one.clone();
                both.merge(other);
                both.count()
            }
        }
    }

    /// Adds all of another.
    pub(super) fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Few(numbers)) => numbers.iter().for_each(|&number| self.add(Key(number))),
            (Self::Few(numbers), Self::Many(sketch)) => {
                let few = std::mem::take(numbers);
                *self = Self::Many(sketch.clone());
                self.merge(&Self::Few(few));
            }
            (Self::Many(mine), Self::Many(theirs)) => mine.merge(theirs),
        }
    }

    /// Bytes that it takes beside itself.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Few(numbers) => numbers.capacity() * size_of::<u64>(),
            Self::Many(_) => HyperLogLog::<REGISTERS>::BYTES,
        }
    }
}

/// Of an estimate, which is no fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2⁵³ and not negative")]
fn rounded(estimate: f64) -> u64 {
    estimate.round() as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const STANDARD_ERROR: f64 = 0.016_25;

    /// Six standard errors: one of 10⁹ estimates is further off.
    #[expect(clippy::cast_precision_loss, reason = "far below 2⁵³")]
    fn is_near(count: Count, truth: usize) -> bool {
        let truth = truth as f64;
        let off = (count.count as f64 - truth).abs();
        if count.exact { off == 0.0 } else { off <= 6.0 * STANDARD_ERROR * truth }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn counts_are_exact_or_near(
            numbers in prop::collection::vec(0_u64..700, 0..4000),
            start in any::<u64>(),
            split in 0_usize..4000,
        ) {
            let numbers: Vec<_> = numbers.iter().map(|number| start.wrapping_add(number * 65_537)).collect();
            let truth = numbers.iter().collect::<BTreeSet<_>>().len();
            let (mut all, secret) = (Distinct::default(), Secret::default());
            let add = |set: &mut Distinct, numbers: &[u64]| {
                for number in numbers {
                    set.add(secret.key(number));
                }
            };
            add(&mut all, &numbers);
            prop_assert!(is_near(all.count(), truth), "{:?} of {truth}", all.count());
            prop_assert_eq!(all.count().exact, truth <= 256);
            // In two parts, put together.
            let (first, second) = numbers.split_at(split.min(numbers.len()));
            let [mut one, mut other] = [Distinct::default(), Distinct::default()];
            add(&mut one, first);
            add(&mut other, second);
            one.merge(&other);
            prop_assert!(is_near(one.count(), truth), "{:?} of {truth}", one.count());
        }
    }

    #[test]
    fn millions_are_estimated_in_little_memory() {
        let (mut distinct, secret) = (Distinct::default(), Secret::default());
        for number in 0..2_000_000_u64 {
            distinct.add(secret.key(number));
        }
        assert!(is_near(distinct.count(), 2_000_000), "{:?}", distinct.count());
        assert!(distinct.bytes() <= Distinct::MOST_BYTES);
    }
}
