//! One drain: every counter of every sensor, summed over CPUs.
//!
//! A snapshot never changes once it is built. Metrics, the slots API and whatever else reports counts are
//! made from snapshots and never look at the kernel's maps, so that all of one answer is of one moment.

use std::mem;

use sensor_common::layout::{self, Counter, PAGE_SLOTS, Page, Passed, SENSOR_SLOTS, Slot, SlotKind};

use super::port_slot::PortSlot;
use crate::config::Transport;

/// All counters, summed over CPUs.
///
/// Counters are u64 that start at zero with their map and are only ever added to: at 100 million packets a
/// second one takes 5,800 years to wrap, so sums are plain additions. Packets and bytes of a slot are each
/// exact; a packet counted during the drain may be in the one and not yet in the other.
#[derive(Debug)]
pub struct Snapshot {
    /// The slots of each sensor, in the order of the configuration.
    pub sensors: Vec<Slots>,
    side: Box<[Counter]>,
}

impl Snapshot {
    /// Packets that were let through for this reason.
    #[must_use]
    pub fn passed(&self, reason: Passed) -> u64 {
        self.side[reason as usize].packets
    }
}

/// Builds a [`Snapshot`] page by page, as the kernel hands them out.
#[derive(Debug)]
pub struct SnapshotBuilder {
    sensors: Vec<Slots>,
    side: Box<[Counter]>,
    /// Which elements of the map are in; the others hold what an older snapshot left.
    added: Vec<bool>,
}

impl SnapshotBuilder {
    /// A builder for a map of this many sensors. Pages that are not added count nothing.
    #[must_use]
    pub fn new(sensors: u32) -> Self {
        Self {
            sensors: (0..sensors).map(|_| Slots::default()).collect(),
            side: vec![Counter::default(); PAGE_SLOTS as usize].into(),
            added: vec![false; layout::pages(sensors) as usize],
        }
    }

    /// Likewise, in the memory of a snapshot that is no longer needed: memory that the process already has is
    /// several times faster than memory that the kernel first has to find and clear.
    #[must_use]
    pub fn reuse(snapshot: Snapshot, sensors: u32) -> Self {
        let Snapshot { sensors: mut memory, side } = snapshot;
        memory.resize_with(sensors as usize, Slots::default);
        Self { sensors: memory, side, added: vec![false; layout::pages(sensors) as usize] }
    }

    /// Adds what each CPU holds of the map's element `index`.
    ///
    /// # Panics
    /// If `index` is not below [`layout::pages`] of the builder's sensors.
    pub fn add_page<'a>(&mut self, index: u32, per_cpu: impl IntoIterator<Item = &'a Page>) {
        let mut added = self.added[index as usize];
        let sums = self.element(index);
        for page in per_cpu {
            if added {
                for (sum, counter) in sums.iter_mut().zip(&page.0) {
                    add(sum, *counter);
                }
            } else {
                sums.copy_from_slice(&page.0);
                added = true;
            }
        }
        self.added[index as usize] = added;
    }

    /// The counters of the map's element `index`.
    fn element(&mut self, index: u32) -> &mut [Counter] {
        match index.checked_sub(layout::SIDE_PAGES) {
            None => &mut self.side,
            Some(page) => {
                let slots = &mut self.sensors[(page / layout::SENSOR_PAGES) as usize].0;
                let start = (page % layout::SENSOR_PAGES * PAGE_SLOTS) as usize;
                &mut slots[start..start + PAGE_SLOTS as usize]
            }
        }
    }

    /// The finished snapshot.
    #[must_use]
    pub fn finish(mut self) -> Snapshot {
        let added = mem::take(&mut self.added);
        for (index, _) in (0..).zip(added).filter(|(_, added)| !added) {
            self.element(index).fill(Counter::default());
        }
        Snapshot { sensors: self.sensors, side: self.side }
    }
}

/// The counters of one sensor, one for each [`Slot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots(Box<[Counter]>);

impl Default for Slots {
    /// Nothing counted yet.
    fn default() -> Self {
        Self(vec![Counter::default(); SENSOR_SLOTS as usize].into())
    }
}

impl Slots {
    /// What was counted to one slot.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Counter {
        self.0[slot.index() as usize]
    }

    /// What was counted to all slots: every packet of the sensor.
    #[must_use]
    pub fn total(&self) -> Counter {
        sum(self.0.iter().copied())
    }

    /// The slots that counted something, in the order of their numbers.
    pub fn iter_nonzero(&self) -> impl Iterator<Item = (SlotKind, Counter)> {
        self.iter_nonzero_from(Slot::tcp(0))
    }

    /// Likewise, from this slot on.
    pub fn iter_nonzero_from(&self, first: Slot) -> impl Iterator<Item = (SlotKind, Counter)> {
        (first.index()..)
            .zip(&self.0[first.index() as usize..])
            .filter(|(_, counter)| **counter != Counter::default())
            .filter_map(|(index, &counter)| Some((Slot::describe(index)?, counter)))
    }

    /// What was counted to a port.
    #[must_use]
    pub fn port(&self, slot: PortSlot) -> Counter {
        self.0[slot.index()]
    }

    /// The counters of all ports, indexed by [`PortSlot::index`].
    pub(super) fn ports(&self) -> &[Counter] {
        &self.0[..PortSlot::COUNT]
    }

    /// What was counted to all ports of a transport.
    pub(super) fn total_of(&self, transport: Transport) -> Counter {
        let range = PortSlot::range(transport);
        sum(self.0[range.start().index()..=range.end().index()].iter().copied())
    }

    /// The ports that counted something, ascending.
    pub(super) fn counted_ports(&self) -> impl Iterator<Item = PortSlot> {
        PortSlot::all()
            .zip(self.ports())
            .filter(|(_, counter)| **counter != Counter::default())
            .map(|(slot, _)| slot)
    }

    /// Adds to one slot, as the kernel would.
    #[cfg(test)]
    pub(crate) fn add(&mut self, slot: Slot, packets: u64, bytes: u64) {
        add(&mut self.0[slot.index() as usize], Counter { packets, bytes });
    }
}

