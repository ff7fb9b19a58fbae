//! IPv4 and IPv6, down to where the upper layer starts.

use super::header::{Extension, Ipv4, Ipv6};
use super::upper::{Payload, Upper, protocol, upper};
use super::{Frame, Packet, Pair, Read, Sensors};
use crate::layout::{Malformed, Slot};

/// IPv6 extension headers that are followed. RFC 8200 §4.1 knows seven in a sensible order; a packet with
/// more than eight is malformed.
pub const MAX_EXTENSIONS: usize = 8;

/// IPv4 header, options included (RFC 791 §3.1).
#[inline(always)]
pub(super) fn ipv4<R: Read + ?Sized, S: Sensors>(frame: &R, at: usize, sensors: &S) -> Frame {
    let Some(header) = frame.read::<Ipv4>(at) else {
        return unreadable(Malformed::Ipv4Truncated);
    };
    if header.version() != 4 {
        return unreadable(Malformed::Ipv4Version);
    }
    let Some(sensor) = sensors.sensor(Pair::v4(&header).destination()) else {
        return Frame::Elsewhere;
    };
    // Also where the packet turns out to be broken: a value for each way would have to be kept on all of them.
    let payload = Payload {
        protocol: header.protocol,
        at: at + header.header_length(),
        end: at + header.total_length(),
        fragment: if header.is_fragment() { at } else { 0 },
        more_fragments: header.more_fragments(),
        later_fragment: header.is_fragment() && header.fragment_offset() != 0,
        version: 4,
    };
    let upper = if payload.at < at + size_of::<Ipv4>() || payload.at > payload.end {
        Upper::malformed(Malformed::Ipv4HeaderLength)
    } else if payload.end > frame.length() {
        Upper::malformed(Malformed::Ipv4TotalLength)
    } else {
        upper(frame, &payload)
    };
    Frame::Ip(packet(sensor, at, &payload, upper))
}

/// IPv6 header and extension headers (RFC 8200 §3, §4).
#[inline(always)]
pub(super) fn ipv6<R: Read + ?Sized, S: Sensors>(frame: &R, at: usize, sensors: &S) -> Frame {
    let Some(header) = frame.read::<Ipv6>(at) else {
        return unreadable(Malformed::Ipv6Truncated);
    };
    if header.version() != 6 {
        return unreadable(Malformed::Ipv6Version);
    }
    let Some(sensor) = sensors.sensor(Pair::v6(&header).destination()) else {
        return Frame::Elsewhere;
    };
    let start = at + size_of::<Ipv6>();
    let mut payload = Payload {
        protocol: header.next_header,
        at: start,
        end: start + header.payload_length(),
        fragment: 0,
        more_fragments: false,
        later_fragment: false,
        version: 6,
    };
    let upper = match extensions(frame, &mut payload) {
        Err(reason) => Upper::malformed(reason),
        Ok(()) => upper(frame, &payload),
    };
    Frame::Ip(packet(sensor, at, &payload, upper))
}

#[inline(always)]
const fn unreadable(reason: Malformed) -> Frame {
    Frame::Unreadable(Slot::malformed(reason))
}

#[inline(always)]
const fn packet(sensor: u32, network: usize, payload: &Payload, upper: Upper) -> Packet {
    let (Upper { slot, is_request }, &Payload { version, fragment, at, end, .. }) = (upper, payload);
    Packet { sensor, version, slot, is_request, network, fragment, at, end }
}

/// Steps over all extension headers that `payload` starts with.
#[inline(always)]
fn extensions<R: Read + ?Sized>(frame: &R, payload: &mut Payload) -> Result<(), Malformed> {
    if payload.end > frame.length() {
        return Err(Malformed::Ipv6PayloadLength);
    }
    for _ in 0..MAX_EXTENSIONS {
        // What follows in a later fragment is data of the middle of the datagram, not a header.
        if payload.later_fragment || !is_extension(payload.protocol) {
            return Ok(());
        }
        extension(frame, payload)?;
    }
    if is_extension(payload.protocol) && !payload.later_fragment {
        return Err(Malformed::Ipv6ExtensionDepth);
    }
    Ok(())
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
