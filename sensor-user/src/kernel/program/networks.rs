//! Prefixes of sources, in the form in which the program looks them up: a bit for each network, and tries, which give
//! only the longest prefix around an address.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use sensor_common::policy::Networks;

use crate::config::Prefix;

/// Adds the networks that a prefix reaches into.
pub fn add_v4(networks: &mut Networks, address: Ipv4Addr, length: u8) {
    let first = Networks::of_v4(address.octets());
    // Host bits are 0, so that the first of them is that of the address.
    let last = first | u16::MAX.checked_shr(length.into()).unwrap_or(0);
    (first..=last).for_each(|network| networks.add(network));
}

/// Likewise.
pub fn add_v6(networks: &mut Networks, address: Ipv6Addr, length: u8) {
    /// Of so many networks each has a bit of its own, by and large; of more, all bits may as well be set.
    const FEW: u32 = 16;
    let beyond = 32_u32.saturating_sub(length.into());
    if beyond >= FEW {
        networks.0.fill(u8::MAX);
        return;
    }
    for network in 0..1_u128 << beyond {
        let address = Ipv6Addr::from_bits(address.to_bits() | network << 96);
        networks.add(Networks::of_v6(address.octets()));
    }
}

/// Joins to what each prefix carries what the prefixes around it carry.
pub fn with_enclosing<V: Copy>(prefixes: BTreeMap<Prefix, V>, join: fn(V, V) -> V) -> Vec<(Prefix, V)> {
    let mut enclosing: Vec<(Prefix, V)> = Vec::new();
    let mut all = Vec::with_capacity(prefixes.len());
    // In this order a prefix comes before all that lie in it.
    for (prefix, own) in prefixes {
        while enclosing.last().is_some_and(|(outer, _)| !outer.contains(prefix)) {
            enclosing.pop();
        }
        let carried = enclosing.last().map_or(own, |&(_, around)| join(own, around));
        enclosing.push((prefix, carried));
        all.push((prefix, carried));
    }
    all
}