/// `sum += counter`.
pub(crate) fn add(sum: &mut Counter, counter: Counter) {
    sum.packets += counter.packets;
    sum.bytes += counter.bytes;
}

/// Both fields, added up.
pub(crate) fn sum(counters: impl IntoIterator<Item = Counter>) -> Counter {
    counters.into_iter().fold(Counter::default(), |mut total, counter| {
        add(&mut total, counter);
        total
    })
}

/// How much a counter grew. One that shrank, which a live map's never does, is taken not to have moved.
pub(crate) fn growth(from: Counter, to: Counter) -> Counter {
    Counter { packets: to.packets.saturating_sub(from.packets), bytes: to.bytes.saturating_sub(from.bytes) }
}

#[cfg(test)]
mod tests {
    use sensor_common::layout::Malformed;

    use super::*;

    #[expect(clippy::large_stack_arrays, reason = "a page is what it is")]
    fn page(entries: &[(u32, u64, u64)]) -> Page {
        let mut page = Page([Counter::default(); PAGE_SLOTS as usize]);
        for &(offset, packets, bytes) in entries {
            page.0[offset as usize] = Counter { packets, bytes };
        }
        page
    }

    #[test]
    fn every_page_lands_in_its_sensor_and_cpus_are_summed() {
        let slots = [
            Slot::tcp(0),
            Slot::tcp(u16::MAX),
            Slot::udp(53),
            Slot::icmp(8, 0),
            Slot::icmpv6(255, 15),
            Slot::protocol_v6(47),
            Slot::malformed(Malformed::Icmpv6Truncated),
        ];
        for sensor in 0..2_u32 {
            for slot in slots {
                let mut builder = SnapshotBuilder::new(2);
                let index = layout::first_page(sensor) + slot.page();
                builder
                    .add_page(index, [&page(&[(slot.offset(), 3, 180)]), &page(&[(slot.offset(), 4, 240)])]);
                let snapshot = builder.finish();
                let expected = Counter { packets: 7, bytes: 420 };
                let kind = Slot::describe(slot.index()).unwrap();
                assert_eq!(snapshot.sensors[sensor as usize].get(slot), expected);
                assert_eq!(snapshot.sensors[sensor as usize].total(), expected);
                assert!(snapshot.sensors[sensor as usize].iter_nonzero().eq([(kind, expected)]), "{kind:?}");
                assert_eq!(snapshot.sensors[1 - sensor as usize], Slots::default());
            }
        }
    }

    #[test]
    fn the_side_page_holds_what_was_passed() {
        let mut builder = SnapshotBuilder::new(1);
        builder.add_page(0, [&page(&[(Passed::Link as u32, 1, 90)]), &page(&[(Passed::Link as u32, 2, 0)])]);
        let snapshot = builder.finish();
        assert_eq!(snapshot.passed(Passed::Link), 3);
        assert_eq!(snapshot.passed(Passed::NonIp), 0);
        assert_eq!(snapshot.sensors[0].total(), Counter::default());
    }

    #[test]
    fn memory_that_is_used_again_holds_nothing_of_before() {
        let mut builder = SnapshotBuilder::new(2);
        for index in 0..layout::pages(2) {
            builder.add_page(index, [&page(&[(3, 5, 300)])]);
        }
        let mut builder = SnapshotBuilder::reuse(builder.finish(), 3);
        builder.add_page(layout::first_page(1), [&page(&[(4, 1, 60)]), &page(&[(4, 1, 60)])]);
        builder.add_page(layout::first_page(0), []);
        let snapshot = builder.finish();
        assert_eq!(snapshot.passed(Passed::ALL[3]), 0);
        let totals: Vec<_> = snapshot.sensors.iter().map(|slots| slots.total().packets).collect();
        assert_eq!(totals, [0, 2, 0]);
        assert_eq!(SnapshotBuilder::reuse(snapshot, 1).finish().sensors, [Slots::default()]);
    }

    #[test]
    #[should_panic(expected = "out of bounds")]
    fn a_page_beyond_the_map_is_refused() {
        SnapshotBuilder::new(1).add_page(layout::pages(1), []);
    }
}
