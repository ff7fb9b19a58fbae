//! One drain: every counter of every sensor, summed over CPUs.
//!
//! A snapshot never changes once it is built. Metrics, the slots API and whatever else reports counts are
//! made from snapshots and never look at the kernel's maps, so that all of one answer is of one moment.

use std::mem;

use sensor_common::evidence::{Account, Lost};
use sensor_common::layout::side::{self, Side};
use sensor_common::layout::{Counter, PAGE_SLOTS, Page, Passed, SENSOR_SLOTS, SLOT_PAGES, Slot, SlotKind};

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
    passed: Box<[Counter]>,
}

impl Snapshot {
    /// Packets that were let through for this reason.
    #[must_use]
    pub fn passed(&self, reason: Passed) -> u64 {
        self.passed[reason as usize].packets
    }
}

/// Builds a [`Snapshot`] page by page, as the kernel hands them out.
#[derive(Debug)]
pub struct SnapshotBuilder {
    sensors: Vec<Slots>,
    passed: Box<[Counter]>,
    /// Of which pages something is in, for each sensor; the others hold what an older snapshot left.
    added: Vec<[bool; SLOT_PAGES as usize]>,
}

impl SnapshotBuilder {
    /// A builder for this many sensors. Pages that are not added count nothing.
    #[must_use]
    pub fn new(sensors: usize) -> Self {
        let passed = vec![Counter::default(); PAGE_SLOTS as usize].into();
        Self::reuse(Snapshot { sensors: Vec::new(), passed }, sensors)
    }

    /// Likewise, in the memory of a snapshot that is no longer needed: memory that the process already has is
    /// several times faster than memory that the kernel first has to find and clear.
    #[must_use]
    pub fn reuse(snapshot: Snapshot, sensors: usize) -> Self {
        let Snapshot { sensors: mut memory, mut passed } = snapshot;
        memory.resize_with(sensors, Slots::default);
        passed.fill(Counter::default());
        for slots in &mut memory {
            slots.side.fill(Counter::default());
            slots.lost.fill(0);
        }
        Self { sensors: memory, passed, added: vec![[false; SLOT_PAGES as usize]; sensors] }
    }

    /// The sums of the pages of one sensor, from this one on, to add to.
    ///
    /// # Panics
    /// If there is no such sensor.
    pub fn pages(&mut self, sensor: usize, first: u32) -> impl Iterator<Item = &mut [Counter]> {
        let pages = self.sensors[sensor].slots.chunks_exact_mut(PAGE_SLOTS as usize);
        pages.zip(&mut self.added[sensor]).skip(first as usize).map(|(page, added)| {
            if !mem::replace(added, true) {
                page.fill(Counter::default());
            }
            page
        })
    }

    /// Adds what each CPU holds of one page of one sensor.
    ///
    /// # Panics
    /// If there is no such page or sensor.
    pub fn add_page<'a>(&mut self, sensor: usize, page: u32, per_cpu: impl IntoIterator<Item = &'a Page>) {
        assert!(page < SLOT_PAGES, "page {page} is out of bounds");
        if let Some(sums) = self.pages(sensor, page).next() {
            add_all(sums, per_cpu);
        }
    }

    /// Adds what each CPU holds of the page of side counters of one sensor.
    ///
    /// # Panics
    /// If there is no such sensor.
    pub fn add_side<'a>(&mut self, sensor: usize, per_cpu: impl IntoIterator<Item = &'a Page>) {
        add_all(&mut self.sensors[sensor].side, per_cpu);
    }

    /// Adds what became of the records of one sensor on each CPU.
    ///
    /// # Panics
    /// If there is no such sensor.
    pub fn add_accounts<'a>(&mut self, sensor: usize, per_cpu: impl IntoIterator<Item = &'a Account>) {
        for account in per_cpu {
            for (sum, lost) in self.sensors[sensor].lost.iter_mut().zip(account.lost) {
                *sum += lost;
            }
        }
    }

    /// Adds what each CPU has let through.
    pub fn add_passed<'a>(&mut self, per_cpu: impl IntoIterator<Item = &'a Page>) {
        add_all(&mut self.passed, per_cpu);
    }

    /// The finished snapshot.
    #[must_use]
    pub fn finish(mut self) -> Snapshot {
        for sensor in 0..self.sensors.len() {
            // Those to which nothing was added are cleared when they are asked for.
            self.pages(sensor, 0).for_each(drop);
        }
        Snapshot { sensors: self.sensors, passed: self.passed }
    }
}

fn add_all<'a>(sums: &mut [Counter], per_cpu: impl IntoIterator<Item = &'a Page>) {
    for page in per_cpu {
        for (sum, counter) in sums.iter_mut().zip(&page.0) {
            add(sum, *counter);
        }
    }
}

/// The counters of one sensor, one for each [`Slot`], and its side counters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the slots are most of it")]
pub struct Slots {
    slots: Box<[Counter]>,
    side: Box<[Counter]>,
    lost: [u64; Lost::ALL.len()],
}

impl Default for Slots {
    /// Nothing counted yet.
    fn default() -> Self {
        let counters = |length: u32| vec![Counter::default(); length as usize].into();
        Self { slots: counters(SENSOR_SLOTS), side: counters(side::CONSTITUENCIES.end), lost: [0; _] }
    }
}

