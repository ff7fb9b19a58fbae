//! A packet as others may see it: without the sensor's address, and without what it can be told from.
//!
//! What is kept is a list of fields, and everything else is zero: tools compute more from the address that they probe than
//! anybody knows. Of those known: checksums of IP, TCP, UDP and ICMP; TCP's sequence number (Mirai writes the address there,
//! others a hash of it), acknowledgment and timestamps; the IP identification (masscan, unicornscan); IPv6's flow label, which
//! Linux makes of both addresses; ICMP's identifier and sequence number. Payload goes too: scanners of SIP write the address
//! they probe into it, as text and as hexadecimal digits, and an ICMP error quotes it. So do IP options and extension
//! headers, which may list addresses, and Ethernet addresses, which name the sensor's interface and its router's.

use std::net::IpAddr;

use sensor_common::layout::SlotKind;
use sensor_common::parse::{ETHERNET_LENGTH, Packet, VLAN_TAG_LENGTH};

use crate::evidence::Captured;

/// The first bytes of a frame of this length, up to the end of its headers.
#[must_use]
pub fn conceal(frame: &[u8], length: u32) -> Vec<u8> {
    let captured = Captured::new(frame, length);
    let mut kept = Kept { from: frame, to: vec![0; frame.len()], end: 0 };
    let Some(packet) = captured.packet() else { return Vec::new() };
    for at in (ETHERNET_LENGTH - 2..packet.network).step_by(VLAN_TAG_LENGTH) {
        // The EtherType, of the frame and of what each tag has behind it.
        kept.keep(at, 2);
    }
    if packet.is_ipv6() {
        kept.ipv6(&packet);
    } else {
        kept.ipv4(&packet);
    }
    kept.upper(&packet);
    let Kept { mut to, end, .. } = kept;
    to.truncate(end);
    if let Some((_, destination)) = captured.addresses() {
        blot_out(&mut to, destination);
    }
    to
}

/// What is kept so far of a frame.
struct Kept<'a> {
    from: &'a [u8],
    to: Vec<u8>,
    /// The end of the headers that something is kept of.
    end: usize,
}

impl Kept<'_> {
    /// Keeps so many bytes from there on, as far as there are any.
    fn keep(&mut self, at: usize, length: usize) {
        self.keep_masked(at, &[u8::MAX; 16][..length]);
    }

    /// Keeps these bits.
    fn keep_masked(&mut self, at: usize, mask: &[u8]) {
        self.reach(at + mask.len());
        let places = self.from.iter().zip(&mut self.to).skip(at);
        for ((from, to), mask) in places.zip(mask) {
            *to = from & mask;
        }
    }

    /// The headers reach to there, whatever of them is zero.
    fn reach(&mut self, end: usize) {
        self.end = self.end.max(end.min(self.from.len()));
    }

    fn ipv4(&mut self, packet: &Packet) {
        let at = packet.network;
        // Version, length and service; total length.
        self.keep(at, 4);
        // Flags and offset, time to live, protocol.
        self.keep(at + 6, 4);
        self.keep(at + 12, 4);
        self.reach(at + 20);
    }

    fn ipv6(&mut self, packet: &Packet) {
        let at = packet.network;
        // The version and the traffic class, and not the flow label.
        self.keep_masked(at, &[0xff, 0xf0]);
        // Payload length, next header, hop limit.
        self.keep(at + 4, 4);
        self.keep(at + 8, 16);
        self.reach(at + 40);
    }

    /// What is behind the IP headers, where it is known what that is.
    fn upper(&mut self, packet: &Packet) {
        let at = packet.at;
        match sensor_common::layout::Slot::describe(packet.slot.index()) {
            Some(SlotKind::Tcp(_)) => {
                self.keep(at, 4);
                // Data offset, flags, window.
                self.keep(at + 12, 4);
                self.reach(at + 20);
                self.tcp_options(at);
            }
            Some(SlotKind::Udp(_)) => {
                self.keep(at, 6);
                self.reach(at + 8);
            }
            Some(SlotKind::Icmp(..) | SlotKind::Icmpv6(..)) => {
                self.keep(at, 2);
                self.reach(at + 8);
            }
            _ => {}
        }
    }

    /// Which options there are, and what says nothing of addresses: MSS (2) and window scale (3).
    fn tcp_options(&mut self, tcp: usize) {
        const END: u8 = 0;
        const NO_OPERATION: u8 = 1;
        let length = self.from.get(tcp + 12).map_or(0, |offset| usize::from(offset >> 4) * 4);
        let end = (tcp + length).min(self.from.len());
        let mut at = tcp + 20;
        while at < end {
            match self.from[at] {
                END => break,
                NO_OPERATION => {
                    self.keep(at, 1);
                    at += 1;
                }
                kind => {
                    let length = self.from.get(at + 1).map_or(0, |&length| usize::from(length));
                    if length < 2 || at + length > end {
                        break;
                    }
                    self.keep(at, if matches!((kind, length), (2, 4) | (3, 3)) { length } else { 2 });
                    at += length;
                }
            }
        }
        self.reach(end);
    }
}

/// Makes zero of wherever the bytes happen to be the address, forwards or backwards.
fn blot_out(bytes: &mut [u8], address: IpAddr) {
    let forwards = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let backwards: Vec<_> = forwards.iter().rev().copied().collect();
    if forwards.iter().all(|&byte| byte == 0) {
        return;
    }
    // What was made zero may be part of another; each time there are more zeros.
    while let Some(at) = bytes.windows(forwards.len()).position(|it| it == forwards || it == backwards) {
        bytes[at..at + forwards.len()].fill(0);
    }
}

#[cfg(test)]
mod tests;
