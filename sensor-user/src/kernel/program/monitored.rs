//! Sensors and their prefixes, in the form in which the program looks them up.

use std::cmp::Reverse;
use std::net::{Ipv4Addr, Ipv6Addr};

use sensor_common::policy::{
    InlineV4, InlineV6, MAX_INLINE_PREFIXES, MAX_RANGES, Monitored, RangeV4, halves, lookup,
};

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
        let monitored = Monitored { first, lookup_v4: 0, lookup_v6: 0, ..Monitored::EVERYTHING };
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
        if let Some(ranges) = ranges(&lookup.trie_v4) {
            lookup.trie_v4.clear();
            lookup.monitored.lookup_v4 = lookup::RANGES;
            lookup.monitored.ranges = u32::try_from(ranges.len()).expect("there is room for few");
            lookup.monitored.ranges_v4[..ranges.len()].copy_from_slice(&ranges);
        } else {
            lookup.monitored.lookup_v4 =
                inline(&mut lookup.trie_v4, &mut lookup.monitored.v4, |&(address, length, sensor)| {
                    InlineV4 {
                        address: u32::from_ne_bytes(address.octets()),
                        mask: u32::from_ne_bytes(leading_ones(length)),
                        sensor,
                    }
                });
        }
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

/// IPv4 prefixes as sorted ranges of addresses; `None` if they are few enough to be compared one after another, or
/// too many. No address belongs to two sensors, so that a prefix within another is of the same.
fn ranges(prefixes: &Prefixes<Ipv4Addr>) -> Option<Vec<RangeV4>> {
    if prefixes.len() <= MAX_INLINE_PREFIXES {
        return None;
    }
    let mut ranges: Vec<_> = prefixes
        .iter()
        .map(|&(address, length, sensor)| {
            let first = address.to_bits();
            let last = first | u32::MAX.checked_shr(length.into()).unwrap_or(0);
            RangeV4 { first: first.into(), last, sensor }
        })
        .collect();
    ranges.sort_unstable_by_key(|range| (range.first, Reverse(range.last)));
    ranges.dedup_by(|inner, outer| inner.last <= outer.last);
    (ranges.len() <= MAX_RANGES).then_some(ranges)
}

/// A netmask of `length` bits, in network order.
fn leading_ones<const BYTES: usize>(length: u8) -> [u8; BYTES] {
    let mut mask = [0; BYTES];
    for bit in 0..usize::from(length) {
        mask[bit / 8] |= 0x80 >> (bit % 8);
    }
    mask
}
