//! The state of each port's series, and what each of them says.
//!
//! Nothing here is added up as packets arrive: a series' value follows from its record and its slot, and
//! `other` is what is left of all slots. A change of state is written before it is made, and leaves what every
//! series and `other` say at that drain as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sensor_common::layout::{Counter, PORTS};

use super::super::snapshot::{add, growth, sum};
use super::super::store::{Record, Records, Restored};
use super::PORT_SLOTS;
use crate::config::Transport;

/// The series of one sensor.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    rest: Rest,
    series: BTreeMap<u32, Series>,
    /// Those of the series that don't grow, and wait for the scrapers.
    waiting: BTreeSet<u32>,
    /// Last values of series that left.
    left: BTreeMap<u32, Counter>,
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
                add(&mut ledger.withdrawn[transport(slot)], value);
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
    pub(super) fn series(&self) -> &BTreeMap<u32, Series> {
        &self.series
    }

    /// The series that wait for the scrapers.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (u32, &Series)> {
        self.waiting.iter().filter_map(|slot| Some((*slot, self.series.get(slot)?)))
    }

    /// Last values of the series that left.
    pub(super) fn left(&self) -> &BTreeMap<u32, Counter> {
        &self.left
    }

    /// How many series the page has.
    pub(super) fn len(&self) -> usize {
        if self.rest == Rest::Other { self.series.len() } else { PORT_SLOTS }
    }

    /// Slot and value of each series on the page.
    pub(super) fn values(&self, slots: &[Counter]) -> Vec<(u32, Counter)> {
        let value = |(&slot, series): (&u32, &Series)| (slot, series.record.value(slots[slot as usize]));
        let slots = (0..).zip(&slots[..PORT_SLOTS]);
        let mut values: Vec<_> = match self.rest {
            Rest::Other => return self.series.iter().map(value).collect(),
            Rest::Shown(_) => slots.map(|(slot, _)| (slot, Counter::default())).collect(),
            Rest::Series => slots.map(|(slot, &counter)| (slot, counter)).collect(),
        };
        for (slot, counter) in self.series.iter().map(value) {
            values[slot as usize].1 = counter;
        }
        values
    }

    /// What was counted to a transport's ports and to none of their series, on the page or gone.
    pub(super) fn other(&self, of: Transport, slots: &[Counter]) -> Counter {
        let range = range(of);
        let series = self.series.range(range.clone());
        if self.rest == Rest::Series {
            return sum(series.map(|(&slot, series)| {
                let counter = slots[slot as usize];
                growth(series.record.value(counter), counter)
            }));
        }
        let said = sum(series.map(|(&slot, series)| series.record.value(slots[slot as usize])));
        let total = sum(slots[range.start as usize..range.end as usize].iter().copied());
        growth(sum([said, self.withdrawn(of)]), total)
    }

    /// What the series of a transport that are gone say.
    pub(super) fn withdrawn(&self, of: Transport) -> Counter {
        self.withdrawn[transport(range(of).start)]
    }

    /// Puts a port on the page: at the value that it had when it left or was asked to, or at 0. Whatever its
    /// slot counts goes to `other`, until it [opens](Self::open).
    #[must_use]
    pub(super) fn bear(&mut self, slot: u32, now: Moment, records: &mut Records) -> bool {
        let value = match self.series.get(&slot).map(|series| series.record) {
            Some(Record::Growing(_) | Record::Born(_)) => return true,
            Some(Record::Leaving(value) | Record::Left(value)) => value,
            None => self.left.get(&slot).copied().unwrap_or_default(),
        };
        self.put(slot, Record::Born(value), now, records)
    }

    /// Lets a series grow by what its slot counts from `counter` on.
    #[must_use]
    pub(super) fn open(&mut self, slot: u32, counter: Counter, now: Moment, records: &mut Records) -> bool {
        let value = self.series.get(&slot).map_or(Counter::default(), |series| series.record.value(counter));
        self.put(slot, Record::Growing(growth(value, counter)), now, records)
    }

    /// Says what the port already is: a series from its first packet on.
    #[must_use]
    pub(super) fn spell_out(&mut self, slot: u32, now: Moment, records: &mut Records) -> bool {
        self.put(slot, Record::Growing(Counter::default()), now, records)
    }

    /// Asks a series to leave, with what its slot had counted by `counter`; the rest goes to `other`.
    #[must_use]
    pub(super) fn close(&mut self, slot: u32, counter: Counter, now: Moment, records: &mut Records) -> bool {
        let Some(series) = self.series.get(&slot) else { return true };
        self.put(slot, Record::Leaving(series.record.value(counter)), now, records)
    }

    /// Takes a series that no longer grows off the page.
    #[must_use]
    pub(super) fn withdraw(&mut self, slot: u32, records: &mut Records) -> bool {
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
                add(&mut self.withdrawn[transport(slot)], value);
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

    fn put(&mut self, slot: u32, record: Record, now: Moment, records: &mut Records) -> bool {
        if !records.set(slot, record) {
            return false;
        }
        if let Some(value) = self.left.remove(&slot) {
            let withdrawn = &mut self.withdrawn[transport(slot)];
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

    fn note(&mut self, slot: u32, record: Record) {
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

const fn range(of: Transport) -> Range<u32> {
    match of {
        Transport::Tcp => 0..PORTS,
        Transport::Udp => PORTS..2 * PORTS,
    }
}

const fn transport(slot: u32) -> usize {
    (slot / PORTS) as usize
}
