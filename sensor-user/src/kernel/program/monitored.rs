//! Sensors and their prefixes, in the form in which the program looks them up.

use std::net::{Ipv4Addr, Ipv6Addr};

use sensor_common::policy::{InlineV4, InlineV6, MAX_INLINE_PREFIXES, Monitored, halves, lookup};

use crate::config::{NumberedSensor, Prefix, SensorNumber};

/// One IP version's prefixes, each with its sensor's number.
pub type Prefixes<A> = Vec<(A, u8, u32)>;

/// What the program is told: load-time constants, and what belongs into the tries.
#[derive(Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The load-time constant.
    pub monitored: Monitored,
    /// Prefixes for the IPv4 trie; empty if they are all inline.
    pub trie_v4: Prefixes<Ipv4Addr>,
    /// Prefixes for the IPv6 trie; empty if they are all inline.
    pub trie_v6: Prefixes<Ipv6Addr>,
}

impl Lookup {
    /// Decides how their prefixes are looked up.
    #[must_use]
    pub fn new(sensors: &[NumberedSensor]) -> Self {
        let first = sensors.first().map_or(0, |sensor| sensor.number.0);
        let monitored = Monitored { first, ..Monitored::default() };
        let mut lookup = Self { monitored, trie_v4: Vec::new(), trie_v6: Vec::new() };
        if sensors.iter().all(|numbered| numbered.sensor.prefixes.is_empty()) {
            lookup.monitored.lookup_v4 = lookup::EVERYTHING;
            lookup.monitored.lookup_v6 = lookup::EVERYTHING;
            return lookup;
        }
        for &NumberedSensor { number: SensorNumber(number), ref sensor } in sensors {
            for prefix in &sensor.prefixes {
                match *prefix {
                    Prefix::V4 { address, length } => lookup.trie_v4.push((address, length, number)),
                    Prefix::V6 { address, length } => lookup.trie_v6.push((address, length, number)),
                }
            }
        }
        lookup.monitored.lookup_v4 =
            inline(&mut lookup.trie_v4, &mut lookup.monitored.v4, |&(address, length, sensor)| InlineV4 {
                address: u32::from_ne_bytes(address.octets()),
                mask: u32::from_ne_bytes(leading_ones(length)),
                sensor,
            });
        lookup.monitored.lookup_v6 =
            inline(&mut lookup.trie_v6, &mut lookup.monitored.v6, |&(address, length, sensor)| InlineV6 {
                address: halves(address.octets()),
                mask: halves(leading_ones(length)),
                sensor: u64::from(sensor),
            });
        lookup
    }
}

/// Moves the prefixes inline if they fit there, and returns how they are to be looked up.
fn inline<P, I>(prefixes: &mut Vec<P>, inline: &mut [I; MAX_INLINE_PREFIXES], record: fn(&P) -> I) -> u32 {
    if prefixes.len() > MAX_INLINE_PREFIXES {
        return lookup::TRIE;
    }
    let mut count = 0;
    for (place, prefix) in inline.iter_mut().zip(prefixes.drain(..)) {
        *place = record(&prefix);
        count += 1;
    }
    count
}

/// A netmask of `length` bits, in network order.
fn leading_ones<const BYTES: usize>(length: u8) -> [u8; BYTES] {
    let mut mask = [0; BYTES];
    for bit in 0..usize::from(length) {
        mask[bit / 8] |= 0x80 >> (bit % 8);
    }
    mask
}
