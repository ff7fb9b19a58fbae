//! Packets since the agent began to look, for metrics: by country, by autonomous system, by known scanner.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use jiff::Timestamp;
use sensor_common::layout::SlotKind;

use super::labels::Labels;
use super::lists::{Country, Lists};
use super::observation::Observation;
use super::window::{About, Window, Windows};
use crate::config::{Port, Transport};

/// How often it is looked who is to have a series, in seconds.
const RANK: i64 = 10;

/// Of a sensor.
pub(super) struct Totals {
    pub countries: Labels<Country>,
    pub unknown_country: u64,
    pub systems: Labels<u32>,
    pub unknown_system: u64,
    pub scanners: Labels<Arc<str>>,
    /// Packets of each known scanner, by which they are ranked: in this hour and in the last.
    by_scanner: [HashMap<Arc<str>, u64>; 2],
    /// Which hour that is.
    hour: i64,
    /// Packets from known scanners to ports that have a series.
    pub ports: HashMap<Port, u64>,
    /// Whose the systems with series are.
    pub names: HashMap<u32, String>,
    ranked: i64,
}

impl Totals {
    /// With so many series of each at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            countries: Labels::new(most),
            unknown_country: 0,
            systems: Labels::new(most),
            unknown_system: 0,
            scanners: Labels::new(most),
            by_scanner: Default::default(),
            hour: i64::MIN,
            ports: HashMap::new(),
            names: HashMap::new(),
            ranked: i64::MIN,
        }
    }

    /// With so many from now on.
    pub(super) fn bound(&mut self, most: usize) {
        self.countries.bound(most);
        self.systems.bound(most);
        self.scanners.bound(most);
    }

    /// Adds a packet. Of no known country and system is only what comes while these lists are in use.
    pub(super) fn add(&mut self, it: &Observation, about: &About, lists: &Lists) {
        match &about.country {
            Some(country) => self.countries.add(country),
            None => self.unknown_country += u64::from(lists.know_countries()),
        }
        match &about.system {
            Some(system) => self.systems.add(system),
            None => self.unknown_system += u64::from(lists.know_systems()),
        }
        let scanner = lists.scanner(it.address);
        if let Some(scanner) = scanner {
            self.scanners.add(scanner);
            let [this_hour, _] = &mut self.by_scanner;
            match this_hour.get_mut(scanner) {
                Some(packets) => *packets += 1,
                None => {
                    this_hour.insert(Arc::clone(scanner), 1);
                }
            }
            if let Some(packets) = port_of(it.slot).and_then(|port| self.ports.get_mut(&port)) {
                *packets += 1;
            }
        }
    }

    /// Whether a system has a series, and nobody has said whose it is.
    pub(super) fn wants_name(&self, system: u32) -> bool {
        self.systems.has(&system) && !self.names.contains_key(&system)
    }

    /// Packets from known scanners are counted from now on for these ports.
    pub(super) fn exported(&mut self, ports: &[Port]) {
        if self.ports.len() == ports.len() && ports.iter().all(|port| self.ports.contains_key(port)) {
            return;
        }
        let before = std::mem::take(&mut self.ports);
        self.ports =
            ports.iter().map(|&port| (port, before.get(&port).copied().unwrap_or_default())).collect();
    }

    /// Looks now and then who is to have a series.
    pub(super) fn tick(&mut self, now: Timestamp, hours: &Windows) {
        if now.as_second().abs_diff(self.ranked) < RANK.unsigned_abs() {
            return;
        }
        self.ranked = now.as_second();
        self.countries
            .rank(&packets(hours, |window| window.countries.iter().map(|(&of, part)| (of, part.packets))));
        self.systems
            .rank(&packets(hours, |window| window.systems.iter().map(|(&of, part)| (of, part.packets))));
        self.names.retain(|system, _| self.systems.has(system));
        self.rank_scanners(now);
    }

    fn rank_scanners(&mut self, now: Timestamp) {
        let [this_hour, last_hour] = &mut self.by_scanner;
        let hour = now.as_second().div_euclid(3_600);
        if self.hour != hour {
            self.hour = hour;
            *last_hour = std::mem::take(this_hour);
        }
        // Lists that are exchanged again and again may all have other names.
        if this_hour.len() > 2 * Lists::MOST_SCANNERS {
            this_hour.clear();
        }
        let mut packets = this_hour.clone();
        for (scanner, before) in last_hour {
            *packets.entry(Arc::clone(scanner)).or_default() += *before;
        }
        self.scanners.rank(&packets);
    }
}

fn port_of(slot: SlotKind) -> Option<Port> {
    match slot {
        SlotKind::Tcp(number) => Some(Port { transport: Transport::Tcp, number }),
        SlotKind::Udp(number) => Some(Port { transport: Transport::Udp, number }),
        _ => None,
    }
}

/// Packets in the last window and the current one together.
fn packets<'a, K: Copy + Eq + Hash, I: Iterator<Item = (Option<K>, u64)>>(
    windows: &'a Windows,
    parts: impl Fn(&'a Window) -> I,
) -> HashMap<K, u64> {
    let mut packets = HashMap::new();
    for (of, count) in windows.both().flat_map(|window| parts(window)) {
        if let Some(of) = of {
            *packets.entry(of).or_default() += count;
        }
    }
    packets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::select::Drain;

    #[test]
    fn scanners_are_ranked_by_this_hour_and_the_last() {
        let mut totals = Totals::new(1);
        let at = |hour: i64| Timestamp::from_second(3_600 * hour + 1).unwrap();
        let mut hour = |hour, scanner: &str, packets| {
            totals.rank_scanners(at(hour));
            let [this_hour, _] = &mut totals.by_scanner;
            this_hour.insert(scanner.into(), packets);
            totals.rank_scanners(at(hour));
            let (series, _) = totals.scanners.shown(Drain::default());
            series.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(hour(0, "before", 1_000), ["before"]);
        assert_eq!(hour(1, "now", 10), ["before"]);
        assert_eq!(hour(2, "now", 10), ["now"]);
    }
}
