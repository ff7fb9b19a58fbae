//! A [`Frame`] as bytes.
//!
//! From the inside out: transport, network, Ethernet, so that each header can tell the length of what
//! it carries.

use super::network::{Network, V4, V6};
use super::transport::{Tcp, Transport, Udp};
use super::{ETHERNET, Frame, protocol};

const DESTINATION_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
const SOURCE_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 2];

impl Frame {
    /// What goes on the wire: from the Ethernet header on, without the frame check sequence.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        let (ether_type, packet) = match &self.network {
            Network::None => (0, self.payload.clone()),
            Network::V4(header) => (0x0800, self.ipv4_packet(header)),
            Network::V6(header) => (0x86dd, self.ipv6_packet(header)),
        };
        let mut bytes = Vec::with_capacity(ETHERNET + packet.len() + 8);
        bytes.extend(DESTINATION_MAC);
        bytes.extend(SOURCE_MAC);
        for (kind, control) in &self.tags {
            bytes.extend(kind.to_be_bytes());
            bytes.extend(control.to_be_bytes());
        }
        bytes.extend(self.ether_type.unwrap_or(ether_type).to_be_bytes());
        bytes.extend(packet);
        if bytes.len() < self.padding {
            bytes.resize(self.padding, 0);
        }
        bytes.truncate(self.limit.unwrap_or(usize::MAX));
        bytes
    }

    fn ipv4_packet(&self, header: &V4) -> Vec<u8> {
        let mut pseudo = Vec::from(header.source.octets());
        pseudo.extend(header.destination.octets());
        // A fragment's checksum is over the whole datagram, which is not here: what stands there is noise.
        let (number, payload) = self.segment(&pseudo);

        let words = 5 + header.options.len() / 4;
        let length = words * 4 + payload.len();
        let (offset, more) = header.fragment;
        let flags = u16::from(header.dont_fragment) << 14 | u16::from(more) << 13;
        let mut bytes = vec![header.version << 4 | header.header_words.unwrap_or(low_byte(words)) & 15, 0];
        bytes.extend(header.total_length.unwrap_or(low_half(length)).to_be_bytes());
        bytes.extend(header.id.to_be_bytes());
        bytes.extend((flags | offset).to_be_bytes());
        bytes.extend([header.ttl, number, 0, 0]);
        bytes.extend(header.source.octets());
        bytes.extend(header.destination.octets());
        bytes.extend(&header.options);
        let sum = checksum(&[&bytes]);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    fn ipv6_packet(&self, header: &V6) -> Vec<u8> {
        let mut pseudo = Vec::from(header.source.octets());
        pseudo.extend(header.destination.octets());
        let (number, segment) = self.segment(&pseudo);

        // Each header names its successor.
        let kinds: Vec<u8> = header.extensions.iter().map(|it| it.kind).chain([number]).collect();
        let mut payload = Vec::new();
        for (extension, next) in header.extensions.iter().zip(&kinds[1..]) {
            payload.push(*next);
            payload.extend(&extension.body);
        }
        payload.extend(segment);

        let mut bytes = vec![header.version << 4, 0, 0, 0];
        bytes.extend(header.payload_length.unwrap_or(low_half(payload.len())).to_be_bytes());
        bytes.extend([kinds[0], header.hop_limit]);
        bytes.extend(header.source.octets());
        bytes.extend(header.destination.octets());
        bytes.extend(payload);
        bytes
    }

    /// The protocol's number, and its header with the payload; `addresses` are the pseudo-header's.
    fn segment(&self, addresses: &[u8]) -> (u8, Vec<u8>) {
        let (number, mut bytes, checksum_at) = match &self.transport {
            Transport::Raw(number) => (*number, Vec::new(), None),
            Transport::Tcp(header) => (protocol::TCP, tcp(header), Some(16)),
            Transport::Udp(header) => (protocol::UDP, udp(header, self.payload.len()), Some(6)),
            Transport::Icmp(kind, code, rest) => (protocol::ICMP, icmp(*kind, *code, *rest), Some(2)),
            Transport::Icmpv6(kind, code, rest) => (protocol::ICMPV6, icmp(*kind, *code, *rest), Some(2)),
        };
        bytes.extend(&self.payload);
        if let Some(at) = checksum_at {
            let mut pseudo = addresses.to_vec();
            pseudo.extend([0, number]);
            pseudo.extend(low_half(bytes.len()).to_be_bytes());
            let sum = match number {
                protocol::ICMP => checksum(&[&bytes]),
                _ => checksum(&[&pseudo, &bytes]),
            };
            bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        bytes.truncate(self.ip_payload_limit.unwrap_or(usize::MAX));
        (number, bytes)
    }
}

fn tcp(header: &Tcp) -> Vec<u8> {
    let words = header.header_words.unwrap_or(low_byte(5 + header.options.len() / 4));
    let mut bytes = Vec::from(header.source.to_be_bytes());
    bytes.extend(header.destination.to_be_bytes());
    bytes.extend(header.sequence.to_be_bytes());
    bytes.extend(header.acknowledgement.to_be_bytes());
    bytes.extend([words << 4, header.flags]);
    bytes.extend(header.window.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(&header.options);
    bytes
}

fn udp(header: &Udp, payload: usize) -> Vec<u8> {
    let mut bytes = Vec::from(header.source.to_be_bytes());
    bytes.extend(header.destination.to_be_bytes());
    bytes.extend(header.length.unwrap_or(low_half(8 + payload)).to_be_bytes());
    bytes.extend([0; 2]);
    bytes
}

fn icmp(kind: u8, code: u8, rest: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend(rest);
    bytes
}

/// The Internet checksum (RFC 1071) over parts of which all but the last have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let sum: u32 = parts
        .iter()
        .flat_map(|part| part.chunks(2))
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)))
        .sum();
    let folded = (sum >> 16) + (sum & 0xffff);
    !low_half((folded >> 16) as usize + (folded & 0xffff) as usize)
}

#[expect(clippy::cast_possible_truncation, reason = "a frame too long for its length field lies, as asked")]
fn low_half(value: usize) -> u16 {
    value as u16
}

#[expect(clippy::cast_possible_truncation, reason = "a header too long for its length field lies, as asked")]
fn low_byte(value: usize) -> u8 {
    value as u8
}
