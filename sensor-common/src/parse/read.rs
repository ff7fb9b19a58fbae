//! What only few packets are asked for is read when it is asked for, from the offsets that the parser left.
//!
//! As in [`super::address`], the structures here have no variants.

use super::header::{self, Extension, Icmp, Ipv4, Ipv6};
use super::upper::protocol;
use super::{Packet, Pair, Read, TcpFlags, Wire};

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
        Self { first: header.first.get(), second: header.second.get(), third: header.rest[0].get() }
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

/// A TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The destination port.
    pub destination: u16,
    /// The sequence number.
    pub sequence: u32,
    /// The flags.
    pub flags: TcpFlags,
    /// The window, as it is written.
    pub window: u16,
    /// The data offset in words of 32 bits.
    pub data_offset: u8,
}

impl Segment {
    /// Bytes of options.
    #[must_use]
    pub const fn options_length(self) -> usize {
        (self.data_offset as usize * 4).saturating_sub(size_of::<header::Tcp>())
    }
}

/// What a tool is told by in an IP header: IPv4's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Fields {
    /// The destination as a number.
    pub destination: u32,
    /// The datagram's number.
    pub identification: u16,
    /// DF: no router may fragment it.
    pub dont_fragment: bool,
    /// The time to live.
    pub time_to_live: u8,
}

impl Ipv4Fields {
    #[inline(always)]
    pub(super) const fn new(header: &Ipv4) -> Self {
        Self {
            destination: header::number(header.destination),
            identification: header.identification.get(),
            dont_fragment: header.dont_fragment(),
            time_to_live: header.time_to_live,
        }
    }

    /// Of IPv6, which has but the hop limit of them.
    #[inline(always)]
    pub(crate) const fn of_v6(hop_limit: u8) -> Self {
        Self { destination: 0, identification: 0, dont_fragment: false, time_to_live: hop_limit }
    }
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

    /// Whether it is an IPv6 packet.
    #[must_use]
    #[inline(always)]
    pub const fn is_ipv6(&self) -> bool {
        self.version == 6
    }

    /// Source and destination; always there for a frame that this was parsed from.
    #[must_use]
    #[inline(always)]
    pub fn pair<R: Read + ?Sized>(&self, frame: &R) -> Option<Pair> {
        if self.is_ipv6() {
            return Some(Pair::v6(&frame.read(self.network)?));
        }
        Some(Pair::v4(&frame.read(self.network)?))
    }

    /// The IPv6 hop limit.
    #[must_use]
    #[inline(always)]
    pub fn hop_limit<R: Read + ?Sized>(&self, frame: &R) -> Option<u8> {
        let header: Ipv6 = frame.read(self.network)?;
        Some(header.hop_limit)
    }

    /// The IPv4 time to live.
    #[must_use]
    #[inline(always)]
    pub fn time_to_live<R: Read + ?Sized>(&self, frame: &R) -> Option<u8> {
        let header: Ipv4 = frame.read(self.network)?;
        Some(header.time_to_live)
    }

    /// The first bytes of what it carries; `None` if there are less than eight.
    #[must_use]
    #[inline(always)]
    pub fn leading<R: Read + ?Sized>(&self, frame: &R) -> Option<Leading> {
        Some(Leading::new(within(frame, self.at, self.end)?))
    }

    /// The flags of a TCP segment.
    #[inline(always)]
    pub(crate) fn tcp_flags<R: Read + ?Sized>(&self, frame: &R) -> Option<TcpFlags> {
        let header: header::Tcp = frame.read(self.at)?;
        Some(TcpFlags(header.flags))
    }

    /// The header of a TCP segment.
    #[must_use]
    #[inline(always)]
    pub fn segment<R: Read + ?Sized>(&self, frame: &R) -> Option<Segment> {
        let header: header::Tcp = frame.read(self.at)?;
        Some(Segment {
            destination: header.destination.get(),
            sequence: header::number(header.sequence),
            flags: TcpFlags(header.flags),
            window: header.window.get(),
            data_offset: header.data_offset >> 4,
        })
    }

    /// Offset in the frame of a TCP segment's options.
    #[must_use]
    #[inline(always)]
    pub const fn tcp_options(&self) -> usize {
        self.at + size_of::<header::Tcp>()
    }

    /// The fields of an IPv4 header.
    #[inline(always)]
    pub(crate) fn ipv4<R: Read + ?Sized>(&self, frame: &R) -> Option<Ipv4Fields> {
        Some(Ipv4Fields::new(&frame.read(self.network)?))
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
    #[must_use]
    #[inline(always)]
    pub fn quoted<R: Read + ?Sized>(&self, frame: &R) -> Option<Quoted> {
        let at = self.at + size_of::<Icmp>();
        if self.is_ipv6() {
            return quoted_ipv6(frame, at, self.end);
        }
        quoted_ipv4(frame, at, self.end)
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
