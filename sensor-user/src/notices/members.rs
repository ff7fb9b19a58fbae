//! Which constituency an address belongs to: what the kernel counts by, for who is to be told.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::config::{Members, Prefix};

/// Prefixes, each with a place in some list: looked up by length, so that many cost no more than few.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    /// The first place that has the prefix.
    places: HashMap<Prefix, usize>,
    /// Lengths that there are, of IPv4 and of IPv6.
    lengths: [BTreeSet<u8>; 2],
}

impl Prefixes {
    /// Adds one, of a place that is behind all that were added.
    pub(super) fn add(&mut self, prefix: Prefix, place: usize) {
        self.places.entry(prefix).or_insert(place);
        let [v4, v6] = &mut self.lengths;
        match prefix {
            Prefix::V4 { length, .. } => v4.insert(length),
            Prefix::V6 { length, .. } => v6.insert(length),
        };
    }

    /// The first place that has an address.
    pub(super) fn first(&self, address: IpAddr) -> Option<usize> {
        let [v4, v6] = &self.lengths;
        let lengths = if address.is_ipv4() { v4 } else { v6 };
        let places = lengths.iter().filter_map(|&length| self.places.get(&Prefix::around(address, length)));
        places.min().copied()
    }
}

/// The prefixes of all constituencies.
#[derive(Debug, Default)]
pub(super) struct Constituencies {
    names: Vec<String>,
    prefixes: Prefixes,
}

impl Constituencies {
    pub(super) fn new<'a>(members: impl IntoIterator<Item = &'a Members>) -> Self {
        let mut constituencies = Self::default();
        for (place, Members { name, prefixes }) in members.into_iter().enumerate() {
            constituencies.names.push(name.clone());
            for &prefix in prefixes {
                constituencies.prefixes.add(prefix, place);
            }
        }
        constituencies
    }

    /// The first constituency that has an address.
    pub(super) fn of(&self, address: IpAddr) -> Option<&str> {
        self.prefixes.first(address).map(|place| self.names[place].as_str())
    }

    /// Their names, in the order of the configuration.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Few bits, so that prefixes nest and addresses fall into them.
    fn address() -> impl Strategy<Value = IpAddr> {
        (0..16_u32).prop_map(|bits| Ipv4Addr::from_bits(0x0a00_0000 | bits << 20).into())
    }

    proptest! {
        #[test]
        fn an_address_belongs_to_the_first_that_has_it(
            members in vec(vec((address(), 0..33_u8), 0..4), 0..5),
            of in address(),
        ) {
            let members: Vec<_> = members.into_iter().enumerate().map(|(place, prefixes)| Members {
                name: place.to_string(),
                prefixes: prefixes.into_iter().map(|(address, length)| Prefix::around(address, length)).collect(),
            }).collect();
            let has = |it: &&Members| it.prefixes.iter().any(|prefix| prefix.contains(Prefix::around(of, 32)));
            let expected = members.iter().find(has).map(|it| it.name.as_str());
            let constituencies = Constituencies::new(&members);
            prop_assert_eq!(constituencies.of(of), expected);
        }
    }
}
