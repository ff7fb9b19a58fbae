//! What waits to be written: observations, summed up in bounded memory.
//!
//! When there are too many flows, the heavier half of them stays, and the other is summed up: a flood of sources that
//! send one packet each never keeps out those that send many.

use std::collections::{BTreeMap, HashMap};
use std::mem;

use jiff::Timestamp;

use super::flow::{Flow, Key, hour_of};
use crate::sources::Observation;

/// Flows that wait, at most: what fits a table of 8.5 MiB.
pub const MOST_FLOWS: usize = 7 << 14;
/// Hours of sensors that something is known of, at most: a day of every sensor.
const MOST_HOURS: usize = 24 * 128;

/// A time that nobody watched for longer is a break, in milliseconds: observations are told of each second.
pub(super) const BREAK_MS: u32 = 120_000;

/// What was observed, summed up.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub flows: HashMap<Key, Flow>,
    /// By hour and sensor.
    pub hours: BTreeMap<(i64, u32), Hour>,
    /// Packets of flows that are summed up, or have no place at all.
    pub refused: u64,
}

/// What is known of an hour of a sensor beside its flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hour {
    /// Flows that are summed up.
    pub rest: Option<Flow>,
    /// Packets that were observed.
    pub observed: u64,
    /// Packets that were counted and not observed.
    pub missed: u64,
    /// From when to when it was observed, in milliseconds of it.
    pub seen: Option<(u32, u32)>,
    /// Whether there was a time between that nobody watched.
    pub broken: bool,
}

impl Hour {
    fn see(&mut self, at: u32) {
        let (since, until) = self.seen.unwrap_or((at, at));
        self.broken |= at.saturating_sub(until) > BREAK_MS || since.saturating_sub(at) > BREAK_MS;
        self.seen = Some((since.min(at), until.max(at)));
    }

    fn add_rest(&mut self, flow: Flow) {
        match &mut self.rest {
            Some(rest) => rest.add(flow),
            None => self.rest = Some(flow),
        }
    }
}

impl Gathered {
    /// Takes what was observed on a sensor.
    pub(super) fn add(&mut self, sensor: u32, observation: &Observation) {
        let (hour, within) = hour_of(observation.time);
        let place = (hour, sensor);
        if self.hours.len() >= MOST_HOURS && !self.hours.contains_key(&place) {
            self.refused += 1;
            return;
        }
        let known = self.hours.entry(place).or_default();
        known.see(within);
        known.observed += 1;
        known.missed += observation.missed;
        let Observation { source, tool, .. } = *observation;
        let key = Key { hour, sensor, slot: observation.slot.into(), source, tool };
        let packet = Flow::packet(within, observation.length);
        if let Some(flow) = self.flows.get_mut(&key) {
            flow.add(packet);
            return;
        }
        if self.flows.len() >= MOST_FLOWS {
            self.prune();
        }
        self.flows.insert(key, packet);
    }

    /// Packets that were observed.
    pub(super) fn observed(&self) -> u64 {
        self.hours.values().map(|hour| hour.observed).sum()
    }

    /// Notes that a sensor is observed now, though it may see nothing.
    pub(super) fn attend(&mut self, sensor: u32, now: Timestamp) {
        let (hour, within) = hour_of(now);
        if self.hours.len() < MOST_HOURS {
            self.hours.entry((hour, sensor)).or_default().see(within);
        }
    }

    /// Notes that at some time of the hour of `time` it cannot be said whether a sensor was watched.
    pub(super) fn doubt(&mut self, sensor: u32, time: Timestamp) {
        let (hour, _) = hour_of(time);
        if self.hours.len() < MOST_HOURS || self.hours.contains_key(&(hour, sensor)) {
            self.hours.entry((hour, sensor)).or_default().broken = true;
        }
    }

    /// Sums up all flows, so that they take a row an hour and sensor; gives the packets of those that had one of their own.
    pub(super) fn sum_up(&mut self) -> u64 {
        let mut packets = 0;
        for (key, flow) in mem::take(&mut self.flows) {
            packets += flow.packets;
            self.hours.entry((key.hour, key.sensor)).or_default().add_rest(flow);
        }
        packets
    }

    /// Sums up the lighter half of the flows; of those that are alike, the later ones.
    fn prune(&mut self) {
        let mut flows: Vec<(Key, Flow)> = mem::take(&mut self.flows).into_iter().collect();
        let heavier = flows.len() / 2;
        flows.select_nth_unstable_by(heavier, |(_, a), (_, b)| {
            b.packets.cmp(&a.packets).then(a.first.cmp(&b.first))
        });
        for (key, flow) in flows.drain(heavier..) {
            self.refused += flow.packets;
            self.hours.entry((key.hour, key.sensor)).or_default().add_rest(flow);
        }
        self.flows.extend(flows);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::tests::observation;
    use super::*;
    use crate::sources::Source;

    #[test]
    fn a_flood_does_not_keep_out_who_comes_late_and_sends_much() {
        let mut gathered = Gathered::default();
        let flood = u32::try_from(3 * MOST_FLOWS).unwrap();
        let late = Ipv4Addr::new(203, 0, 113, 9);
        let mut sent = 0;
        for number in 0..flood {
            gathered.add(0, &observation(Ipv4Addr::from(number), 23, 1_000));
            sent += 1;
            if number > flood / 2 && number % 100 == 0 {
                gathered.add(0, &observation(late, 23, 1_000));
                sent += 1;
            }
        }
        assert!(gathered.flows.len() <= MOST_FLOWS);
        let of_late = gathered.flows.iter().find(|(key, _)| key.source == Source::V4(late)).unwrap().1;
        assert_eq!(of_late.packets, u64::from(flood / 2 / 100));
        let hour = gathered.hours.values().next().unwrap();
        let kept: u64 = gathered.flows.values().map(|flow| flow.packets).sum();
        assert_eq!(kept + hour.rest.unwrap().packets, sent, "nothing is lost of the sum");
        assert_eq!((hour.observed, gathered.refused), (sent, hour.rest.unwrap().packets));
    }

    #[test]
    fn hours_of_a_clock_gone_wild_are_bounded() {
        let mut gathered = Gathered::default();
        let hours = i64::try_from(MOST_HOURS).unwrap();
        for hour in 0..hours + 10 {
            gathered.add(0, &observation(Ipv4Addr::LOCALHOST, 23, hour * 3_600));
        }
        assert_eq!((gathered.hours.len(), gathered.refused), (MOST_HOURS, 10));
    }
}
