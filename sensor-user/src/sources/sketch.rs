//! Sketches of sources that go with those of other sensors: made with a key that all of them share.
//!
//! What else is counted here has a [secret](super::distinct) of its own at each start. A source has the same place in the
//! sketches of all sensors with one key, so the largest of each register are the sketch of all their sources together.
//! Without the key nobody can tell which sources a sketch has, or choose such as it takes for few.

use std::path::Path;

use anyhow::Result;
use sensor_common::hyperloglog::HyperLogLog;
use siphasher::sip::SipHasher24;

use super::source::Source;
use crate::key_file;

/// 4,096 registers: a standard error of 1.6 %.
const PRECISION: u8 = 12;
/// Bytes of a fingerprint.
const FINGERPRINT: usize = size_of::<u64>();

/// What makes places in sketches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SketchKey {
    /// The first half of the key.
    hash: [u8; 16],
    /// Tells it from other keys, and nothing of it.
    fingerprint: u64,
}

impl SketchKey {
    /// The key in a file.
    ///
    /// # Errors
    /// There is none in it, or others can read it.
    pub(super) fn read(path: &Path) -> Result<Self> {
        key_file::read(path).map(|key| Self::of(&key))
    }

    fn of(key: &[u8; key_file::BYTES]) -> Self {
        let (mut hash, mut other) = ([0; 16], [0; 16]);
        let (first, second) = key.split_at(16);
        hash.copy_from_slice(first);
        other.copy_from_slice(second);
        Self { hash, fingerprint: SipHasher24::new_with_key(&other).hash(&hash) }
    }

    /// Where a source belongs in sketches of this key.
    pub(super) fn hash(&self, source: Source) -> u64 {
        let hasher = SipHasher24::new_with_key(&self.hash);
        match source {
            Source::V4(address) => hasher.hash(&address.octets()),
            Source::V6(bits) => hasher.hash(&bits.to_be_bytes()),
        }
    }
}

/// A sketch of sources.
#[derive(Clone)]
pub(super) struct Sketch {
    fingerprint: u64,
    registers: HyperLogLog<PRECISION>,
}

impl Sketch {
    /// Of nothing yet.
    pub(super) fn new(key: &SketchKey) -> Self {
        Self { fingerprint: key.fingerprint, registers: HyperLogLog::new() }
    }

    /// Adds a source, by what its key makes of it.
    pub(super) fn add(&mut self, hash: u64) {
        self.registers.add(hash);
    }

    /// What it is made of.
    pub(super) fn parts(&self) -> SketchParts<'_> {
        let Self { fingerprint, registers } = self;
        SketchParts { fingerprint: *fingerprint, precision: PRECISION, registers: registers.registers() }
    }

    /// As it is stored: the key's fingerprint, the precision, and the registers.
    pub(super) fn stored(&self) -> Vec<u8> {
        let head = self.fingerprint.to_be_bytes().into_iter().chain([PRECISION]);
        head.chain(self.registers.registers().iter().copied()).collect()
    }

    /// Adds all of another, if it is of the same key; gives whether it is.
    pub(super) fn merge(&mut self, other: &Self) -> bool {
        let is_of_key = other.fingerprint == self.fingerprint;
        if is_of_key {
            self.registers.merge(&other.registers);
        }
        is_of_key
    }

    /// Adds all of one that was stored, likewise.
    pub(super) fn merge_stored(&mut self, stored: &[u8]) -> bool {
        let parts = SketchParts::of(stored)
            .filter(|parts| parts.precision == PRECISION && parts.fingerprint == self.fingerprint);
        if let Some(parts) = parts {
            self.registers.merge_registers(parts.registers);
        }
        parts.is_some()
    }
}

/// What a sketch is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SketchParts<'a> {
    /// Tells the key from others: only sketches of the same go together.
    pub fingerprint: u64,
    /// The binary logarithm of the number of registers.
    pub precision: u8,
    /// A byte each.
    pub registers: &'a [u8],
}

impl<'a> SketchParts<'a> {
    /// Of a stored sketch; `None` of what is none.
    #[must_use]
    pub fn of(stored: &'a [u8]) -> Option<Self> {
        let (fingerprint, rest) = stored.split_first_chunk::<FINGERPRINT>()?;
        let (&precision, registers) = rest.split_first()?;
        let fingerprint = u64::from_be_bytes(*fingerprint);
        (1_usize.checked_shl(precision.into()) == Some(registers.len())).then_some(Self {
            fingerprint,
            precision,
            registers,
        })
    }

    /// The key's fingerprint, in hexadecimal.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{:016x}", self.fingerprint)
    }

    /// The registers, in hexadecimal.
    #[must_use]
    pub fn hexadecimal(&self) -> String {
        let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
        self.registers.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn key(first: u8, last: u8) -> SketchKey {
        let mut key = [0; key_file::BYTES];
        for (at, byte) in (0..).zip(&mut key[..16]) {
            *byte = at;
        }
        key[0] = first;
        key[31] = last;
        SketchKey::of(&key)
    }

    /// The first four and eight bytes of the paper's own table of SipHash-2-4, so that other programs find the same places.
    #[test]
    fn places_are_those_of_siphash() {
        let of = |source| key(0, 1).hash(source);
        assert_eq!(of(Source::V4(Ipv4Addr::new(0, 1, 2, 3))), 0xcf27_94e0_2771_87b7);
        assert_eq!(of(Source::V6(0x0001_0203_0405_0607)), 0x93f5_f579_9a93_2462);
    }

    fn sketch(key: &SketchKey, sources: std::ops::Range<u32>) -> Sketch {
        let mut sketch = Sketch::new(key);
        sources.for_each(|source| sketch.add(key.hash(Source::V4(source.into()))));
        sketch
    }

    #[test]
    fn sketches_of_one_key_go_together_and_of_others_do_not() {
        let key = key(0, 1);
        let [one, other] = [sketch(&key, 0..6_000), sketch(&key, 4_000..10_000)];
        let mut both = one.clone();
        assert!(both.merge_stored(&other.stored()) && both.merge(&other));
        assert_eq!(both.stored(), sketch(&key, 0..10_000).stored());
        let estimate = both.registers.estimate();
        assert!((estimate - 10_000.0).abs() < 6.0 * 0.016_25 * 10_000.0, "{estimate}");
        for stranger in [self::key(1, 1), self::key(0, 2)] {
            let (mut alone, other) = (one.clone(), sketch(&stranger, 4_000..10_000));
            assert!(!alone.merge_stored(&other.stored()) && !alone.merge(&other));
            assert_eq!(alone.stored(), one.stored());
        }
    }

    #[test]
    fn what_is_no_sketch_has_no_parts() {
        let stored = sketch(&key(0, 1), 0..9).stored();
        assert_eq!(SketchParts::of(&stored).map(|parts| parts.registers.len()), Some(4_096));
        for wrong in [&stored[1..], &stored[..4_000], &[][..]] {
            assert_eq!(SketchParts::of(wrong), None);
        }
    }
}
