//! The transport headers of a [`Frame`].

use super::Frame;

/// The header behind the IP headers.
#[derive(Clone, Debug)]
pub(super) enum Transport {
    /// None: the payload follows, called by this protocol number.
    Raw(u8),
    Tcp(Tcp),
    Udp(Udp),
    /// Type, code, and the four bytes behind the checksum.
    Icmp(u8, u8, [u8; 4]),
    Icmpv6(u8, u8, [u8; 4]),
}

/// A TCP header (RFC 9293 §3.1).
#[derive(Clone, Debug)]
pub(super) struct Tcp {
    pub source: u16,
    pub destination: u16,
    pub sequence: u32,
    pub acknowledgement: u32,
    pub flags: u8,
    pub window: u16,
    pub options: Vec<u8>,
    pub header_words: Option<u8>,
}

/// A UDP header (RFC 768).
#[derive(Clone, Debug)]
pub(super) struct Udp {
    pub source: u16,
    pub destination: u16,
    pub length: Option<u16>,
}

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

impl Frame {
    /// TCP to this port, without flags.
    #[must_use]
    pub fn tcp(mut self, destination: u16) -> Self {
        self.transport = Transport::Tcp(Tcp {
            source: 40_000,
            destination,
            sequence: 0x0102_0304,
            acknowledgement: 0,
            flags: 0,
            window: 65_535,
            options: Vec::new(),
            header_words: None,
        });
        self
    }

    /// UDP to this port.
    #[must_use]
    pub fn udp(mut self, destination: u16) -> Self {
        self.transport = Transport::Udp(Udp { source: 40_000, destination, length: None });
        self
    }

    /// An ICMP message (RFC 792).
    #[must_use]
    pub fn icmp(mut self, kind: u8, code: u8) -> Self {
        self.transport = Transport::Icmp(kind, code, [0, 1, 0, 1]);
        self
    }

    /// An `ICMPv6` message (RFC 4443).
    #[must_use]
    pub fn icmpv6(mut self, kind: u8, code: u8) -> Self {
        self.transport = Transport::Icmpv6(kind, code, [0, 1, 0, 1]);
        self
    }

    /// The identifier of an ICMP or `ICMPv6` echo message.
    ///
    /// # Panics
    /// If the frame is neither.
    #[must_use]
    pub fn echo_id(mut self, id: u16) -> Self {
        match &mut self.transport {
            Transport::Icmp(_, _, rest) | Transport::Icmpv6(_, _, rest) => {
                rest[..2].copy_from_slice(&id.to_be_bytes());
            }
            other => panic!("not an ICMP frame: {other:?}"),
        }
        self
    }

    /// Any protocol, its header and body given as the payload.
    #[must_use]
    pub fn protocol(mut self, number: u8) -> Self {
        self.transport = Transport::Raw(number);
        self
    }

    fn tcp_header(&mut self) -> &mut Tcp {
        match &mut self.transport {
            Transport::Tcp(header) => header,
            other => panic!("not a TCP frame: {other:?}"),
        }
    }

    fn flags(mut self, flags: u8) -> Self {
        self.tcp_header().flags = flags;
        self
    }

    /// A connection request.
    #[must_use]
    pub fn syn(self) -> Self {
        self.flags(SYN)
    }

    /// The answer to a connection request: from a stranger, backscatter.
    #[must_use]
    pub fn syn_ack(self) -> Self {
        self.flags(SYN | ACK)
    }

    /// A reset.
    #[must_use]
    pub fn rst(self) -> Self {
        self.flags(RST | ACK)
    }

    /// The sender's last segment.
    #[must_use]
    pub fn fin(self) -> Self {
        self.flags(FIN | ACK)
    }

    /// A segment of data.
    #[must_use]
    pub fn push(self) -> Self {
        self.flags(PSH | ACK)
    }

    /// FIN, URG and PSH at once: what port scanners call Christmas.
    #[must_use]
    pub fn christmas(self) -> Self {
        self.flags(FIN | PSH | 0x20)
    }

    /// The sender's port, TCP or UDP.
    ///
    /// # Panics
    /// If the frame has no ports.
    #[must_use]
    pub fn source_port(mut self, port: u16) -> Self {
        match &mut self.transport {
            Transport::Tcp(header) => header.source = port,
            Transport::Udp(header) => header.source = port,
            other => panic!("no ports: {other:?}"),
        }
        self
    }

    /// The TCP sequence number.
    #[must_use]
    pub fn sequence(mut self, number: u32) -> Self {
        self.tcp_header().sequence = number;
        self
    }

    /// The TCP window.
    #[must_use]
    pub fn window(mut self, window: u16) -> Self {
        self.tcp_header().window = window;
        self
    }

    /// TCP options: a whole number of 4-byte words.
    #[must_use]
    pub fn tcp_options(mut self, options: &[u8]) -> Self {
        self.tcp_header().options = options.to_vec();
        self
    }

    /// Claims a TCP header of so many 4-byte words.
    #[must_use]
    pub fn data_offset(mut self, words: u8) -> Self {
        self.tcp_header().header_words = Some(words);
        self
    }

    /// Claims a UDP length.
    ///
    /// # Panics
    /// If the frame is not UDP.
    #[must_use]
    pub fn udp_length(mut self, length: u16) -> Self {
        match &mut self.transport {
            Transport::Udp(header) => header.length = Some(length),
            other => panic!("not a UDP frame: {other:?}"),
        }
        self
    }
}
