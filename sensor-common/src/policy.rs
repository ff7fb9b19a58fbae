//! Load-time constants and maps by which the program knows what this host monitors and whom it lets in.
//!
//! Few prefixes are compared one after another, from frozen read-only data that the verifier prunes on: an
//! address costs about a nanosecond. Some more of IPv4 are searched there by halves, without a branch that could be
//! guessed wrong. Many go into one longest-prefix-match trie for each IP version.

use crate::layout::side::CONSTITUENCIES as CONSTITUENCIES_RANGE;
use crate::layout::{SENSOR_SLOTS, Slot};
pub use crate::parse::halves;

/// Name of the load-time constant [`Monitored`].
pub const MONITORED: &str = "MONITORED";
/// Name of the load-time constant that, when not 0, lets counted packets pass: an [`u32`].
pub const OBSERVE: &str = "OBSERVE";
/// Name of the load-time constant that, when 0, keeps the program from telling what made a packet: an [`u32`].
pub const TOOLS: &str = "TOOLS";
/// Name of the load-time constant that tells what to add to the monotonic clock (`bpf_ktime_get_ns`) for the nanoseconds
/// since 1970 (POSIX): an [`u64`].
pub const SINCE_1970: &str = "SINCE_1970";
/// Name of the load-time constant that, when not 0, has the program compare the time with [`GUARD`]: an [`u32`].
pub const GUARDED: &str = "GUARDED";
/// Name of the array whose one element is when the program stops doing anything unless it was confirmed, in
/// nanoseconds of the monotonic clock (`bpf_ktime_get_ns`): an [`u64`]. 0 means that it was confirmed.
pub const GUARD: &str = "GUARD";
/// Name of the trie of IPv4 prefixes: address in network order → sensor number.
pub const PREFIXES_V4: &str = "PREFIXES_V4";
/// Name of the trie of IPv6 prefixes: address in network order → sensor number.
pub const PREFIXES_V6: &str = "PREFIXES_V6";

/// Name of the load-time constant [`Gate`]: the services that some rule names.
pub const GATE: &str = "GATE";
/// Name of the load-time constant [`Gate`] of the services that every IPv4 source may reach.
pub const OPEN_V4: &str = "OPEN_V4";
/// Name of the load-time constant [`Gate`] of the services that every IPv6 source may reach.
pub const OPEN_V6: &str = "OPEN_V6";
/// Name of the load-time constant [`Networks`] of IPv4 sources for which some rule may hold.
pub const NETWORKS_V4: &str = "NETWORKS_V4";
/// Name of the load-time constant [`Networks`] of IPv6 sources for which some rule may hold.
pub const NETWORKS_V6: &str = "NETWORKS_V6";
/// Name of the hash of allowed services: number of the service's slot → [`Rules`] that name it.
pub const SERVICES: &str = "SERVICES";
/// Name of the trie of allowed IPv4 sources: address in network order → [`Rules`] that hold for it.
pub const SOURCES_V4: &str = "SOURCES_V4";
/// Name of the trie of allowed IPv6 sources: address in network order → [`Rules`] that hold for it.
pub const SOURCES_V6: &str = "SOURCES_V6";

/// Name of the load-time constant that, when 0, keeps the program from looking for constituencies: an [`u32`].
pub const CONSTITUENCIES: &str = "CONSTITUENCIES";
/// Name of the load-time constant [`Networks`] of IPv4 sources that may belong to a constituency.
pub const CONSTITUENT_NETWORKS_V4: &str = "CONSTITUENT_NETWORKS_V4";
/// Name of the load-time constant [`Networks`] of IPv6 sources that may belong to a constituency.
pub const CONSTITUENT_NETWORKS_V6: &str = "CONSTITUENT_NETWORKS_V6";
/// Name of the trie of constituencies' IPv4 addresses: address in network order → the constituency's number, an [`u32`].
pub const CONSTITUENTS_V4: &str = "CONSTITUENTS_V4";
/// Name of the trie of constituencies' IPv6 addresses: address in network order → the constituency's number, an [`u32`].
pub const CONSTITUENTS_V6: &str = "CONSTITUENTS_V6";
/// Most constituencies: each has a side counter.
pub const MAX_CONSTITUENCIES: u32 = CONSTITUENCIES_RANGE.end - CONSTITUENCIES_RANGE.start;
/// Most prefixes of constituencies, of each IP version.
pub const MAX_CONSTITUENTS: u32 = 1 << 18;

/// A set of rules, a bit each. A packet is allowed if a rule that names its service holds for its source.
pub type Rules = u64;
/// Most rules.
pub const MAX_RULES: usize = Rules::BITS as usize;
/// Most services that rules name.
pub const MAX_SERVICES: u32 = 4_096;

