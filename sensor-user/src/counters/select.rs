//! Which ports get a series of their own, and what each series says.
//!
//! A scan that touches every port once must not push out the ports that matter, no series may ever go
//! backwards, and no packet may be missing from the sum of what Prometheus sees. So what a port counts is its
//! series' if that one is open, and its transport's `other`'s if not.
//!
//! A series' life: *born* with the value it had when it last left, or 0, and closed; *open* once every
//! scraper holds that value; closed and *leaving* when another port needs the place; gone once every scraper
//! holds its last value. While nobody scrapes, nothing opens and nothing leaves. Configured ports stay; on a
//! sensor that has counted nothing yet they are open at once. All of it outlives the agent, by [`Records`].

mod adopt;
mod ledger;
mod scrapers;
mod window;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sensor_common::layout::Counter;

use self::ledger::{Ledger, Moment};
pub use self::scrapers::{Drain, FORGET, Scraper, Scrapers};
pub use self::window::{BUCKET, BUCKETS};
use self::window::{Rank, Window};
use super::port_slot::PortSlot;
use super::snapshot::Slots;
use super::store::{Record, Records, Restored};
use crate::config::{Export, MaxPorts, Transport};

/// The series of one sensor's TCP and UDP ports.
#[derive(Debug)]
pub struct Selection {
    /// Series at most; `None` for every port, always.
    most: Option<usize>,
    /// Slots of the configured ports.
    configured: BTreeSet<PortSlot>,
    /// Whether the series are in line with what is configured.
    adopted: bool,
    ledger: Ledger,
    ranking: Box<Ranking>,
}

/// What is known of the ports' ranks.
#[derive(Debug)]
struct Ranking {
    window: Window,
    /// Buckets finished so far.
    turned: u64,
}

impl Selection {
    /// A selection that goes on from what is recorded, or starts with no series.
    #[must_use]
    pub fn new(export: &Export, restored: Restored) -> Self {
        Self::with_bucket(export, restored, BUCKET)
    }

    /// Like [`new`](Self::new), with buckets of another length.
    #[must_use]
    pub fn with_bucket(export: &Export, restored: Restored, bucket: Duration) -> Self {
        let ranking = Box::new(Ranking { window: Window::new(bucket), turned: 0 });
        let ledger = Ledger::restore(restored);
        let mut selection = Self { most: None, configured: BTreeSet::new(), adopted: false, ledger, ranking };
        selection.reconfigure(export);
        selection
    }

    /// From the next drain on, exports these ports. Series go on from where they are.
    pub fn reconfigure(&mut self, export: &Export) {
        self.most = match export.max_ports {
            MaxPorts::All => None,
            MaxPorts::AtMost(most) => Some(most.get() as usize),
        };
        self.configured = export.ports.iter().copied().map(PortSlot::from).collect();
        self.adopted = false;
    }

    /// Takes in a drain: `previous` is what was taken in last, by this selection or `None`.
    ///
    /// Changes are written to `records` before they are made: those that can't be written are not made.
    pub fn advance(
        &mut self,
        now: Instant,
        drain: Drain,
        previous: Option<&Slots>,
        current: &Slots,
        records: &mut Records,
    ) {
        let first = previous.is_none();
        // What was counted before this agent came is not growth.
        let previous = previous.unwrap_or(current);
        if !self.adopted {
            self.adopted = self.adopt(first, current, drain, records);
        }
        self.settle(drain, previous, records);
        if self.most.is_some() {
            self.turn(now, drain.number, previous, records);
            self.ranking.window.count(previous, current);
        }
    }

    /// Port and value of each port series, by slot; `current` is what was last taken in.
    pub fn ports(&self, current: &Slots) -> impl Iterator<Item = (PortSlot, Counter)> {
        self.ledger.values(current)
    }

    /// How many ports have a series.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ledger.len()
    }

    /// Whether no port has a series.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was counted to ports of this transport while they had no open series; `current` is what was last
    /// taken in.
    #[must_use]
    pub fn other(&self, transport: Transport, current: &Slots) -> Counter {
        self.ledger.other(transport, current)
    }

    /// What the series of this transport that are gone say: with it, the series on the page and `other` make
    /// up the total. It can't be moved to `other`, where it would be counted a second time.
    #[must_use]
    pub fn withdrawn(&self, transport: Transport) -> Counter {
        self.ledger.withdrawn(transport)
    }

    /// Opens and removes the series that every scraper has seen in their present state.
    fn settle(&mut self, drain: Drain, previous: &Slots, records: &mut Records) {
        let now = self.moment(drain.number);
        let due: Vec<(PortSlot, Record)> = self
            .ledger
            .waiting()
            .filter(|(_, series)| series.since.drain <= drain.carried)
            .map(|(slot, series)| (slot, series.record))
            .collect();
        for (slot, record) in due {
            let written = match record {
                Record::Born(_) => self.ledger.open(slot, previous.port(slot), now, records),
                _ => self.ledger.withdraw(slot, records),
            };
            if !written {
                break;
            }
        }
    }

    /// At the end of a bucket, gives free places to the ports that rank highest, and asks series that rank
    /// far lower than a port without one to leave: their places are given at the end of a later bucket.
    fn turn(&mut self, now: Instant, drain: u64, previous: &Slots, records: &mut Records) {
        let turned = self.ranking.window.turn(now);
        let Some(most) = self.most else { return };
        if turned == 0 || !self.adopted {
            return;
        }
        self.ranking.turned += turned;
        let now = self.moment(drain);
        let series = self.ledger.series();
        let mut candidates = self.ranking.window.top(most, |slot| !series.contains_key(&slot)).into_iter();
        let free = most.saturating_sub(series.len());
        for Rank { slot, .. } in candidates.by_ref().take(free) {
            if !self.ledger.promote(slot, now, records) {
                return;
            }
        }
        // The candidates that wait for the places of those that leave already.
        let candidates = candidates.skip(self.leaving());
        for (candidate, lowest) in candidates.zip(self.displaceable()) {
            if candidate.packets.0 <= 2 * lowest.packets.0
                || !self.ledger.retire(lowest.slot, previous.port(lowest.slot), now, records)
            {
                break;
            }
        }
    }

    /// The series that may be asked to leave, lowest rank first: those without a packet in a whole window,
    /// and those that have had a whole window to show what they are worth.
    fn displaceable(&self) -> Vec<Rank> {
        let Ranking { window, turned } = &*self.ranking;
        if *turned < BUCKETS as u64 {
            return Vec::new();
        }
        let mut ranks: Vec<Rank> = self
            .ledger
            .series()
            .iter()
            .filter(|(slot, series)| self.may_leave(**slot, series.record))
            .map(|(&slot, series)| (window.rank(slot), turned - series.born))
            .filter(|&(rank, age)| rank.packets.0 == 0 || age >= BUCKETS as u64)
            .map(|(rank, _)| rank)
            .collect();
        ranks.sort_unstable_by(|a, b| b.cmp(a));
        ranks
    }

    fn may_leave(&self, slot: PortSlot, record: Record) -> bool {
        matches!(record, Record::Born(_) | Record::Growing(_)) && !self.configured.contains(&slot)
    }

    fn leaving(&self) -> usize {
        self.ledger.waiting().filter(|(_, series)| matches!(series.record, Record::Leaving(_))).count()
    }

    fn moment(&self, drain: u64) -> Moment {
        Moment { drain, bucket: self.ranking.turned }
    }
}
