//! Who is there: the sensor's host, those it speaks to, an administrator, and the steps that a test tells.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sensor_common::classify::{Policy, Verdict};
use sensor_common::layout::{Passed, Slot};
use sensor_common::parse::{Address, Sensors};
use sensor_harness::frame::{ETHERNET, Frame, SENSOR_V4, SENSOR_V6, frame};

/// One sensor, and an administrator who may reach SSH, SNMP and ping.
pub const RULES: &str = r#"
[[sensor]]
name = "a"
prefixes = ["198.51.100.7/32", "2001:db8:7::/64"]

[[allow]]
from = ["203.0.113.0/24", "2001:db8:bad::/48"]
tcp = [22]
udp = [161]
icmp_echo = true
"#;

/// [`RULES`], for the host build of the classifier.
pub struct Rules;

impl Sensors for Rules {
    fn sensor(&self, destination: Address) -> Option<u32> {
        let monitored = match destination.ip() {
            IpAddr::V4(destination) => destination == SENSOR_V4,
            IpAddr::V6(destination) => destination.octets()[..8] == SENSOR_V6.octets()[..8],
        };
        monitored.then_some(0)
    }
}

impl Policy for Rules {
    fn is_named(&self, service: Slot) -> bool {
        [Slot::tcp(22), Slot::udp(161), Slot::ECHO_REQUEST, Slot::ECHO_REQUEST_V6].contains(&service)
    }

    fn is_allowed(&self, source: Address, _service: Slot) -> bool {
        match source.ip() {
            IpAddr::V4(source) => source.octets()[..3] == [203, 0, 113],
            IpAddr::V6(source) => source.octets()[..6] == [0x20, 1, 0xd, 0xb8, 0xb, 0xad],
        }
    }
}

/// A port of the host that only one case uses.
pub const PORT: u16 = 40_001;

/// The other side of a conversation: nobody whom a rule names.
#[derive(Clone, Copy, Debug)]
pub enum Peer {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

pub const V4: Peer = Peer::V4(Ipv4Addr::new(192, 0, 2, 53));
pub const V6: Peer = Peer::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0, 0, 0, 0, 1));
/// One bit away from the others.
pub const NEXT_V4: Peer = Peer::V4(Ipv4Addr::new(192, 0, 2, 52));
pub const NEXT_V6: Peer = Peer::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0, 0, 0, 0, 0));
/// The administrator.
pub const ADMINISTRATOR_V4: Peer = Peer::V4(Ipv4Addr::new(203, 0, 113, 66));
pub const ADMINISTRATOR_V6: Peer = Peer::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 0x66));

/// A frame that the host sends.
pub fn to(peer: Peer) -> Frame {
    match peer {
        Peer::V4(address) => frame().ipv4().from(SENSOR_V4).to(address),
        Peer::V6(address) => frame().ipv6().from(SENSOR_V6).to(address),
    }
}

/// A frame that arrives.
pub fn from(peer: Peer) -> Frame {
    match peer {
        Peer::V4(address) => frame().ipv4().from(address),
        Peer::V6(address) => frame().ipv6().from(address),
    }
}

/// An ICMP error from a router about a frame that the host has sent, as it quotes `length` bytes of it.
pub fn error(peer: Peer, kind: u8, code: u8, about: Frame, length: usize) -> Frame {
    let bytes = about.bytes();
    let quoted = bytes[ETHERNET..].iter().copied().take(length).collect::<Vec<_>>();
    match peer {
        Peer::V4(_) => frame().ipv4().from(Ipv4Addr::new(10, 9, 9, 9)).icmp(kind, code),
        Peer::V6(_) => frame().ipv6().from(Ipv6Addr::new(0x2001, 0xdb8, 9, 9, 0, 0, 0, 9)).icmpv6(kind, code),
    }
    .payload(quoted)
}

/// What the host sends and what arrives, in order.
pub enum Step {
    Sent(Frame),
    Arrives(Frame, Verdict),
}

pub fn sent(frame: Frame) -> Step {
    Step::Sent(frame)
}

pub fn reply(frame: Frame) -> Step {
    Step::Arrives(frame, Verdict::Pass(Passed::Reply))
}

pub fn management(frame: Frame) -> Step {
    Step::Arrives(frame, Verdict::Pass(Passed::Management))
}

pub fn counted(frame: Frame, slot: Slot) -> Step {
    Step::Arrives(frame, Verdict::Count { sensor: 0, slot })
}
