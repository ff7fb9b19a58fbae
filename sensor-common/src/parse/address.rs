//! Addresses in the form that is compared and hashed.
//!
//! The structures here have no variants: all of their bytes have a value whatever the packet is, so that the
//! compiler never computes with what was not set. The verifier would refuse that.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::header::{Ipv4, Ipv6, octets4, octets6};

/// An IPv4 or IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its bytes as they lie in memory; those of an IPv4 address are followed by zeros.
    pub halves: [u64; 2],
    /// 4 or 6.
    pub version: u8,
}

impl Address {
    /// Whether it is an IPv6 address.
    #[must_use]
    #[inline(always)]
    pub const fn is_ipv6(self) -> bool {
        self.version == 6
    }

    /// `fe80::/10` (RFC 4291 §2.5.6).
    #[must_use]
    #[inline(always)]
    pub const fn is_link_local(self) -> bool {
        let [first, second, ..] = self.octets();
        self.is_ipv6() && first == 0xfe && second & 0xc0 == 0x80
    }

    /// `::` (RFC 4291 §2.5.2).
    #[must_use]
    #[inline(always)]
    pub const fn is_unspecified_v6(self) -> bool {
        self.is_ipv6() && self.halves[0] | self.halves[1] == 0
    }

    /// `224.0.0.0/4` (RFC 1112 §4).
    #[must_use]
    #[inline(always)]
    pub const fn is_multicast_v4(self) -> bool {
        !self.is_ipv6() && self.octets_v4()[0] & 0xf0 == 0xe0
    }

    /// The four bytes of an IPv4 address.
    #[must_use]
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the rest of an IPv4 address is zeros")]
    pub const fn octets_v4(self) -> [u8; 4] {
        (u64::from_le(self.halves[0]) as u32).to_le_bytes()
    }

    /// The 16 bytes of an IPv6 address.
    #[must_use]
    #[inline(always)]
    pub const fn octets(self) -> [u8; 16] {
        let [first, last] = self.halves;
        ((u64::from_le(last) as u128) << 64 | u64::from_le(first) as u128).to_le_bytes()
    }

    /// The address as everybody knows it.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        if self.is_ipv6() {
            return IpAddr::V6(Ipv6Addr::from_octets(self.octets()));
        }
        IpAddr::V4(Ipv4Addr::from_octets(self.octets_v4()))
    }
}

/// Source and destination of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Source address, as in [`Address`].
    pub source: [u64; 2],
    /// Destination address, likewise.
    pub destination: [u64; 2],
    /// 4 or 6.
    pub version: u8,
}

impl Pair {
    /// Where the packet comes from.
    #[must_use]
    #[inline(always)]
    pub const fn source(self) -> Address {
        Address { halves: self.source, version: self.version }
    }

    /// Where it goes.
    #[must_use]
    #[inline(always)]
    pub const fn destination(self) -> Address {
        Address { halves: self.destination, version: self.version }
    }

    /// That of a packet that goes the other way.
    #[must_use]
    #[inline(always)]
    pub const fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source, version: self.version }
    }

    #[inline(always)]
    pub(super) fn v4(header: &Ipv4) -> Self {
        let (source, destination) = (octets4(header.source), octets4(header.destination));
        Self { source: padded(source), destination: padded(destination), version: 4 }
    }

    #[inline(always)]
    pub(super) fn v6(header: &Ipv6) -> Self {
        let (source, destination) = (octets6(header.source), octets6(header.destination));
        Self { source: halves(source), destination: halves(destination), version: 6 }
    }
}

/// An IPv4 address in the form of [`Address`].
#[inline(always)]
#[must_use]
pub const fn padded(octets: [u8; 4]) -> [u64; 2] {
    [(u32::from_le_bytes(octets) as u64).to_le(), 0]
}

/// An IPv6 address in two halves, as they lie in memory: what compares and copies in two instructions.
#[inline(always)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the halves are what is left of either side")]
pub const fn halves(octets: [u8; 16]) -> [u64; 2] {
    let bits = u128::from_le_bytes(octets);
    [(bits as u64).to_le(), ((bits >> 64) as u64).to_le()]
}
