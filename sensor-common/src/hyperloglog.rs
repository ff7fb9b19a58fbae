//! `HyperLogLog`: how many different ones there were, from one byte for each of 2 to the `REGISTERS` registers.
//!
//! Flajolet, Fusy, Gandouet and Meunier, "`HyperLogLog`: the analysis of a near-optimal cardinality estimation algorithm"
//! (2007), with hashes of 64 bits. The estimate is Ertl's improved raw one, which is as near for few as for many and needs
//! no table of corrections: "New cardinality estimation algorithms for `HyperLogLog` sketches" (arXiv:1702.01284), algorithm 6.

extern crate std;

use core::f64::consts::LN_2;
use std::boxed::Box;
use std::vec;

/// A sketch of a set.
#[derive(Clone, Debug)]
pub struct HyperLogLog<const REGISTERS: u8>(Box<[u8]>);

impl<const REGISTERS: u8> Default for HyperLogLog<REGISTERS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const REGISTERS: u8> HyperLogLog<REGISTERS> {
    /// Bytes that it takes beside itself.
    pub const BYTES: usize = 1 << REGISTERS;
    /// Bits of a hash that a register tells of.
    const BITS: usize = (u64::BITS - REGISTERS as u32) as usize;

    /// Of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self(vec![0; Self::BYTES].into())
    }

    /// Adds one by its hash, of which all bits are as good as random.
    pub fn add(&mut self, hash: u64) {
        // As if a one came behind them, so that there is a first one.
        let bits = hash << REGISTERS | 1 << (REGISTERS - 1);
        let rank = u8::try_from(bits.leading_zeros() + 1).unwrap_or(u8::MAX);
        let register = usize::try_from(hash >> Self::BITS).ok().and_then(|register| self.0.get_mut(register));
        if let Some(register) = register {
            *register = rank.max(*register);
        }
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        self.merge_registers(&other.0);
    }

    /// A byte for each register.
    #[must_use]
    pub fn registers(&self) -> &[u8] {
        &self.0
    }

    /// Adds all of another, by its registers: as many as it has itself.
    pub fn merge_registers(&mut self, theirs: &[u8]) {
        for (mine, theirs) in self.0.iter_mut().zip(theirs) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// How many there were, with a standard error of 1.04 by the root of the registers.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        // How many registers have each value.
        let mut registers = [0_u32; u64::BITS as usize + 1];
        for &value in &self.0 {
            if let Some(registers) = registers.get_mut(usize::from(value)) {
                *registers += 1;
            }
        }
        let all = f64::from(1_u32 << REGISTERS);
        let [none, some @ ..] = registers.map(f64::from);
        let (some, full) = some.split_at(Self::BITS);
        let full = full.first().copied().unwrap_or_default();
        let mut sum = all * tau(1.0 - full / all);
        for registers in some.iter().rev() {
            sum = (sum + registers) / 2.0;
        }
        sum += all * sigma(none / all);
        all * all / (2.0 * LN_2 * sum)
    }
}

/// What registers that are 0 tell; `share` is their part of all. Infinite where all are.
fn sigma(share: f64) -> f64 {
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut weight, mut sum) = (share, 1.0, share);
    loop {
        power *= power;
        let before = sum;
        sum += power * weight;
        weight *= 2.0;
        if sum <= before {
            return sum;
        }
    }
}

/// What registers tell that can grow no more; `share` is the part of the others.
fn tau(share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    let (mut root, mut weight, mut sum) = (share, 1.0, 1.0 - share);
    loop {
        root = f64::sqrt(root);
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - root) * (1.0 - root) * weight;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_xoshiro::SplitMix64;

    use super::*;

    /// The root of the mean of squares of how far estimates of so many are off.
    fn error(many: u32) -> f64 {
        const SKETCHES: u32 = 200;
        let mut random = SplitMix64::seed_from_u64(u64::from(many));
        let squares = (0..SKETCHES).map(|_| {
            let mut sketch = HyperLogLog::<12>::new();
            (0..many).for_each(|_| sketch.add(random.random()));
            (sketch.estimate() / f64::from(many) - 1.0).powi(2)
        });
        (squares.sum::<f64>() / f64::from(SKETCHES)).sqrt()
    }

    /// The error of an error of 200 samples is 5 %; asked is a quarter more than the formula says.
    #[test]
    fn the_standard_error_is_as_stated() {
        for many in [300, 1_000, 4_096, 10_000, 30_000] {
            let error = error(many);
            assert!(error <= 1.25 * 1.04 / 64.0, "{error} of {many}");
        }
    }

    #[test]
    fn nothing_and_everything_are_estimated() {
        assert!(HyperLogLog::<9>::new().estimate() <= 0.0);
        let mut full = HyperLogLog::<9>::new();
        for register in 0..512_u64 {
            full.add(register << 55);
        }
        let estimate = full.estimate();
        assert!(estimate > 1e18, "{estimate}");
    }
}
