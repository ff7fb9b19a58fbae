//! Packets, written the way one speaks of them: `frame().ipv4().tcp(23).syn()`.
//!
//! Everything is right by default, checksums and lengths included; what a test wants wrong it says.

mod assemble;
mod network;
mod transport;

pub use network::Extension;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use network::Network;
use transport::Transport;

/// Where packets go unless told otherwise, IPv4: an address of the tests' first sensor.
pub const SENSOR_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// Where packets go unless told otherwise, IPv6: an address of the tests' first sensor.
pub const SENSOR_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 7);
/// Where packets come from unless told otherwise, IPv4.
pub const SCANNER_V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);
/// Where packets come from unless told otherwise, IPv6.
pub const SCANNER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 0x66);

/// Length of the Ethernet header.
pub const ETHERNET: usize = 14;

/// IP protocol numbers that tests name.
pub mod protocol {
    /// ICMP (RFC 792).
    pub const ICMP: u8 = 1;
    /// TCP (RFC 9293).
    pub const TCP: u8 = 6;
    /// UDP (RFC 768).
    pub const UDP: u8 = 17;
    /// `ICMPv6` (RFC 4443).
    pub const ICMPV6: u8 = 58;
    /// No next header (RFC 8200 §4.7).
    pub const NO_NEXT_HEADER: u8 = 59;
}

/// A packet in the making. [`Frame::bytes`] gives what goes on the wire.
#[derive(Clone, Debug)]
pub struct Frame {
    tags: Vec<(u16, u16)>,
    ether_type: Option<u16>,
    network: Network,
    transport: Transport,
    payload: Vec<u8>,
    /// The IP payload ends here, and the IP header says so.
    ip_payload_limit: Option<usize>,
    padding: usize,
    limit: Option<usize>,
}

/// An Ethernet frame without anything in it.
#[must_use]
pub fn frame() -> Frame {
    Frame {
        tags: Vec::new(),
        ether_type: None,
        network: Network::None,
        transport: Transport::Raw(protocol::NO_NEXT_HEADER),
        payload: Vec::new(),
        ip_payload_limit: None,
        padding: 0,
        limit: None,
    }
}

impl Frame {
    /// Adds an 802.1Q tag inside those already there.
    #[must_use]
    pub fn vlan(self, id: u16) -> Self {
        self.tag(0x8100, id)
    }

    /// Adds an 802.1ad service tag inside those already there.
    #[must_use]
    pub fn service_vlan(self, id: u16) -> Self {
        self.tag(0x88a8, id)
    }

    fn tag(mut self, kind: u16, control: u16) -> Self {
        self.tags.push((kind, control));
        self
    }

    /// Says this `EtherType`, whatever follows.
    #[must_use]
    pub fn ether_type(mut self, ether_type: u16) -> Self {
        self.ether_type = Some(ether_type);
        self
    }

    /// Puts these bytes at the end: behind the transport header, or right behind Ethernet's.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = payload.into();
        self
    }

    /// Ends the IP payload after `length` bytes; the IP header agrees.
    #[must_use]
    pub fn ip_payload(mut self, length: usize) -> Self {
        self.ip_payload_limit = Some(length);
        self
    }

    /// Pads the frame to `length` bytes with what no IP header accounts for, as Ethernet does to 60.
    #[must_use]
    pub fn padded(mut self, length: usize) -> Self {
        self.padding = length;
        self
    }

    /// Cuts the frame off after `length` bytes, whatever its headers say.
    #[must_use]
    pub fn cut(mut self, length: usize) -> Self {
        self.limit = Some(length);
        self
    }

    /// The sender's address.
    ///
    /// # Panics
    /// If the address is of the other family, or the frame not IP.
    #[must_use]
    pub fn from(mut self, address: impl Into<IpAddr>) -> Self {
        match (&mut self.network, address.into()) {
            (Network::V4(header), IpAddr::V4(address)) => header.source = address,
            (Network::V6(header), IpAddr::V6(address)) => header.source = address,
            (_, address) => panic!("{address} does not fit the frame's network header"),
        }
        self
    }

    /// The receiver's address.
    ///
    /// # Panics
    /// If the address is of the other family, or the frame not IP.
    #[must_use]
    pub fn to(mut self, address: impl Into<IpAddr>) -> Self {
        match (&mut self.network, address.into()) {
            (Network::V4(header), IpAddr::V4(address)) => header.destination = address,
            (Network::V6(header), IpAddr::V6(address)) => header.destination = address,
            (_, address) => panic!("{address} does not fit the frame's network header"),
        }
        self
    }
}
