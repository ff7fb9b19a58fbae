//! The one table of packets: what each is, its bytes, and what must become of it.
//!
//! It is fed to the host build of the parser, to the loaded program through `BPF_PROG_TEST_RUN`, and over
//! a real veth pair. Every kind of packet that the sensor tells apart is here, and every way to be broken.

mod ethernet;
mod ipv4;
mod ipv6;
mod link;
mod malformed;
mod transport;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sensor_common::classify::{Policy, Verdict};
use sensor_common::layout::{Passed, Slot};
use sensor_common::parse::{Address, Sensors};

use crate::frame::Frame;

/// The sensors that the table's verdicts are about, as the agent's configuration: two, IPv4 and IPv6 each.
pub const TWO_SENSORS: &str = r#"
[[sensor]]
name = "first"
region = "here"
prefixes = ["198.51.100.7/32", "2001:db8:7::/64"]

[[sensor]]
name = "second"
prefixes = ["198.51.100.128/25", "2001:db8:8::/48"]
"#;

/// An address of the second sensor, IPv4.
pub const SECOND_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 200);
/// An address of the second sensor, IPv6.
pub const SECOND_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 8, 0xffff, 0, 0, 0, 1);
/// An address that no sensor monitors, IPv4: next to the first sensor's.
pub const ELSEWHERE_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 8);
/// An address that no sensor monitors, IPv6: next to the first sensor's.
pub const ELSEWHERE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 7, 1, 0, 0, 0, 7);

/// One packet and what must become of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What the packet is, in snake case.
    pub name: &'static str,
    /// The bytes on the wire.
    pub frame: Vec<u8>,
    /// With [`TWO_SENSORS`].
    pub with_two_sensors: Verdict,
    /// With a single sensor that monitors everything.
    pub with_everything: Verdict,
}

/// The table.
#[must_use]
pub fn table() -> Vec<Case> {
    [ethernet::cases(), ipv4::cases(), ipv6::cases(), transport::cases(), link::cases(), malformed::cases()]
        .concat()
}

/// A packet to the first sensor.
fn counted(name: &'static str, frame: Frame, slot: Slot) -> Case {
    case(name, frame, count(0, slot), count(0, slot))
}

/// A packet to the second sensor.
fn counted_by_second(name: &'static str, frame: Frame, slot: Slot) -> Case {
    case(name, frame, count(1, slot), count(0, slot))
}

/// A packet to no sensor's address; it has a slot where everything is monitored.
fn elsewhere(name: &'static str, frame: Frame, slot: Slot) -> Case {
    case(name, frame, Verdict::Pass(Passed::NotMonitored), count(0, slot))
}

/// A packet that passes whatever is monitored.
fn passed(name: &'static str, frame: Frame, reason: Passed) -> Case {
    case(name, frame, Verdict::Pass(reason), Verdict::Pass(reason))
}

fn case(name: &'static str, frame: Frame, with_two_sensors: Verdict, with_everything: Verdict) -> Case {
    Case { name, frame: frame.bytes(), with_two_sensors, with_everything }
}

fn count(sensor: u32, slot: Slot) -> Verdict {
    Verdict::Count { sensor, slot }
}

/// [`TWO_SENSORS`], for the host build of the classifier.
#[derive(Clone, Copy, Debug)]
pub struct TwoSensors;

impl Sensors for TwoSensors {
    fn sensor(&self, destination: Address) -> Option<u32> {
        match destination.ip() {
            IpAddr::V4(destination) => match destination.octets() {
                [198, 51, 100, 7] => Some(0),
                [198, 51, 100, 128..=255] => Some(1),
                _ => None,
            },
            IpAddr::V6(destination) => match destination.octets() {
                [0x20, 0x01, 0x0d, 0xb8, 0, 7, 0, 0, ..] => Some(0),
                [0x20, 0x01, 0x0d, 0xb8, 0, 8, ..] => Some(1),
                _ => None,
            },
        }
    }
}

/// What a host without rules monitors, for the host build of the classifier.
#[derive(Clone, Copy, Debug)]
pub struct WithoutRules<S>(pub S);

impl<S: Sensors> Sensors for WithoutRules<S> {
    fn sensor(&self, destination: Address) -> Option<u32> {
        self.0.sensor(destination)
    }
}

impl<S: Sensors> Policy for WithoutRules<S> {
    fn is_named(&self, _service: Slot) -> bool {
        false
    }

    fn is_allowed(&self, _source: Address, _service: Slot) -> bool {
        false
    }
}
