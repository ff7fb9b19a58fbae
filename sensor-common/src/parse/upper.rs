//! TCP, UDP, ICMP and ICMPv6: ports, flags, types; every other protocol by its number.

use super::Read;
use super::header::{Icmp, Tcp, Udp};
use crate::layout::{Malformed, Slot};

/// IP protocol numbers that the parser tells apart (IANA "Assigned Internet Protocol Numbers").
pub mod protocol {
    /// IPv6 hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// IGMP (RFC 3376).
    pub const IGMP: u8 = 2;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// IPv6 routing header.
    pub const ROUTING: u8 = 43;
    /// IPv6 fragment header.
    pub const FRAGMENT: u8 = 44;
    /// Authentication header.
    pub const AUTHENTICATION: u8 = 51;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// IPv6 destination options.
    pub const DESTINATION_OPTIONS: u8 = 60;
}

/// Flags of a TCP segment, FIN in the lowest bit (RFC 9293 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// The sender will send no more.
    #[must_use]
    #[inline(always)]
    pub const fn fin(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// The sender begins.
    #[must_use]
    #[inline(always)]
    pub const fn syn(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// The sender breaks off.
    #[must_use]
    #[inline(always)]
    pub const fn rst(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// The sender answers.
    #[must_use]
    #[inline(always)]
    pub const fn ack(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// The sender asks for a connection: SYN without ACK.
    #[must_use]
    #[inline(always)]
    pub const fn is_request(self) -> bool {
        self.0 & 0x12 == 0x02
    }

    /// Likewise, and neither RST nor FIN.
    #[must_use]
    #[inline(always)]
    pub const fn is_syn_alone(self) -> bool {
        self.0 & 0x17 == 0x02
    }
}

/// What an IP packet carries.
pub(super) struct Upper {
    /// What it counts as.
    pub slot: Slot,
    /// TCP's SYN without ACK.
    pub is_request: bool,
}

impl Upper {
    /// Anything but a request for a connection.
    #[inline(always)]
    const fn no_request(slot: Slot) -> Self {
        Self { slot, is_request: false }
    }

    /// Nothing that could be read.
    #[inline(always)]
    pub const fn malformed(reason: Malformed) -> Self {
        Self::no_request(Slot::malformed(reason))
    }
}

/// Where the upper layer lies within the frame.
pub(super) struct Payload {
    pub protocol: u8,
    /// Offset of its first byte.
    pub at: usize,
    /// Offset behind its last byte, by the IP header; never behind the frame's end.
    pub end: usize,
    /// Offset of the header that says so if this is a fragment; else 0.
    pub fragment: usize,
    /// More fragments follow, so the datagram is longer than this packet.
    pub more_fragments: bool,
    /// A fragment other than the first.
    pub later_fragment: bool,
    /// 4 or 6.
    pub version: u8,
}

#[inline(always)]
pub(super) fn upper<R: Read + ?Sized>(frame: &R, payload: &Payload) -> Upper {
    if payload.later_fragment {
        return Upper::no_request(Slot::fragment(payload.protocol));
    }
    match payload.protocol {
        protocol::TCP => tcp(frame, payload),
        protocol::UDP => udp(frame, payload),
        protocol::ICMP if payload.version == 4 => match icmp(frame, payload) {
            Some(header) => Upper::no_request(Slot::icmp(header.kind, header.code)),
            None => Upper::malformed(Malformed::IcmpTruncated),
        },
        protocol::ICMPV6 if payload.version == 6 => match icmp(frame, payload) {
            Some(header) => Upper::no_request(Slot::icmpv6(header.kind, header.code)),
            None => Upper::malformed(Malformed::Icmpv6Truncated),
        },
        other if payload.version == 6 => Upper::no_request(Slot::protocol_v6(other)),
        other => Upper::no_request(Slot::protocol_v4(other)),
    }
}

/// TCP header (RFC 9293 §3.1). One that a fragment cuts short is broken too: RFC 1858 and RFC 7112 ask for
/// whole headers in the first fragment.
#[inline(always)]
fn tcp<R: Read + ?Sized>(frame: &R, payload: &Payload) -> Upper {
    let Some(header) = frame.read::<Tcp>(payload.at) else {
        return Upper::malformed(Malformed::TcpTruncated);
    };
    let length = header.header_length();
    if length < size_of::<Tcp>() || payload.at + length > payload.end {
        // What was read may be padding behind the packet. Asked here, that costs only what is broken.
        let is_whole = payload.at + size_of::<Tcp>() <= payload.end;
        return Upper::malformed(if is_whole { Malformed::TcpDataOffset } else { Malformed::TcpTruncated });
    }
    Upper { slot: Slot::tcp(header.destination.get()), is_request: TcpFlags(header.flags).is_request() }
}

/// UDP header (RFC 768).
#[inline(always)]
fn udp<R: Read + ?Sized>(frame: &R, payload: &Payload) -> Upper {
    if payload.at + size_of::<Udp>() > payload.end {
        return Upper::malformed(Malformed::UdpTruncated);
    }
    let Some(header) = frame.read::<Udp>(payload.at) else {
        return Upper::malformed(Malformed::UdpTruncated);
    };
    let length = header.length();
    let beyond = payload.at + length > payload.end && !payload.more_fragments;
    if length < size_of::<Udp>() || beyond {
        return Upper::malformed(Malformed::UdpLength);
    }
    Upper::no_request(Slot::udp(header.destination.get()))
}

#[inline(always)]
fn icmp<R: Read + ?Sized>(frame: &R, payload: &Payload) -> Option<Icmp> {
    if payload.at + size_of::<Icmp>() > payload.end {
        return None;
    }
    frame.read::<Icmp>(payload.at)
}
