//! The slots of TCP and UDP ports: those that may have a series of their own.

use std::ops::RangeInclusive;

use sensor_common::layout::{PORTS, Slot};

use crate::config::{Port, Transport};

/// The slot of a port; ordered as slots are: TCP's, then UDP's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSlot(u32);

impl PortSlot {
    /// How many there are: their numbers are those below.
    pub const COUNT: usize = 2 * PORTS as usize;

    /// The port's slot with this number; `None` if that is no port's.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number < 2 * PORTS { Some(Self(number)) } else { None }
    }

    /// All, ascending.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..2 * PORTS).map(Self)
    }

    /// Those of a transport's ports.
    #[must_use]
    pub const fn range(of: Transport) -> RangeInclusive<Self> {
        match of {
            Transport::Tcp => Self(0)..=Self(PORTS - 1),
            Transport::Udp => Self(PORTS)..=Self(2 * PORTS - 1),
        }
    }

    /// The slot's number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Likewise, as an index into the counters of a sensor or of its ports.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The port's transport.
    #[must_use]
    pub const fn transport(self) -> Transport {
        if self.0 < PORTS { Transport::Tcp } else { Transport::Udp }
    }

    /// The port.
    #[must_use]
    pub const fn port(self) -> Port {
        #[expect(clippy::cast_possible_truncation, reason = "a transport has 65,536 ports")]
        let number = (self.0 % PORTS) as u16;
        Port { transport: self.transport(), number }
    }
}

impl From<Port> for PortSlot {
    fn from(port: Port) -> Self {
        Self(port.slot().index())
    }
}

impl From<PortSlot> for Slot {
    fn from(slot: PortSlot) -> Self {
        slot.port().slot()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0/tcp", 0)]
    #[case("65535/tcp", 65_535)]
    #[case("0/udp", 65_536)]
    #[case("65535/udp", 131_071)]
    fn a_port_has_one_slot(#[case] port: Port, #[case] number: u32) {
        let slot = PortSlot::from(port);
        assert_eq!((slot.number(), slot.index(), slot.port()), (number, number as usize, port));
        assert_eq!(PortSlot::new(number), Some(slot));
        assert_eq!(Slot::from(slot).index(), number);
        assert!(PortSlot::range(port.transport).contains(&slot));
        assert_eq!(slot.transport(), port.transport);
    }

    #[test]
    fn other_slots_are_no_ports() {
        assert_eq!(PortSlot::new(131_072), None);
        assert_eq!(PortSlot::all().count(), PortSlot::COUNT);
        assert_eq!(PortSlot::all().last(), PortSlot::new(131_071));
    }
}
