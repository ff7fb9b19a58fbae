//! The network headers of a [`Frame`], and the lies they can be made to tell.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Frame, SCANNER_V4, SCANNER_V6, SENSOR_V4, SENSOR_V6};

/// The header behind Ethernet's.
#[derive(Clone, Debug)]
pub(super) enum Network {
    None,
    V4(V4),
    V6(V6),
}

/// An IPv4 header (RFC 791 §3.1).
#[derive(Clone, Debug)]
pub(super) struct V4 {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub ttl: u8,
    pub id: u16,
    pub dont_fragment: bool,
    /// Fragment offset in 8-byte units, and whether more follow.
    pub fragment: (u16, bool),
    pub options: Vec<u8>,
    pub version: u8,
    pub header_words: Option<u8>,
    pub total_length: Option<u16>,
}

/// An IPv6 header (RFC 8200 §3) and its extension headers.
#[derive(Clone, Debug)]
pub(super) struct V6 {
    pub source: Ipv6Addr,
    pub destination: Ipv6Addr,
    pub hop_limit: u8,
    pub extensions: Vec<Extension>,
    pub version: u8,
    pub payload_length: Option<u16>,
}

/// An IPv6 extension header: its number, and the bytes behind its next-header field.
#[derive(Clone, Debug)]
pub struct Extension {
    pub(super) kind: u8,
    pub(super) body: Vec<u8>,
}

impl Extension {
    /// Hop-by-hop options, eight bytes of padding (RFC 8200 §4.3).
    #[must_use]
    pub fn hop_by_hop() -> Self {
        Self::new(0, [0, 1, 4, 0, 0, 0, 0])
    }

    /// A routing header of an unused type without segments left (RFC 8200 §4.4).
    #[must_use]
    pub fn routing() -> Self {
        Self::new(43, [0, 253, 0, 0, 0, 0, 0])
    }

    /// Destination options of `units` more than the least eight bytes (RFC 8200 §4.6).
    #[must_use]
    pub fn destination(units: u8) -> Self {
        // PadN takes at most 257 bytes: one for each eight bytes, so that any length is well-formed.
        let mut body = vec![units, 1, 4, 0, 0, 0, 0];
        for _ in 0..units {
            body.extend([1, 6, 0, 0, 0, 0, 0, 0]);
        }
        Self::new(60, body)
    }

    /// A fragment header: the offset in 8-byte units, and whether more follow (RFC 8200 §4.5).
    #[must_use]
    pub fn fragment(offset: u16, more: bool) -> Self {
        let field = (offset << 3 | u16::from(more)).to_be_bytes();
        Self::new(44, [0, field[0], field[1], 0xde, 0xad, 0xbe, 0xef])
    }

    /// As [`Extension::fragment`], of the datagram with this number.
    #[must_use]
    pub fn fragment_of(id: u32, offset: u16, more: bool) -> Self {
        let mut header = Self::fragment(offset, more);
        header.body[3..].copy_from_slice(&id.to_be_bytes());
        header
    }

    /// An authentication header with a 12-byte check value (RFC 4302 §2); its length counts 4-byte
    /// units, not 8-byte ones.
    #[must_use]
    pub fn authentication() -> Self {
        let mut body = vec![4, 0, 0];
        body.extend([0, 0, 1, 0, 0, 0, 0, 1]);
        body.extend([0x5a; 12]);
        Self::new(51, body)
    }

    /// A header of number `kind` whose bytes, its own length field first, are `body`.
    #[must_use]
    pub fn new(kind: u8, body: impl Into<Vec<u8>>) -> Self {
        Self { kind, body: body.into() }
    }
}

impl Frame {
    /// IPv4, from the scanner to the sensor, TTL 64.
    #[must_use]
    pub fn ipv4(mut self) -> Self {
        self.network = Network::V4(V4 {
            source: SCANNER_V4,
            destination: SENSOR_V4,
            ttl: 64,
            id: 0x1234,
            dont_fragment: false,
            fragment: (0, false),
            options: Vec::new(),
            version: 4,
            header_words: None,
            total_length: None,
        });
        self
    }

    /// IPv6, from the scanner to the sensor, hop limit 64.
    #[must_use]
    pub fn ipv6(mut self) -> Self {
        self.network = Network::V6(V6 {
            source: SCANNER_V6,
            destination: SENSOR_V6,
            hop_limit: 64,
            extensions: Vec::new(),
            version: 6,
            payload_length: None,
        });
        self
    }

    fn v4(&mut self) -> &mut V4 {
        match &mut self.network {
            Network::V4(header) => header,
            other => panic!("not an IPv4 frame: {other:?}"),
        }
    }

    fn v6(&mut self) -> &mut V6 {
        match &mut self.network {
            Network::V6(header) => header,
            other => panic!("not an IPv6 frame: {other:?}"),
        }
    }

    /// The IPv4 time to live, or the IPv6 hop limit.
    ///
    /// # Panics
    /// If the frame is not IP.
    #[must_use]
    pub fn hops(mut self, hops: u8) -> Self {
        match &mut self.network {
            Network::V4(header) => header.ttl = hops,
            Network::V6(header) => header.hop_limit = hops,
            Network::None => panic!("not an IP frame"),
        }
        self
    }

    /// The IPv4 identification.
    #[must_use]
    pub fn ip_id(mut self, id: u16) -> Self {
        self.v4().id = id;
        self
    }

    /// Sets IPv4's don't-fragment flag.
    #[must_use]
    pub fn dont_fragment(mut self) -> Self {
        self.v4().dont_fragment = true;
        self
    }

    /// IPv4 options: a whole number of 4-byte words.
    #[must_use]
    pub fn ip_options(mut self, options: &[u8]) -> Self {
        self.v4().options = options.to_vec();
        self
    }

    /// Makes it an IPv4 fragment: its offset in 8-byte units, and whether more follow. A later fragment
    /// carries no transport header: give it a [`Frame::protocol`] and a payload.
    #[must_use]
    pub fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.v4().fragment = (offset, more);
        self
    }

    /// Claims an IPv4 header of so many 4-byte words.
    #[must_use]
    pub fn header_words(mut self, words: u8) -> Self {
        self.v4().header_words = Some(words);
        self
    }

    /// Claims an IPv4 total length.
    #[must_use]
    pub fn total_length(mut self, length: u16) -> Self {
        self.v4().total_length = Some(length);
        self
    }

    /// Adds an IPv6 extension header behind those already there.
    #[must_use]
    pub fn extension(mut self, extension: Extension) -> Self {
        self.v6().extensions.push(extension);
        self
    }

    /// Claims an IPv6 payload length.
    #[must_use]
    pub fn payload_length(mut self, length: u16) -> Self {
        self.v6().payload_length = Some(length);
        self
    }

    /// Claims an IP version that the `EtherType` does not.
    ///
    /// # Panics
    /// If the frame is not IP.
    #[must_use]
    pub fn version(mut self, version: u8) -> Self {
        match &mut self.network {
            Network::V4(header) => header.version = version,
            Network::V6(header) => header.version = version,
            Network::None => panic!("not an IP frame"),
        }
        self
    }
}
