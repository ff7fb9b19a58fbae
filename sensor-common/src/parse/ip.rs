//! IPv4 and IPv6, down to where the upper layer starts.

use super::header::{Extension, Ipv4, Ipv6, octets4, octets6};
use super::upper::{Payload, protocol};
use super::{Packet, Read};
use crate::layout::Malformed;

/// Source and destination of a packet, in network order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// IPv4.
    V4 {
        /// Source address.
        source: [u8; 4],
        /// Destination address.
        destination: [u8; 4],
    },
    /// IPv6.
    V6 {
        /// Source address.
        source: [u8; 16],
        /// Destination address.
        destination: [u8; 16],
    },
}

/// IPv6 extension headers that are followed. RFC 8200 §4.1 knows seven in a sensible order; a packet with
/// more than eight is malformed.
pub const MAX_EXTENSIONS: usize = 8;

/// IPv4 header, options included (RFC 791 §3.1).
#[inline(always)]
pub(super) fn ipv4<R: Read + ?Sized>(frame: &R, at: usize) -> Packet {
    let Some(header) = frame.read::<Ipv4>(at) else {
        return Packet::unreadable(Malformed::Ipv4Truncated);
    };
    if header.version() != 4 {
        return Packet::unreadable(Malformed::Ipv4Version);
    }
    Packet {
        addresses: Some(Addresses::V4 {
            source: octets4(header.source),
            destination: octets4(header.destination),
        }),
        hop_limit: header.time_to_live,
        ..Packet::carrying(frame, at, ipv4_payload(frame, at, &header))
    }
}

#[inline(always)]
fn ipv4_payload<R: Read + ?Sized>(frame: &R, at: usize, header: &Ipv4) -> Result<Payload, Malformed> {
    let header_length = header.header_length();
    if header_length < size_of::<Ipv4>() || header_length > header.total_length() {
        return Err(Malformed::Ipv4HeaderLength);
    }
    let end = at + header.total_length();
    if end > frame.length() {
        return Err(Malformed::Ipv4TotalLength);
    }
    Ok(Payload {
        protocol: header.protocol,
        at: at + header_length,
        end,
        fragment: if header.is_fragment() { at } else { 0 },
        more_fragments: header.more_fragments(),
        later_fragment: header.fragment_offset() != 0,
        ipv6: false,
    })
}

/// IPv6 header and extension headers (RFC 8200 §3, §4).
#[inline(always)]
pub(super) fn ipv6<R: Read + ?Sized>(frame: &R, at: usize) -> Packet {
    let Some(header) = frame.read::<Ipv6>(at) else {
        return Packet::unreadable(Malformed::Ipv6Truncated);
    };
    if header.version() != 6 {
        return Packet::unreadable(Malformed::Ipv6Version);
    }
    Packet {
        addresses: Some(Addresses::V6 {
            source: octets6(header.source),
            destination: octets6(header.destination),
        }),
        hop_limit: header.hop_limit,
        ..Packet::carrying(frame, at, ipv6_payload(frame, at, &header))
    }
}

#[inline(always)]
fn ipv6_payload<R: Read + ?Sized>(frame: &R, at: usize, header: &Ipv6) -> Result<Payload, Malformed> {
    let start = at + size_of::<Ipv6>();
    let mut payload = Payload {
        protocol: header.next_header,
        at: start,
        end: start + header.payload_length(),
        fragment: 0,
        more_fragments: false,
        later_fragment: false,
        ipv6: true,
    };
    if payload.end > frame.length() {
        return Err(Malformed::Ipv6PayloadLength);
    }
    for _ in 0..MAX_EXTENSIONS {
        if !is_extension(payload.protocol) {
            return Ok(payload);
        }
        extension(frame, &mut payload)?;
        // What follows in a later fragment is data of the middle of the datagram, not a header.
        if payload.later_fragment {
            return Ok(payload);
        }
    }
    if is_extension(payload.protocol) {
        return Err(Malformed::Ipv6ExtensionDepth);
    }
    Ok(payload)
}

#[inline(always)]
const fn is_extension(protocol: u8) -> bool {
    matches!(
        protocol,
        protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::FRAGMENT
            | protocol::AUTHENTICATION
            | protocol::DESTINATION_OPTIONS
    )
}

/// Steps over the extension header that `payload` starts with.
#[inline(always)]
fn extension<R: Read + ?Sized>(frame: &R, payload: &mut Payload) -> Result<(), Malformed> {
    let at = payload.at;
    let Some(header) = frame.read::<Extension>(at) else {
        return Err(Malformed::Ipv6ExtensionTruncated);
    };
    let length = match payload.protocol {
        protocol::FRAGMENT => {
            if header.is_fragment() {
                payload.fragment = at;
            }
            payload.more_fragments = header.more_fragments();
            payload.later_fragment = header.fragment_offset() != 0;
            size_of::<Extension>()
        }
        protocol::AUTHENTICATION => header.authentication_byte_length(),
        _ => header.byte_length(),
    };
    if at + length > payload.end {
        return Err(Malformed::Ipv6ExtensionTruncated);
    }
    payload.protocol = header.next_header;
    payload.at = frame.blurred(at + length);
    Ok(())
}
