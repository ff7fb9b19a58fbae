//! TCP, UDP, ICMP and ICMPv6: ports, flags, types; every other protocol by its number.

use super::Read;
use super::header::{Icmp, Tcp, Udp};
use crate::layout::Malformed;

/// IP protocol numbers that the parser tells apart (IANA "Assigned Internet Protocol Numbers").
pub mod protocol {
    /// IPv6 hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// ICMP.
    pub const ICMP: u8 = 1;
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
}

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upper {
    /// A TCP segment.
    Tcp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
        /// Control bits.
        flags: TcpFlags,
    },
    /// A UDP datagram.
    Udp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
    },
    /// An ICMP message over IPv4.
    Icmp {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
    /// An ICMPv6 message over IPv6.
    Icmpv6 {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
    /// Another protocol over IPv4; ICMPv6 over IPv4 is one.
    ProtocolV4(u8),
    /// Another protocol over IPv6; ICMP over IPv6 is one.
    ProtocolV6(u8),
    /// A fragment other than the first, of this protocol.
    Fragment(u8),
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
    pub ipv6: bool,
}

#[inline(always)]
pub(super) fn upper<R: Read + ?Sized>(frame: &R, payload: &Payload) -> Result<Upper, Malformed> {
    if payload.later_fragment {
        return Ok(Upper::Fragment(payload.protocol));
    }
    match payload.protocol {
        protocol::TCP => tcp(frame, payload),
        protocol::UDP => udp(frame, payload),
        protocol::ICMP if !payload.ipv6 => {
            let header = icmp(frame, payload).ok_or(Malformed::IcmpTruncated)?;
            Ok(Upper::Icmp { kind: header.kind, code: header.code })
        }
        protocol::ICMPV6 if payload.ipv6 => {
            let header = icmp(frame, payload).ok_or(Malformed::Icmpv6Truncated)?;
            Ok(Upper::Icmpv6 { kind: header.kind, code: header.code })
        }
        other if payload.ipv6 => Ok(Upper::ProtocolV6(other)),
        other => Ok(Upper::ProtocolV4(other)),
    }
}

/// TCP header (RFC 9293 §3.1). One that a fragment cuts short is broken too: RFC 1858 and RFC 7112 ask for
/// whole headers in the first fragment.
#[inline(always)]
fn tcp<R: Read + ?Sized>(frame: &R, payload: &Payload) -> Result<Upper, Malformed> {
    if payload.at + size_of::<Tcp>() > payload.end {
        return Err(Malformed::TcpTruncated);
    }
    let header = frame.read::<Tcp>(payload.at).ok_or(Malformed::TcpTruncated)?;
    let length = header.header_length();
    if length < size_of::<Tcp>() || payload.at + length > payload.end {
        return Err(Malformed::TcpDataOffset);
    }
    Ok(Upper::Tcp {
        source: header.source.get(),
        destination: header.destination.get(),
        flags: TcpFlags(header.flags),
    })
}

/// UDP header (RFC 768).
#[inline(always)]
fn udp<R: Read + ?Sized>(frame: &R, payload: &Payload) -> Result<Upper, Malformed> {
    if payload.at + size_of::<Udp>() > payload.end {
        return Err(Malformed::UdpTruncated);
    }
    let header = frame.read::<Udp>(payload.at).ok_or(Malformed::UdpTruncated)?;
    let length = header.length();
    let beyond = payload.at + length > payload.end && !payload.more_fragments;
    if length < size_of::<Udp>() || beyond {
        return Err(Malformed::UdpLength);
    }
    Ok(Upper::Udp { source: header.source.get(), destination: header.destination.get() })
}

#[inline(always)]
fn icmp<R: Read + ?Sized>(frame: &R, payload: &Payload) -> Option<Icmp> {
    if payload.at + size_of::<Icmp>() > payload.end {
        return None;
    }
    frame.read::<Icmp>(payload.at)
}