impl Slots {
    /// What was counted to one slot.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Counter {
        self.slots[slot.index() as usize]
    }

    /// How many packets a side counter counted: none where nothing is told of them.
    #[must_use]
    pub fn side(&self, side: Side) -> u64 {
        self.side.get(side.offset() as usize).map_or(0, |counter| counter.packets)
    }

    /// How many records of evidence were lost.
    #[must_use]
    pub const fn lost(&self, why: Lost) -> u64 {
        self.lost[why as usize]
    }

    /// What was counted to all slots: every packet of the sensor.
    #[must_use]
    pub fn total(&self) -> Counter {
        sum(self.slots.iter().copied())
    }

    /// The slots that counted something, in the order of their numbers.
    pub fn iter_nonzero(&self) -> impl Iterator<Item = (SlotKind, Counter)> {
        self.iter_nonzero_from(Slot::tcp(0))
    }

    /// Likewise, from this slot on.
    pub fn iter_nonzero_from(&self, first: Slot) -> impl Iterator<Item = (SlotKind, Counter)> {
        (first.index()..)
            .zip(&self.slots[first.index() as usize..])
            .filter(|(_, counter)| **counter != Counter::default())
            .filter_map(|(index, &counter)| Some((Slot::describe(index)?, counter)))
    }

    /// What was counted to a port.
    #[must_use]
    pub fn port(&self, slot: PortSlot) -> Counter {
        self.slots[slot.index()]
    }

    /// The counters of all ports, indexed by [`PortSlot::index`].
    pub(super) fn ports(&self) -> &[Counter] {
        &self.slots[..PortSlot::COUNT]
    }

    /// What was counted to all ports of a transport.
    pub(super) fn total_of(&self, transport: Transport) -> Counter {
        let range = PortSlot::range(transport);
        sum(self.slots[range.start().index()..=range.end().index()].iter().copied())
    }

    /// The ports that counted something, ascending.
    pub(super) fn counted_ports(&self) -> impl Iterator<Item = PortSlot> {
        PortSlot::all()
            .zip(self.ports())
            .filter(|(_, counter)| **counter != Counter::default())
            .map(|(slot, _)| slot)
    }

    /// Adds to one side counter, as the kernel would.
    #[cfg(test)]
    pub(crate) fn add_side(&mut self, side: Side, packets: u64) {
        self.side[side.offset() as usize].packets += packets;
    }

    /// Adds to one slot, as the kernel would.
    #[cfg(test)]
    pub(crate) fn add(&mut self, slot: Slot, packets: u64, bytes: u64) {
        add(&mut self.slots[slot.index() as usize], Counter { packets, bytes });
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
        for sensor in 0..2 {
            for slot in slots {
                let mut builder = SnapshotBuilder::new(2);
                let per_cpu = [&page(&[(slot.offset(), 3, 180)]), &page(&[(slot.offset(), 4, 240)])];
                builder.add_page(sensor, slot.page(), per_cpu);
                let snapshot = builder.finish();
                let expected = Counter { packets: 7, bytes: 420 };
                let kind = Slot::describe(slot.index()).unwrap();
                assert_eq!(snapshot.sensors[sensor].get(slot), expected);
                assert_eq!(snapshot.sensors[sensor].total(), expected);
                assert!(snapshot.sensors[sensor].iter_nonzero().eq([(kind, expected)]), "{kind:?}");
                assert_eq!(snapshot.sensors[1 - sensor], Slots::default());
            }
        }
    }

    #[test]
    fn what_was_passed_is_of_no_sensor() {
        let mut builder = SnapshotBuilder::new(1);
        builder.add_passed([&page(&[(Passed::Link as u32, 1, 90)]), &page(&[(Passed::Link as u32, 2, 0)])]);
        let snapshot = builder.finish();
        assert_eq!(snapshot.passed(Passed::Link), 3);
        assert_eq!(snapshot.passed(Passed::NonIp), 0);
        assert_eq!(snapshot.sensors[0].total(), Counter::default());
    }

    #[test]
    fn memory_that_is_used_again_holds_nothing_of_before() {
        let mut builder = SnapshotBuilder::new(2);
        builder.add_passed([&page(&[(3, 5, 300)])]);
        builder.add_side(1, [&page(&[(3, 5, 300)])]);
        for index in 0..2 * SLOT_PAGES {
            let (sensor, index) = (index / SLOT_PAGES, index % SLOT_PAGES);
            builder.add_page(sensor as usize, index, [&page(&[(3, 5, 300)])]);
        }
        let mut builder = SnapshotBuilder::reuse(builder.finish(), 3);
        builder.add_page(1, 0, [&page(&[(4, 1, 60)]), &page(&[(4, 1, 60)])]);
        builder.add_page(0, 0, []);
        let snapshot = builder.finish();
        assert_eq!(snapshot.passed(Passed::ALL[3]), 0);
        let totals: Vec<_> = snapshot.sensors.iter().map(|slots| slots.total().packets).collect();
        assert_eq!(totals, [0, 2, 0]);
        assert_eq!(SnapshotBuilder::reuse(snapshot, 1).finish().sensors, [Slots::default()]);
    }

    #[test]
    fn side_counters_are_no_part_of_the_sum() {
        let mut builder = SnapshotBuilder::new(2);
        let offset = Side::UDP_REFLECTOR.offset();
        builder.add_side(1, [&page(&[(offset, 3, 0)]), &page(&[(offset, 4, 0)])]);
        let snapshot = builder.finish();
        assert_eq!(snapshot.sensors[1].side(Side::UDP_REFLECTOR), 7);
        assert_eq!(snapshot.sensors[1].total(), Counter::default());
        assert_eq!(snapshot.sensors[0], Slots::default());
        assert_eq!(snapshot.sensors[1].side(Side::NONE), 0);
    }

    #[test]
    #[should_panic(expected = "out of bounds")]
    fn a_page_beyond_the_slots_is_refused() {
        SnapshotBuilder::new(1).add_page(0, SLOT_PAGES, []);
    }
}
