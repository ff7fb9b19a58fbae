//! Load-time constants and maps by which the program knows what this host monitors.
//!
//! Few prefixes are compared one after another, from frozen read-only data that the verifier prunes on: an
//! address costs about a nanosecond. Many go into one longest-prefix-match trie for each IP version.

/// Name of the load-time constant [`Monitored`].
pub const MONITORED: &str = "MONITORED";
/// Name of the load-time constant that, when not 0, lets counted packets pass: an [`u32`].
pub const OBSERVE: &str = "OBSERVE";
/// Name of the trie of IPv4 prefixes: address in network order → sensor number.
pub const PREFIXES_V4: &str = "PREFIXES_V4";
/// Name of the trie of IPv6 prefixes: address in network order → sensor number.
pub const PREFIXES_V6: &str = "PREFIXES_V6";

/// Most prefixes of one IP version in a trie.
pub const MAX_PREFIXES: u32 = 65_536;
/// Most prefixes of one IP version that are compared one after another.
pub const MAX_INLINE_PREFIXES: usize = 8;

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

/// An IPv6 address or netmask in the two halves that [`InlineV6`] compares.
#[inline(always)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the halves are what is left of either side")]
pub const fn halves(octets: [u8; 16]) -> [u64; 2] {
    let bits = u128::from_ne_bytes(octets);
    [bits as u64, (bits >> 64) as u64]
}

/// How the destination of one IP version is looked up.
pub mod lookup {
    /// Every address belongs to sensor 0.
    pub const EVERYTHING: u32 = u32::MAX;
    /// In the trie. Any smaller number is how many inline prefixes there are.
    pub const TRIE: u32 = u32::MAX - 1;
}

/// What this host monitors.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Monitored {
    /// How an IPv4 destination is looked up: one of [`lookup`].
    pub lookup_v4: u32,
    /// How an IPv6 destination is looked up: one of [`lookup`].
    pub lookup_v6: u32,
    /// The inline IPv4 prefixes.
    pub v4: [InlineV4; MAX_INLINE_PREFIXES],
    /// The inline IPv6 prefixes.
    pub v6: [InlineV6; MAX_INLINE_PREFIXES],
}

const _: () = assert!(size_of::<Monitored>() == 8 + 8 * 12 + 8 * 40);

// SAFETY: integers only, laid out without padding (the assertion above): any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Monitored {}
