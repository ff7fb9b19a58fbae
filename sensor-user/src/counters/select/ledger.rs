//! The state of each port's series, and what each of them says.
//!
//! Nothing here is added up as packets arrive: a series' value follows from its record and its slot, and
//! `other` is what is left of all slots. A change of state is written before it is made, and leaves what every
//! series and `other` say at that drain as it was.

use std::collections::{BTreeMap, BTreeSet};

use sensor_common::layout::Counter;

use crate::config::Transport;
use crate::counters::port_slot::PortSlot;
use crate::counters::snapshot::{Slots, add, growth, sum};
use crate::counters::store::{Record, Records, Restored};

/// The series of one sensor.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    rest: Rest,
    series: BTreeMap<PortSlot, Series>,
    /// Those of the series that don't grow, and wait for the scrapers.
    waiting: BTreeSet<PortSlot>,
    /// Last values of series that left.
    left: BTreeMap<PortSlot, Counter>,
    /// Their sums by transport.
    withdrawn: [Counter; 2],
}

/// What ports without an entry are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Rest {
    /// They count to `other`.
    #[default]
    Other,
    /// They do, and are on the page at 0 since this drain, so that they can be series once they have been seen.
    Shown(u64),
    /// They are series, and have been from their first packet.
    Series,
}

/// A series on the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series {
    /// Its state; never [`Record::Left`].
    pub(super) record: Record,
    /// When it got there.
    pub(super) since: Moment,
    /// Buckets that were finished when it was last born.
    pub(super) born: u64,
}

/// A point in the life of this agent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    /// Number of the drain.
    pub(super) drain: u64,
    /// Buckets that are finished.
    pub(super) bucket: u64,
}

impl Ledger {
    /// What an earlier agent left; all of it waits for the scrapers of this one.
    pub(super) fn restore(restored: Restored) -> Self {
        let rest = if restored.every_port { Rest::Series } else { Rest::Other };
        let mut ledger = Self { rest, ..Self::default() };
        let since = Moment { drain: 1, bucket: 0 };
        for (slot, record) in restored.ports {
            if let Record::Left(value) = record {
                ledger.left.insert(slot, value);
                add(&mut ledger.withdrawn[slot.transport() as usize], value);
            } else {
                ledger.note(slot, record);
                ledger.series.insert(slot, Series { record, since, born: 0 });
            }
        }
        ledger
    }

    /// What ports without an entry are.
    pub(super) fn rest(&self) -> Rest {
        self.rest
    }

    /// Whether no port ever had a series.
    pub(super) fn is_unused(&self) -> bool {
        self.rest == Rest::Other && self.series.is_empty() && self.left.is_empty()
    }

    /// The series that have a record, by slot.
    pub(super) fn series(&self) -> &BTreeMap<PortSlot, Series> {
        &self.series
    }

