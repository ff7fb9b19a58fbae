//! Allow rules, in the form in which the program looks them up.
//!
//! What every source may reach stands in a gate of its own. All else is looked up: first whether any rule may hold
//! for the source's network, and only then in a trie.
//!
//! A packet is allowed if one rule names its service and holds for its source. A trie gives only the longest
//! prefix around an address, so each prefix carries the rules of all prefixes that it lies in, too.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, Ipv6Addr};

use sensor_common::policy::{Gate, Networks, Rules};

use super::networks::{add_v4, add_v6, with_enclosing};
use crate::config::{Allow, Prefix};

/// What the program is told about whom it lets in.
#[derive(Debug, PartialEq, Eq)]
pub struct Management {
    /// The services that some rule names.
    pub gate: Box<Gate>,
    /// Those that every IPv4 source may reach.
    pub open_v4: Box<Gate>,
    /// Those that every IPv6 source may reach.
    pub open_v6: Box<Gate>,
    /// The networks of `sources_v4`.
    pub networks_v4: Box<Networks>,
    /// The networks of `sources_v6`.
    pub networks_v6: Box<Networks>,
    /// Number of a service's slot → the rules that name it.
    pub services: HashMap<u32, Rules>,
    /// IPv4 sources and the rules that hold for them.
    pub sources_v4: Vec<(Ipv4Addr, u8, Rules)>,
    /// IPv6 sources and the rules that hold for them.
    pub sources_v6: Vec<(Ipv6Addr, u8, Rules)>,
}

impl Management {
    /// Numbers the rules by their order.
    #[must_use]
    pub fn new(rules: &[Allow]) -> Self {
        let mut management = Self {
            gate: Box::new(Gate::CLOSED),
            open_v4: Box::new(Gate::CLOSED),
            open_v6: Box::new(Gate::CLOSED),
            networks_v4: Box::new(Networks::NONE),
            networks_v6: Box::new(Networks::NONE),
            services: HashMap::new(),
            sources_v4: Vec::new(),
            sources_v6: Vec::new(),
        };
        let mut sources = BTreeMap::new();
        for (number, rule) in rules.iter().enumerate() {
            for service in rule.services() {
                management.gate.open(service);
                *management.services.entry(service.index()).or_default() |= 1 << number;
            }
            for &prefix in &rule.from {
                match prefix {
                    Prefix::V4 { length: 0, .. } => {
                        rule.services().for_each(|service| management.open_v4.open(service));
                    }
                    Prefix::V6 { length: 0, .. } => {
                        rule.services().for_each(|service| management.open_v6.open(service));
                    }
                    _ => *sources.entry(prefix).or_default() |= 1 << number,
                }
            }
        }
        for (prefix, rules) in with_enclosing(sources, |own, around| own | around) {
            match prefix {
                Prefix::V4 { address, length } => {
                    add_v4(&mut management.networks_v4, address, length);
                    management.sources_v4.push((address, length, rules));
                }
                Prefix::V6 { address, length } => {
                    add_v6(&mut management.networks_v6, address, length);
                    management.sources_v6.push((address, length, rules));
                }
            }
        }
        management
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use sensor_common::layout::Slot;

    use super::*;

    /// What the program does with the tables.
    fn lets_in(management: &Management, source: IpAddr, service: Slot) -> bool {
        let passes = |gate: &Gate| {
            let (byte, bit) = Gate::place(service);
            gate.bits[byte] & bit != 0
        };
        if !passes(&management.gate) {
            return false;
        }
        let (open, networks, network) = match source {
            IpAddr::V4(source) => {
                (&management.open_v4, &management.networks_v4, Networks::of_v4(source.octets()))
            }
            IpAddr::V6(source) => {
                (&management.open_v6, &management.networks_v6, Networks::of_v6(source.octets()))
            }
        };
        let (byte, bit) = Networks::place(network);
        if passes(open) || networks.0[byte] & bit == 0 {
            return passes(open);
        }
        let holding = match source {
            IpAddr::V4(source) => management
                .sources_v4
                .iter()
                .filter(|(address, length, _)| Prefix::around(source.into(), *length).address() == *address)
                .max_by_key(|(_, length, _)| *length)
                .map(|&(_, _, rules)| rules),
            IpAddr::V6(source) => management
                .sources_v6
                .iter()
                .filter(|(address, length, _)| Prefix::around(source.into(), *length).address() == *address)
                .max_by_key(|(_, length, _)| *length)
                .map(|&(_, _, rules)| rules),
        };
        holding.unwrap_or(0) & management.services[&service.index()] != 0
    }

    /// Few bits, so that prefixes nest and sources fall into them.
    fn address() -> impl Strategy<Value = IpAddr> {
        let v4 = (0..16u32).prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | bits << 20)));
        let v6 = (0..16u128).prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(0x2001 << 112 | bits << 100)));
        prop_oneof![v4, v6]
    }

    fn rule() -> impl Strategy<Value = Allow> {
        let length = prop_oneof![1 => Just(0), 8 => 4..16_u8, 4 => 16..33_u8];
        let from =
            vec((address(), length).prop_map(|(address, length)| Prefix::around(address, length)), 1..5);
        (from, vec(0..4u16, 0..3), vec(0..4u16, 0..3), any::<bool>())
            .prop_map(|(from, tcp, udp, icmp_echo)| Allow { from, tcp, udp, icmp_echo })
    }

    proptest! {
        #[test]
        fn a_packet_is_let_in_exactly_if_one_rule_says_so(
            rules in vec(rule(), 0..6),
            source in address(),
            port in 0..4u16,
        ) {
            let management = Management::new(&rules);
            for service in [Slot::tcp(port), Slot::udp(port), Slot::ECHO_REQUEST, Slot::ECHO_REQUEST_V6] {
                let said = rules.iter().any(|rule| {
                    rule.from.iter().any(|from| from.contains(Prefix::around(source, 128)))
                        && rule.services().any(|named| named == service)
                });
                prop_assert_eq!(lets_in(&management, source, service), said);
            }
        }
    }
}
