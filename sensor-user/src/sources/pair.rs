//! A source and what it sent to, in little room: which sources a port had is asked of these.

use std::net::Ipv4Addr;

use sensor_common::layout::{Slot, SlotKind};

use super::source::Source;

/// A source and a slot; in order, those of a source are next to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pair {
    number: u64,
    /// The slot's index, and whether the source is one of IPv6.
    slot: u32,
}

/// No slot's index has this bit.
const V6: u32 = 1 << 31;

impl Pair {
    pub(super) fn new(source: Source, slot: SlotKind) -> Self {
        let version = if matches!(source, Source::V6(_)) { V6 } else { 0 };
        Self { number: source.number(), slot: Slot::from(slot).index() | version }
    }

    pub(super) fn source(self) -> Source {
        if self.slot & V6 != 0 {
            return Source::V6(self.number);
        }
        #[expect(clippy::cast_possible_truncation, reason = "it was made of 32 bits")]
        Source::V4(Ipv4Addr::from_bits(self.number as u32))
    }

    /// Whether it is of the slot with this index.
    pub(super) const fn is_to(self, slot: u32) -> bool {
        self.slot & !V6 == slot
    }

    /// `None` of no pair that was made of a slot.
    pub(super) const fn slot(self) -> Option<SlotKind> {
        Slot::describe(self.slot & !V6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_keep_what_they_were_made_of() {
        for source in ["203.0.113.9", "255.255.255.255", "::", "2001:db8:1:2::/64", "ffff:ffff:ffff:ffff::"] {
            let source: Source = source.parse().unwrap();
            for slot in [SlotKind::Tcp(0), SlotKind::Udp(65_535), Slot::icmpv6(128, 0).kind()] {
                let pair = Pair::new(source, slot);
                assert_eq!((pair.source(), pair.slot()), (source, Some(slot)));
            }
        }
    }
}