    /// The series that wait for the scrapers.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (PortSlot, &Series)> {
        self.waiting.iter().filter_map(|slot| Some((*slot, self.series.get(slot)?)))
    }

    /// Last values of the series that left.
    pub(super) fn left(&self) -> &BTreeMap<PortSlot, Counter> {
        &self.left
    }

    /// How many series the page has.
    pub(super) fn len(&self) -> usize {
        if self.rest == Rest::Other { self.series.len() } else { PortSlot::COUNT }
    }

    /// Port and value of each series on the page, by slot.
    pub(super) fn values(&self, slots: &Slots) -> impl Iterator<Item = (PortSlot, Counter)> {
        let mut recorded = self.series.iter().peekable();
        let ports = if self.rest == Rest::Other { None } else { Some(PortSlot::all()) };
        let every_port = ports.into_iter().flatten().map(move |slot| {
            let value = match recorded.next_if(|(recorded, _)| **recorded == slot) {
                Some((_, series)) => series.record.value(slots.port(slot)),
                None if self.rest == Rest::Series => slots.port(slot),
                None => Counter::default(),
            };
            (slot, value)
        });
        let recorded = if self.rest == Rest::Other { Some(&self.series) } else { None };
        let recorded = recorded.into_iter().flatten();
        every_port.chain(recorded.map(|(&slot, series)| (slot, series.record.value(slots.port(slot)))))
    }

    /// What was counted to a transport's ports and to none of their series, on the page or gone.
    pub(super) fn other(&self, of: Transport, slots: &Slots) -> Counter {
        let series = self.series.range(PortSlot::range(of));
        if self.rest == Rest::Series {
            return sum(series.map(|(&slot, series)| {
                let counter = slots.port(slot);
                growth(series.record.value(counter), counter)
            }));
        }
        let said = sum(series.map(|(&slot, series)| series.record.value(slots.port(slot))));
        growth(sum([said, self.withdrawn(of)]), slots.total_of(of))
    }

    /// What the series of a transport that are gone say.
    pub(super) fn withdrawn(&self, of: Transport) -> Counter {
        self.withdrawn[of as usize]
    }

    /// Puts a port on the page: at the value that it had when it left or was asked to, or at 0. Whatever its
    /// slot counts goes to `other`, until it [opens](Self::open).
    #[must_use]
    pub(super) fn promote(&mut self, slot: PortSlot, now: Moment, records: &mut Records) -> bool {
        let value = match self.series.get(&slot).map(|series| series.record) {
            Some(Record::Growing(_) | Record::Born(_)) => return true,
            Some(Record::Leaving(value) | Record::Left(value)) => value,
            None => self.left.get(&slot).copied().unwrap_or_default(),
        };
        self.put(slot, Record::Born(value), now, records)
    }

    /// Lets a series grow by what its slot counts from `counter` on.
    #[must_use]
    pub(super) fn open(
        &mut self,
        slot: PortSlot,
        counter: Counter,
        now: Moment,
        records: &mut Records,
    ) -> bool {
        let value = self.series.get(&slot).map_or(Counter::default(), |series| series.record.value(counter));
        self.put(slot, Record::Growing(growth(value, counter)), now, records)
    }

    /// Says what the port already is: a series from its first packet on.
    #[must_use]
    pub(super) fn set_open(&mut self, slot: PortSlot, now: Moment, records: &mut Records) -> bool {
        self.put(slot, Record::Growing(Counter::default()), now, records)
    }

    /// Asks a series to leave, with what its slot had counted by `counter`; the rest goes to `other`.
    #[must_use]
    pub(super) fn retire(
        &mut self,
        slot: PortSlot,
        counter: Counter,
        now: Moment,
        records: &mut Records,
    ) -> bool {
        let Some(series) = self.series.get(&slot) else { return true };
        self.put(slot, Record::Leaving(series.record.value(counter)), now, records)
    }

    /// Takes a series that no longer grows off the page.
    #[must_use]
    pub(super) fn withdraw(&mut self, slot: PortSlot, records: &mut Records) -> bool {
        let Some(Series { record: Record::Leaving(value), .. }) = self.series.get(&slot).copied() else {
            return true;
        };
        // A series that never said anything is as if it had never been.
        let nothing = value == Counter::default();
        let written = if nothing { records.remove(slot) } else { records.set(slot, Record::Left(value)) };
        if written {
            self.series.remove(&slot);
            self.waiting.remove(&slot);
            if !nothing {
                self.left.insert(slot, value);
                add(&mut self.withdrawn[slot.transport() as usize], value);
            }
        }
        written
    }

    /// Says what ports without an entry are from now on. Between `Series` and the others it makes no
    /// difference for ports whose slots are 0, and may be done for no others.
    #[must_use]
    pub(super) fn set_rest(&mut self, rest: Rest, records: &mut Records) -> bool {
        let (before, after) = (self.rest == Rest::Series, rest == Rest::Series);
        let written = before == after || records.set_every_port(after);
        if written {
            self.rest = rest;
        }
        written
    }

    fn put(&mut self, slot: PortSlot, record: Record, now: Moment, records: &mut Records) -> bool {
        if !records.set(slot, record) {
            return false;
        }
        if let Some(value) = self.left.remove(&slot) {
            let withdrawn = &mut self.withdrawn[slot.transport() as usize];
            *withdrawn = growth(value, *withdrawn);
        }
        self.note(slot, record);
        let series = self.series.entry(slot).or_insert(Series { record, since: now, born: now.bucket });
        (series.record, series.since) = (record, now);
        if matches!(record, Record::Born(_)) {
            series.born = now.bucket;
        }
        true
    }

    fn note(&mut self, slot: PortSlot, record: Record) {
        if matches!(record, Record::Growing(_)) {
            self.waiting.remove(&slot);
        } else {
            self.waiting.insert(slot);
        }
    }
}

impl Record {
    /// What the series says when its slot has counted this much.
    fn value(self, slot: Counter) -> Counter {
        match self {
            Self::Growing(offset) => growth(offset, slot),
            Self::Born(value) | Self::Leaving(value) | Self::Left(value) => value,
        }
    }
}
