//! What a row of a ranking is about: a port, or a protocol without ports, as `23/TCP` and `ICMP`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::RangeInclusive;

use sensor_common::layout::{Slot, SlotKind};
use sensor_common::service;

use crate::config::Port;
use crate::counters::names::{self, ICMP, ICMPV6};

/// What packets were sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// A destination port.
    Port(Port),
    /// A protocol that has none, by its number, over IPv4 and IPv6 together.
    Protocol(u8),
}

impl Service {
    /// What a slot counts; `None` of what is no row of a ranking: later fragments, and malformed packets.
    #[must_use]
    pub const fn of(slot: SlotKind) -> Option<Self> {
        match slot {
            SlotKind::Tcp(number) => Some(Self::Port(Port::tcp(number))),
            SlotKind::Udp(number) => Some(Self::Port(Port::udp(number))),
            SlotKind::Icmp(..) => Some(Self::Protocol(ICMP)),
            SlotKind::Icmpv6(..) => Some(Self::Protocol(ICMPV6)),
            SlotKind::ProtocolV4(number) | SlotKind::ProtocolV6(number) => Some(Self::Protocol(number)),
            SlotKind::Fragment(_) | SlotKind::Malformed(_) => None,
        }
    }

    /// What a slot counts that answers call so, as in `23/tcp`, `icmp 8/0` and `gre over ipv4`; `None` as for [`Service::of`].
    #[must_use]
    pub fn named(slot: &str) -> Option<Self> {
        if let Ok(port) = slot.parse() {
            return Some(Self::Port(port));
        }
        let ((protocol @ ("icmp" | "icmpv6"), _) | (protocol, "over ipv4" | "over ipv6")) =
            slot.split_once(' ')?
        else {
            return None;
        };
        (0..=u8::MAX).find(|&number| names::protocol(number) == protocol).map(Self::Protocol)
    }

    /// The port, if it has one.
    #[must_use]
    pub const fn port(self) -> Option<Port> {
        match self {
            Self::Port(port) => Some(port),
            Self::Protocol(_) => None,
        }
    }

    /// What it is called, if it is a port with a name.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        service::name(self.port()?)
    }

    /// The numbers of the slots that count it.
    #[must_use]
    pub fn slots(self) -> Vec<RangeInclusive<u32>> {
        let one = |slot: Slot| slot.index()..=slot.index();
        let all = |first: Slot, next: Slot| first.index()..=next.index() - 1;
        let number = match self {
            Self::Port(port) => return vec![one(port.slot())],
            Self::Protocol(number) => number,
        };
        let mut slots = vec![one(Slot::protocol_v4(number)), one(Slot::protocol_v6(number))];
        match number {
            ICMP => slots.push(all(Slot::icmp(0, 0), Slot::icmpv6(0, 0))),
            ICMPV6 => slots.push(all(Slot::icmpv6(0, 0), Slot::protocol_v4(0))),
            _ => {}
        }
        slots
    }

    /// By which ties in a ranking go: the protocol's name, then the port.
    fn order(self) -> (Cow<'static, str>, u16) {
        match self {
            Self::Port(port) => (names::transport(port.transport).into(), port.number),
            Self::Protocol(number) => (names::protocol(number), 0),
        }
    }
}

impl Ord for Service {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Service {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => {
                write!(f, "{}/{}", port.number, names::transport(port.transport).to_uppercase())
            }
            Self::Protocol(ICMPV6) => f.write_str("ICMPv6"),
            Self::Protocol(number) => f.write_str(&names::protocol(*number).to_uppercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use sensor_common::layout::{Malformed, SENSOR_SLOTS};

    use super::*;

    #[rstest]
    #[case::tcp(SlotKind::Tcp(23), Some("23/TCP"), Some("Telnet"))]
    #[case::udp(SlotKind::Udp(9), Some("9/UDP"), None)]
    #[case::icmp(SlotKind::Icmp(8, 0), Some("ICMP"), None)]
    #[case::icmpv6(SlotKind::Icmpv6(128, 0), Some("ICMPv6"), None)]
    #[case::gre(SlotKind::ProtocolV6(47), Some("GRE"), None)]
    #[case::number(SlotKind::ProtocolV4(250), Some("250"), None)]
    #[case::fragments(SlotKind::Fragment(17), None, None)]
    #[case::malformed(SlotKind::Malformed(Malformed::UdpLength), None, None)]
    fn slots_are_rows_of_rankings(
        #[case] slot: SlotKind,
        #[case] shown: Option<&str>,
        #[case] name: Option<&str>,
    ) {
        let service = Service::of(slot);
        assert_eq!(service.map(|service| service.to_string()).as_deref(), shown);
        assert_eq!(service.and_then(Service::name), name);
    }

    #[test]
    fn a_service_has_the_very_slots_that_are_its_own() {
        for number in 0..SENSOR_SLOTS {
            let Some(service) = Slot::describe(number).and_then(Service::of) else { continue };
            assert!(service.slots().iter().any(|slots| slots.contains(&number)), "{service}: {number}");
        }
        for slot in (0..SENSOR_SLOTS).step_by(7).filter_map(Slot::describe) {
            let name = names::slot_name(slot);
            assert_eq!(Service::named(&name), Service::of(slot), "{name}");
        }
        for service in [Service::Port(Port::tcp(65_535)), Service::Protocol(ICMP), Service::Protocol(47)] {
            for number in service.slots().into_iter().flatten() {
                let of = Slot::describe(number).and_then(Service::of);
                assert!(of.is_none_or(|of| of == service), "{service}: {number}");
            }
        }
    }

    #[test]
    fn ties_go_by_protocol_then_port() {
        let mut services = [
            Service::Port(Port::udp(1)),
            Service::Port(Port::tcp(80)),
            Service::Protocol(ICMP),
            Service::Port(Port::tcp(9)),
        ];
        services.sort();
        assert_eq!(services.map(|service| service.to_string()), ["ICMP", "9/TCP", "80/TCP", "1/UDP"]);
    }
}
