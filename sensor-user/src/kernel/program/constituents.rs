//! Whose addresses are whose, in the form in which the program looks them up.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Result, ensure};
use sensor_common::policy::{MAX_CONSTITUENTS, Networks};

use super::networks::{add_v4, add_v6, with_enclosing};
use crate::config::{NumberedConstituency, Prefix};

/// What the program is told about constituencies.
#[derive(Debug, PartialEq, Eq)]
pub struct Constituents {
    /// The networks of `members_v4`.
    pub networks_v4: Box<Networks>,
    /// The networks of `members_v6`.
    pub networks_v6: Box<Networks>,
    /// IPv4 prefixes and the number of whose they are.
    pub members_v4: Vec<(Ipv4Addr, u8, u32)>,
    /// IPv6 prefixes and the number of whose they are.
    pub members_v6: Vec<(Ipv6Addr, u8, u32)>,
}

impl Constituents {
    /// An address that several have belongs to the first of them.
    ///
    /// # Errors
    /// There are too many prefixes.
    pub fn new(constituencies: &[NumberedConstituency]) -> Result<Self> {
        let mut places = BTreeMap::new();
        for (place, constituency) in constituencies.iter().enumerate() {
            for &prefix in &constituency.members.prefixes {
                places.entry(prefix).or_insert(place);
            }
        }
        let mut constituents = Self {
            networks_v4: Box::new(Networks::NONE),
            networks_v6: Box::new(Networks::NONE),
            members_v4: Vec::new(),
            members_v6: Vec::new(),
        };
        for (prefix, place) in with_enclosing(places, usize::min) {
            let number = constituencies[place].number;
            match prefix {
                Prefix::V4 { address, length } => {
                    add_v4(&mut constituents.networks_v4, address, length);
                    constituents.members_v4.push((address, length, number));
                }
                Prefix::V6 { address, length } => {
                    add_v6(&mut constituents.networks_v6, address, length);
                    constituents.members_v6.push((address, length, number));
                }
            }
        }
        for (version, prefixes) in [(4, constituents.members_v4.len()), (6, constituents.members_v6.len())] {
            ensure!(
                prefixes <= MAX_CONSTITUENTS as usize,
                "constituencies have {prefixes} prefixes of IPv{version}, more than {MAX_CONSTITUENTS}: name fewer \
                 countries or autonomous systems"
            );
        }
        Ok(constituents)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::config::Members;

    /// What the program does with the tables.
    fn found(constituents: &Constituents, source: Ipv4Addr) -> Option<u32> {
        let (byte, bit) = Networks::place(Networks::of_v4(source.octets()));
        if constituents.networks_v4.0[byte] & bit == 0 {
            return None;
        }
        let around = |(address, length, _): &&(Ipv4Addr, u8, u32)| {
            Prefix::around(source.into(), *length).address() == IpAddr::V4(*address)
        };
        let members = constituents.members_v4.iter().filter(around);
        members.max_by_key(|(_, length, _)| *length).map(|&(_, _, number)| number)
    }

    /// Few bits, so that prefixes nest and sources fall into them.
    fn address() -> impl Strategy<Value = Ipv4Addr> {
        (0..16_u32).prop_map(|bits| Ipv4Addr::from_bits(0x0a00_0000 | bits << 20))
    }

    proptest! {
        #[test]
        fn an_address_belongs_to_the_first_that_has_it(
            members in vec(vec((address(), 0..33_u8), 0..4), 0..5),
            source in address(),
        ) {
            let numbered = |(place, prefixes): (usize, Vec<(Ipv4Addr, u8)>)| NumberedConstituency {
                // Not the place: that of a name that was known before.
                number: 200 - u32::try_from(place).expect("they are few"),
                members: Members {
                    name: String::new(),
                    prefixes: prefixes
                        .into_iter()
                        .map(|(address, length)| Prefix::around(address.into(), length))
                        .collect(),
                },
            };
            let constituencies: Vec<_> = members.into_iter().enumerate().map(numbered).collect();
            let has = |it: &&NumberedConstituency| {
                it.members.prefixes.iter().any(|prefix| prefix.contains(Prefix::around(source.into(), 32)))
            };
            let expected = constituencies.iter().find(has).map(|it| it.number);
            let constituents = Constituents::new(&constituencies).expect("they are few");
            prop_assert_eq!(found(&constituents, source), expected);
        }
    }
}
