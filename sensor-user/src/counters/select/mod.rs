//! Which ports get a series of their own, and what each series says.
//!
//! A scan that touches every port once must not push out the ports that matter, no series may ever go
//! backwards, and no packet may be missing from the sum of what Prometheus sees. So each drain's growth of
//! a port goes to its series if that one is open, and to its transport's `other` if not.
//!
//! A series' life: *born* with the value it had when it last left, or 0, and closed; *open* once every
//! scraper holds that value; closed and *leaving* when another port needs the place; gone once every scraper
//! holds its last value. While nobody scrapes, nothing opens and nothing leaves. Configured ports are open
//! from the start and stay.

mod scrapers;
mod window;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use sensor_common::layout::{Counter, PORTS};

use self::window::{Rank, Window};
pub use self::{
    scrapers::{Drain, FORGET, Scraper, Scrapers},
    window::{BUCKET, BUCKETS},
};
use super::snapshot::{Slots, add, growth, sum};
use crate::config::{Export, MaxPorts, Transport};

/// Slots that are ports: TCP's, then UDP's.
const PORT_SLOTS: usize = 2 * PORTS as usize;

/// The series of one sensor's TCP and UDP ports.
#[derive(Debug)]
pub struct Selection(Kind);

#[derive(Debug)]
enum Kind {
    /// Every port, always: each series is its slot.
    All,
    Ranked(Box<Ranked>),
}

impl Selection {
    /// A selection that has seen nothing yet; [`advance`](Self::advance) counts from zero.
    #[must_use]
    pub fn new(export: &Export) -> Self {
        Self::with_bucket(export, BUCKET)
    }

    /// Like [`new`](Self::new), with buckets of another length.
    #[must_use]
    pub fn with_bucket(export: &Export, bucket: Duration) -> Self {
        Self(match export.max_ports {
            MaxPorts::All => Kind::All,
            MaxPorts::AtMost(most) => {
                Kind::Ranked(Box::new(Ranked::new(export, most.get() as usize, bucket)))
            }
        })
    }

    /// Takes in a drain: `previous` is what this selection last took in, all zero before the first.
    pub fn advance(&mut self, now: Instant, drain: Drain, previous: Option<&Slots>, current: &Slots) {
        if let Kind::Ranked(ranked) = &mut self.0 {
            ranked.settle(drain.carried);
            ranked.turn(now, drain.number);
            ranked.count(previous.map(Slots::as_slice), current.as_slice());
        }
    }

    /// Slot and value of each port series, by slot; `current` is what was last taken in.
    #[must_use]
    pub fn ports(&self, current: &Slots) -> Vec<(u32, Counter)> {
        match &self.0 {
            Kind::All => (0..).zip(current.as_slice()[..PORT_SLOTS].iter().copied()).collect(),
            Kind::Ranked(ranked) => {
                ranked.series.iter().map(|(&slot, series)| (slot, series.value)).collect()
            }
        }
    }

    /// How many ports have a series.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Kind::All => PORT_SLOTS,
            Kind::Ranked(ranked) => ranked.series.len(),
        }
    }

    /// Whether no port has a series.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was counted to ports of this transport while they had no open series.
    #[must_use]
    pub fn other(&self, transport: Transport) -> Counter {
        match (&self.0, transport) {
            (Kind::All, _) => Counter::default(),
            (Kind::Ranked(ranked), Transport::Tcp) => ranked.other[0],
            (Kind::Ranked(ranked), Transport::Udp) => ranked.other[1],
        }
    }

    /// What the series of this transport that are gone say: with it, the series on the page and `other` make
    /// up the total. It can't be moved to `other`, where it would be counted a second time.
    #[must_use]
    pub fn withdrawn(&self, transport: Transport) -> Counter {
        let slots = match transport {
            Transport::Tcp => 0..PORTS,
            Transport::Udp => PORTS..2 * PORTS,
        };
        match &self.0 {
            Kind::All => Counter::default(),
            Kind::Ranked(ranked) => sum(ranked.left.range(slots).map(|(_, counter)| *counter)),
        }
    }
}

