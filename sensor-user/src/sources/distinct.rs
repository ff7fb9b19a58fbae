//! How many different ones there were: counted one by one while they are few, estimated when they are many.
//!
//! Up to 256 they are all kept. Beyond, they are a `HyperLogLog` sketch of 4,096 registers, whose estimates have a standard
//! error of 1.6 %: of a thousand, three are more than 5 % off. It takes 4 KiB however many there are. Where there are very
//! many such sets, smaller ones do.

use std::hash::{BuildHasher as _, Hash, RandomState};

use datasketches::hll::{Coupon, HllSketch, HllType, HllUnion};
use serde::{Deserialize, Serialize};

/// Sources: exact up to 256, then with a standard error of 1.04/√4096 = 1.6 %.
pub(super) type Distinct = Set<256, 12>;
/// Ports or addresses of one source: exact up to 128, then with a standard error of 1.04/√512 = 4.6 %.
pub(super) type Targets = Set<128, 9>;

/// What is counted: a number that tells it from all others, and its hash, which all sketches share.
#[derive(Clone, Copy)]
pub(super) struct Key {
    number: u64,
    hash: Coupon,
}

impl Key {
    fn new(number: u64) -> Self {
        Self { number, hash: Coupon::from_value(number) }
    }
}

/// What makes keys, anew with each start: whoever knew how could send from sources that sketches take for few, or for very
/// many. Of two that differ, the keys are the same with a chance of 2⁻⁶⁴.
#[derive(Clone, Debug, Default)]
pub(super) struct Secret(RandomState);

impl Secret {
    pub(super) fn key(&self, of: impl Hash) -> Key {
        Key::new(self.0.hash_one(of))
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
    Many(Box<HllSketch>),
}

impl<const EXACTLY: usize, const REGISTERS: u8> Default for Set<EXACTLY, REGISTERS> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<const EXACTLY: usize, const REGISTERS: u8> Set<EXACTLY, REGISTERS> {
    /// A sketch's registers, and what is about them in memory.
    const SKETCH_BYTES: usize = (1 << REGISTERS) + 256;
    /// Most bytes that one takes beside itself.
    pub(super) const MOST_BYTES: usize = {
        let exactly = EXACTLY * size_of::<u64>();
        if exactly > Self::SKETCH_BYTES { exactly } else { Self::SKETCH_BYTES }
    };

    pub(super) fn add(&mut self, key: Key) {
        match self {
            Self::Many(sketch) => sketch.update_with_coupon(key.hash),
            Self::Few(numbers) => {
                let Err(at) = numbers.binary_search(&key.number) else { return };
                if numbers.len() < EXACTLY {
                    numbers.insert(at, key.number);
                    return;
                }
                let mut sketch = Self::empty();
                for &number in numbers.iter() {
                    sketch.update(number);
                }
                sketch.update_with_coupon(key.hash);
                *self = Self::Many(Box::new(sketch));
            }
        }
    }

    pub(super) fn count(&self) -> Count {
        match self {
            Self::Few(numbers) => Count { count: numbers.len() as u64, exact: true },
            Self::Many(sketch) => Count { count: rounded(sketch.estimate()), exact: false },
        }
    }

    /// Adds all of another.
    pub(super) fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Few(numbers)) => numbers.iter().for_each(|&number| self.add(Key::new(number))),
            (Self::Few(numbers), Self::Many(sketch)) => {
                let few = std::mem::take(numbers);
                *self = Self::Many(sketch.clone());
                self.merge(&Self::Few(few));
            }
            (Self::Many(mine), Self::Many(theirs)) => {
                if let Ok(mut union) = HllUnion::new(REGISTERS) {
                    union.update(mine);
                    union.update(theirs);
                    **mine = union.to_sketch(HllType::Hll8);
                }
            }
        }
    }

    fn empty() -> HllSketch {
        HllSketch::new(REGISTERS, HllType::Hll8).expect("a power of two that sketches may have")
    }

    /// Bytes that it takes beside itself.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Few(numbers) => numbers.capacity() * size_of::<u64>(),
            Self::Many(_) => Self::SKETCH_BYTES,
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
            let mut all = Distinct::default();
            let add = |set: &mut Distinct, numbers: &[u64]| {
                for &number in numbers {
                    set.add(Key::new(number));
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
        let mut distinct = Distinct::default();
        for number in 0..2_000_000_u64 {
            distinct.add(Key::new(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        }
        assert!(is_near(distinct.count(), 2_000_000), "{:?}", distinct.count());
        assert!(distinct.bytes() <= Distinct::MOST_BYTES);
    }
}