/// Most prefixes of one IP version in a trie.
pub const MAX_PREFIXES: u32 = 65_536;
/// Most prefixes of one IP version that are compared one after another.
pub const MAX_INLINE_PREFIXES: usize = 8;

/// Most ranges of IPv4 addresses that are searched by halves: a power of two.
pub const MAX_RANGES: usize = 64;

/// Consecutive IPv4 addresses of one sensor.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeV4 {
    /// The first, as a number.
    pub first: u64,
    /// The last.
    pub last: u32,
    /// The sensor's number.
    pub sensor: u32,
}

impl RangeV4 {
    /// Behind all ranges: beyond any address.
    pub const NONE: Self = Self { first: 1 << 40, last: 0, sensor: 0 };
}

/// A place among [`MAX_RANGES`] sorted ranges; those that are not used are [`RangeV4::NONE`].
pub trait RangeAt: Copy {
    /// The place that many ranges behind it.
    #[must_use]
    fn ahead(self, ranges: usize) -> Self;

    /// The first address of the range there.
    fn first(self) -> u64;

    /// The range there.
    fn range(self) -> RangeV4;
}

impl RangeAt for &[RangeV4] {
    fn ahead(self, ranges: usize) -> Self {
        &self[ranges..]
    }

    fn first(self) -> u64 {
        self.range().first
    }

    fn range(self) -> RangeV4 {
        self[0]
    }
}

/// The sensor of an IPv4 address, given as a number: that of the range that it is in. `at` is the place of the first
/// range, and `used` of them are used.
#[inline(always)]
pub fn find_range<R: RangeAt>(address: u32, used: usize, mut at: R) -> Option<u32> {
    let address = u64::from(address);
    let mut bit = MAX_RANGES.ilog2();
    while bit > 0 {
        bit -= 1;
        if used > 1 << bit {
            // The sign of the difference, not a branch: scans make it as good as random. And a step ahead, not a bit
            // of an index: the verifiers before Linux 6.10 know no bound of numbers that were joined by OR.
            let begins_after = at.ahead(1 << bit).first().wrapping_sub(address + 1);
            #[expect(clippy::cast_possible_truncation, reason = "it is at most half of `MAX_RANGES`")]
            let step = ((begins_after >> 63) << bit) as usize;
            at = at.ahead(step);
        }
    }
    let RangeV4 { first, last, sensor } = at.range();
    (first <= address && address <= u64::from(last)).then_some(sensor)
}

/// An IPv4 prefix to compare with.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InlineV4 {
    /// The network address as its bytes lie in memory; host bits are 0.
    pub address: u32,
    /// The netmask, likewise.
    pub mask: u32,
    /// The sensor's number.
    pub sensor: u32,
}

/// An IPv6 prefix to compare with.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InlineV6 {
    /// The network address as its bytes lie in memory, in two halves; host bits are 0.
    pub address: [u64; 2],
    /// The netmask, likewise.
    pub mask: [u64; 2],
    /// The sensor's number.
    pub sensor: u64,
}

/// A bit for each slot: whether some rule names the service whose unsolicited packets it would count.
///
/// It is looked at for every packet, so that one to any other service costs a load and a shift, and never a
/// hash or a trie.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Not 0 if any bit is set: the verifier prunes the rest if none is.
    pub any: u64,
    /// The bits, lowest slot first.
    pub bits: [u8; GATE_BYTES],
}

/// Bytes of the [`Gate`].
pub const GATE_BYTES: usize = (SENSOR_SLOTS / u8::BITS) as usize;

const _: () = assert!(size_of::<Gate>() == size_of::<u64>() + GATE_BYTES);

impl Gate {
    /// No rule names anything.
    #[expect(clippy::large_stack_arrays, reason = "it initialises a static, and a box once")]
    pub const CLOSED: Self = Self { any: 0, bits: [0; GATE_BYTES] };

    /// Opens the gate for a service.
    pub const fn open(&mut self, service: Slot) {
        let (byte, bit) = Self::place(service);
        self.bits[byte] |= bit;
        self.any = 1;
    }

    /// The byte and the bit that stand for a service.
    #[inline(always)]
    #[must_use]
    pub const fn place(service: Slot) -> (usize, u8) {
        ((service.index() / u8::BITS) as usize, 1 << (service.index() % u8::BITS))
    }
}

// SAFETY: integers only, laid out without padding (the assertion above): any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Gate {}

/// A bit for each network of sources: whether an address in it may be found in a trie, of rules or of constituencies.
///
/// Most of what arrives comes from elsewhere: that costs a load and a shift, and no trie. IPv4 networks are /16s. IPv6 has too many for a bit each: its /32s share them.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Networks(pub [u8; NETWORKS_BYTES]);

