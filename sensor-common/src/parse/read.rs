//! What only few packets are asked for is read when it is asked for, from the offsets that the parser left.
//!
//! The structures here have no variants: all of their bytes have a value whatever the packet is, so that the
//! compiler never computes with what was not set. The verifier would refuse that.

use super::header::{self, Extension, Icmp, Ipv4, Ipv6, octets4, octets6};
use super::upper::protocol;
use super::{Addresses, Packet, Read, TcpFlags, Wire};

/// Source and destination of a packet in the form that is compared and hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Source address as its bytes lie in memory; an IPv4 address is followed by zeros.
    pub source: [u64; 2],
    /// Destination address, likewise.
    pub destination: [u64; 2],
    /// 4 or 6.
    pub version: u8,
}

impl Pair {
    /// That of a packet that goes the other way.
    #[must_use]
    #[inline(always)]
    pub const fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source, version: self.version }
    }

    /// The same addresses as their octets.
    #[must_use]
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the rest of an IPv4 address is zeros")]
    pub const fn addresses(self) -> Addresses {
        if self.version == 4 {
            Addresses::V4 {
                source: (self.source[0] as u32).to_ne_bytes(),
                destination: (self.destination[0] as u32).to_ne_bytes(),
            }
        } else {
            Addresses::V6 { source: octets(self.source), destination: octets(self.destination) }
        }
    }

    #[inline(always)]
    fn v4(header: &Ipv4) -> Self {
        let (source, destination) = (octets4(header.source), octets4(header.destination));
        Self { source: padded(source), destination: padded(destination), version: 4 }
    }

    #[inline(always)]
    fn v6(header: &Ipv6) -> Self {
        let (source, destination) = (octets6(header.source), octets6(header.destination));
        Self { source: halves(source), destination: halves(destination), version: 6 }
    }
}

/// An IPv4 address in the form of [`Pair`].
#[inline(always)]
#[must_use]
pub const fn padded(octets: [u8; 4]) -> [u64; 2] {
    [u32::from_ne_bytes(octets) as u64, 0]
}

/// An IPv6 address in two halves, as they lie in memory: what compares and copies in two instructions.
#[inline(always)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the halves are what is left of either side")]
pub const fn halves(octets: [u8; 16]) -> [u64; 2] {
    let bits = u128::from_ne_bytes(octets);
    [bits as u64, (bits >> 64) as u64]
}

/// The inverse of [`halves`].
#[inline(always)]
const fn octets([low, high]: [u64; 2]) -> [u8; 16] {
    ((high as u128) << 64 | low as u128).to_ne_bytes()
}

/// The first bytes of what a packet carries, by its protocol: as much as an ICMP error quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leading {
    /// TCP's and UDP's source port; an ICMP message's type and code.
    pub first: u16,
    /// TCP's and UDP's destination port.
    pub second: u16,
    /// An ICMP echo message's identifier.
    pub third: u16,
}

impl Leading {
    /// An ICMP message's type.
    #[must_use]
    #[inline(always)]
    pub const fn icmp_type(self) -> u8 {
        self.first.to_be_bytes()[0]
    }

    #[inline(always)]
    const fn new(header: header::Leading) -> Self {
        Self { first: header.first.get(), second: header.second.get(), third: header.third.get() }
    }
}

/// The beginning of a packet, as an ICMP error quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Where it came from and went to.
    pub pair: Pair,
    /// IP protocol number.
    pub protocol: u8,
    /// What it carried.
    pub leading: Leading,
}

impl Packet {
    /// The same packet with offsets of which nothing is known: see [`Read::blurred`].
    #[inline(always)]
    pub(crate) fn blurred<R: Read + ?Sized>(&self, frame: &R) -> Self {
        Self {
            network: frame.blurred(self.network),
            fragment: frame.blurred(self.fragment),
            at: frame.blurred(self.at),
            ..*self
        }
    }

    /// Source and destination.
    #[inline(always)]
    pub(crate) fn pair<R: Read + ?Sized>(&self, frame: &R) -> Option<Pair> {
        if self.is_ipv6() {
            return Some(Pair::v6(&frame.read(self.network)?));
        }
        Some(Pair::v4(&frame.read(self.network)?))
    }

    /// The first bytes of what it carries; `None` if there are less than eight.
    #[inline(always)]
    pub(crate) fn leading<R: Read + ?Sized>(&self, frame: &R) -> Option<Leading> {
        Some(Leading::new(within(frame, self.at, self.end)?))
    }

    /// The flags of a TCP segment.
    #[inline(always)]
    pub(crate) fn tcp_flags<R: Read + ?Sized>(&self, frame: &R) -> Option<TcpFlags> {
        let header: header::Tcp = frame.read(self.at)?;
        Some(TcpFlags(header.flags))
    }

    /// What tells the datagram that this is a fragment of from others between the same addresses: its
    /// number, and over IPv4 the protocol (RFC 791 §3.2, RFC 8200 §4.5), which is 0 for IPv6.
    #[inline(always)]
    pub(crate) fn datagram<R: Read + ?Sized>(&self, frame: &R) -> Option<(u8, u32)> {
        if self.is_ipv6() {
            let header: Extension = frame.read(self.fragment)?;
            return Some((0, header.identification()));
        }
        let header: Ipv4 = frame.read(self.fragment)?;
        Some((header.protocol, u32::from(header.identification.get())))
    }

    /// What an ICMP error quotes: an IP header and at least the eight bytes behind it (RFC 792, RFC 4443
    /// §2.4). `None` if it quotes less, a later fragment, or an IPv6 packet with other extension headers
    /// than a fragment header.
    #[inline(always)]
    pub(crate) fn quoted<R: Read + ?Sized>(&self, frame: &R) -> Option<Quoted> {
        let at = self.at + size_of::<Icmp>();
        if self.is_ipv6() {
            return quoted_ipv6(frame, at, self.end);
        }
        quoted_ipv4(frame, at, self.end)
    }

    #[inline(always)]
    const fn is_ipv6(&self) -> bool {
        matches!(self.addresses, Some(Addresses::V6 { .. }))
    }
}

#[inline(always)]
fn quoted_ipv4<R: Read + ?Sized>(frame: &R, at: usize, end: usize) -> Option<Quoted> {
    let header: Ipv4 = within(frame, at, end)?;
    let length = header.header_length();
    if header.version() != 4 || length < size_of::<Ipv4>() || header.fragment_offset() != 0 {
        return None;
    }
    let leading = Leading::new(within(frame, at + length, end)?);
    Some(Quoted { pair: Pair::v4(&header), protocol: header.protocol, leading })
}

#[inline(always)]
fn quoted_ipv6<R: Read + ?Sized>(frame: &R, at: usize, end: usize) -> Option<Quoted> {
    let header: Ipv6 = within(frame, at, end)?;
    if header.version() != 6 {
        return None;
    }
    let mut protocol = header.next_header;
    let mut at = at + size_of::<Ipv6>();
    if protocol == protocol::FRAGMENT {
        let fragment: Extension = within(frame, at, end)?;
        if fragment.fragment_offset() != 0 {
            return None;
        }
        protocol = fragment.next_header;
        at += size_of::<Extension>();
    }
    let leading = Leading::new(within(frame, at, end)?);
    Some(Quoted { pair: Pair::v6(&header), protocol, leading })
}

/// A header, if all of it lies within the packet.
#[inline(always)]
fn within<R: Read + ?Sized, T: Wire>(frame: &R, at: usize, end: usize) -> Option<T> {
    if at + size_of::<T>() > end {
        return None;
    }
    frame.read(at)
}