#[derive(Debug)]
struct Ranked {
    most: usize,
    series: BTreeMap<u32, Series>,
    /// TCP's, then UDP's.
    other: [Counter; 2],
    /// Last values of series that left.
    left: BTreeMap<u32, Counter>,
    window: Window,
    /// Buckets finished so far.
    turned: u64,
}

#[derive(Clone, Copy, Debug)]
struct Series {
    value: Counter,
    state: State,
    /// Buckets that were finished when it was born.
    born: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Configured,
    /// Waits for every scraper to hold the page of this drain.
    Born(u64),
    Open,
    /// Likewise.
    Leaving(u64),
}

impl Ranked {
    fn new(export: &Export, most: usize, bucket: Duration) -> Self {
        let configured = Series { value: Counter::default(), state: State::Configured, born: 0 };
        Self {
            most,
            series: export.ports.iter().map(|port| (port.slot().index(), configured)).collect(),
            other: [Counter::default(); 2],
            left: BTreeMap::new(),
            window: Window::new(bucket),
            turned: 0,
        }
    }

    /// Opens and removes the series that every scraper has seen in their present state.
    fn settle(&mut self, carried: u64) {
        let left = &mut self.left;
        self.series.retain(|&slot, series| match series.state {
            State::Born(drain) if drain <= carried => {
                series.state = State::Open;
                true
            }
            State::Leaving(drain) if drain <= carried => {
                left.insert(slot, series.value);
                false
            }
            _ => true,
        });
    }

    /// At the end of a bucket, gives free places to the ports that rank highest, and asks series that rank
    /// far lower than a port without one to leave: their places are given at the end of a later bucket.
    fn turn(&mut self, now: Instant, drain: u64) {
        let turned = self.window.turn(now);
        if turned == 0 {
            return;
        }
        self.turned += turned;
        let mut candidates = self.window.top(self.most, |slot| !self.series.contains_key(&slot)).into_iter();
        let free = self.most.saturating_sub(self.series.len());
        for Rank { slot, .. } in candidates.by_ref().take(free) {
            let value = self.left.remove(&slot).unwrap_or_default();
            self.series.insert(slot, Series { value, state: State::Born(drain), born: self.turned });
        }
        let leaving = self.series.values().filter(|series| matches!(series.state, State::Leaving(_))).count();
        // The candidates that wait for the places of those that leave already.
        let candidates = candidates.skip(leaving);
        for (candidate, lowest) in candidates.zip(self.displaceable()) {
            if candidate.packets.0 <= 2 * lowest.packets.0 {
                break;
            }
            if let Some(series) = self.series.get_mut(&lowest.slot) {
                series.state = State::Leaving(drain);
            }
        }
    }

    /// The series that may be asked to leave, lowest rank first: those without a packet in the window, and
    /// those that have had a whole window to show what they are worth.
    fn displaceable(&self) -> Vec<Rank> {
        let mut ranks: Vec<Rank> = self
            .series
            .iter()
            .filter(|(_, series)| matches!(series.state, State::Born(_) | State::Open))
            .map(|(&slot, series)| (self.window.rank(slot), self.turned - series.born))
            .filter(|&(rank, age)| rank.packets.0 == 0 || age >= BUCKETS as u64)
            .map(|(rank, _)| rank)
            .collect();
        ranks.sort_unstable_by(|a, b| b.cmp(a));
        ranks
    }

    /// Adds what each port grew by to its series or to `other`.
    fn count(&mut self, previous: Option<&[Counter]>, current: &[Counter]) {
        let ports = &current[..PORT_SLOTS];
        let mut series = self.series.iter_mut().peekable();
        for (slot, &counter) in (0_u32..).zip(ports) {
            let before = previous.map_or(Counter::default(), |previous| previous[slot as usize]);
            if counter == before {
                continue;
            }
            let grown = growth(before, counter);
            self.window.add(slot as usize, grown.packets);
            while series.next_if(|(of, _)| **of < slot).is_some() {}
            let value = match series.next_if(|(of, _)| **of == slot) {
                Some((_, Series { value, state: State::Configured | State::Open, .. })) => value,
                _ => &mut self.other[(slot / PORTS) as usize],
            };
            add(value, grown);
        }
    }
}