/// Networks that [`Networks`] tells apart.
pub const NETWORKS: u32 = 1 << 16;
/// Bytes of [`Networks`].
pub const NETWORKS_BYTES: usize = (NETWORKS / u8::BITS) as usize;

impl Networks {
    /// Nobody is found.
    pub const NONE: Self = Self([0; NETWORKS_BYTES]);

    /// The network of an IPv4 address: its first 16 bits.
    #[inline(always)]
    #[must_use]
    pub const fn of_v4([first, second, ..]: [u8; 4]) -> u16 {
        u16::from_be_bytes([first, second])
    }

    /// The network of an IPv6 address: a hash of its first 32 bits.
    #[inline(always)]
    #[must_use]
    pub const fn of_v6([a, b, c, d, ..]: [u8; 16]) -> u16 {
        // Knuth's multiplicative hash: the upper half of the product depends on all bits.
        (u32::from_be_bytes([a, b, c, d]).wrapping_mul(0x9e37_79b1) >> 16) as u16
    }

    /// Says that addresses of a network may be found.
    pub const fn add(&mut self, network: u16) {
        let (byte, bit) = Self::place(network);
        self.0[byte] |= bit;
    }

    /// The byte and the bit that stand for a network.
    #[inline(always)]
    #[must_use]
    pub const fn place(network: u16) -> (usize, u8) {
        ((network / 8) as usize, 1 << (network % 8))
    }
}

// SAFETY: bytes: any value is valid, and there is no padding.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Networks {}

/// How the destination of one IP version is looked up.
pub mod lookup {
    /// Every address belongs to the first sensor.
    pub const EVERYTHING: u32 = u32::MAX;
    /// In the trie.
    pub const TRIE: u32 = u32::MAX - 1;
    /// Among the ranges. Any smaller number is how many inline prefixes there are.
    pub const RANGES: u32 = u32::MAX - 2;
}

/// What this host monitors.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Monitored {
    /// How an IPv4 destination is looked up: one of [`lookup`].
    pub lookup_v4: u32,
    /// How an IPv6 destination is looked up: one of [`lookup`].
    pub lookup_v6: u32,
    /// The number of the first sensor, to which belongs what cannot be told.
    pub first: u32,
    /// How many ranges there are.
    pub ranges: u32,
    /// The inline IPv4 prefixes.
    pub v4: [InlineV4; MAX_INLINE_PREFIXES],
    /// The inline IPv6 prefixes.
    pub v6: [InlineV6; MAX_INLINE_PREFIXES],
    /// The ranges of IPv4 addresses, sorted.
    pub ranges_v4: [RangeV4; MAX_RANGES],
}

const _: () = assert!(size_of::<Monitored>() == 16 + 8 * 12 + 8 * 40 + 64 * 16);

impl Monitored {
    /// One sensor, numbered 0, that monitors everything.
    pub const EVERYTHING: Self = Self {
        lookup_v4: lookup::EVERYTHING,
        lookup_v6: lookup::EVERYTHING,
        first: 0,
        ranges: 0,
        v4: [InlineV4 { address: 0, mask: 0, sensor: 0 }; MAX_INLINE_PREFIXES],
        v6: [InlineV6 { address: [0; 2], mask: [0; 2], sensor: 0 }; MAX_INLINE_PREFIXES],
        ranges_v4: [RangeV4::NONE; MAX_RANGES],
    };
}

// SAFETY: integers only, laid out without padding (the assertion above): any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Monitored {}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_range_is_found(
            bounds in prop::collection::btree_set(any::<u32>(), 2..2 * MAX_RANGES),
            address: u32,
            near in any::<prop::sample::Index>(),
            by in -1_i64..2,
        ) {
            let bounds: Vec<u32> = bounds.into_iter().collect();
            let mut ranges = [RangeV4::NONE; MAX_RANGES];
            let mut used = 0;
            for (place, pair) in ranges.iter_mut().zip(bounds.chunks_exact(2)) {
                *place = RangeV4 { first: pair[0].into(), last: pair[1], sensor: pair[0] ^ 7 };
                used += 1;
            }
            let near = near.get(&bounds).wrapping_add_signed(i32::try_from(by).expect("it is small"));
            for address in [address, near] {
                let inside = |range: &&RangeV4| range.first <= address.into() && address <= range.last;
                let expected = ranges[..used].iter().find(inside).map(|range| range.sensor);
                let found = find_range(address, used, &ranges[..]);
                prop_assert_eq!(found, expected);
            }
        }
    }
}
