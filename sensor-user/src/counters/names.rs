//! What an IP protocol is called in metrics and in the slots API.
//!
//! A name, once out, is part of other people's queries: only add to the list.

use std::borrow::Cow;

use sensor_common::layout::SlotKind;

use crate::config::Transport;

/// IANA's keywords of the protocols that a sensor may well see, in lower case and without punctuation.
const NAMES: &[(u8, &str)] = &[
    (0, "hopopt"),
    (ICMP, "icmp"),
    (2, "igmp"),
    (3, "ggp"),
    (4, "ipv4"),
    (TCP, "tcp"),
    (8, "egp"),
    (9, "igp"),
    (UDP, "udp"),
    (27, "rdp"),
    (33, "dccp"),
    (41, "ipv6"),
    (43, "ipv6-route"),
    (44, "ipv6-frag"),
    (46, "rsvp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (55, "mobile"),
    (ICMPV6, "icmpv6"),
    (59, "ipv6-nonxt"),
    (60, "ipv6-opts"),
    (88, "eigrp"),
    (89, "ospf"),
    (94, "ipip"),
    (97, "etherip"),
    (98, "encap"),
    (103, "pim"),
    (108, "ipcomp"),
    (112, "vrrp"),
    (115, "l2tp"),
    (132, "sctp"),
    (133, "fc"),
    (135, "mobility"),
    (136, "udplite"),
    (137, "mpls-in-ip"),
    (138, "manet"),
    (139, "hip"),
    (140, "shim6"),
    (141, "wesp"),
    (142, "rohc"),
    (143, "ethernet"),
];

/// ICMP's protocol number.
pub const ICMP: u8 = 1;
/// TCP's protocol number.
pub const TCP: u8 = 6;
/// UDP's protocol number.
pub const UDP: u8 = 17;
/// `ICMPv6`'s protocol number.
pub const ICMPV6: u8 = 58;

/// The transport's name.
#[must_use]
pub const fn transport(of: Transport) -> &'static str {
    match of {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    }
}

/// The protocol's name, or its number in decimal.
#[must_use]
pub fn protocol(number: u8) -> Cow<'static, str> {
    match NAMES.binary_search_by_key(&number, |&(number, _)| number) {
        Ok(at) => NAMES[at].1.into(),
        Err(_) => number.to_string().into(),
    }
}

/// A slot in words for people, as in `23/tcp` and `icmp 8/0`.
#[must_use]
pub fn slot_name(slot: SlotKind) -> String {
    match slot {
        SlotKind::Tcp(port) => format!("{port}/tcp"),
        SlotKind::Udp(port) => format!("{port}/udp"),
        SlotKind::Icmp(kind, code) => format!("icmp {kind}/{code}"),
        SlotKind::Icmpv6(kind, code) => format!("icmpv6 {kind}/{code}"),
        SlotKind::ProtocolV4(number) => format!("{} over ipv4", protocol(number)),
        SlotKind::ProtocolV6(number) => format!("{} over ipv6", protocol(number)),
        SlotKind::Fragment(number) => format!("{} fragment", protocol(number)),
        SlotKind::Malformed(reason) => format!("malformed {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(1, "icmp")]
    #[case(4, "ipv4")]
    #[case(6, "tcp")]
    #[case(17, "udp")]
    #[case(47, "gre")]
    #[case(58, "icmpv6")]
    #[case(136, "udplite")]
    #[case(255, "255")]
    fn known_protocols_have_names(#[case] number: u8, #[case] name: &str) {
        assert_eq!(protocol(number), name);
    }

    #[test]
    fn no_two_protocols_share_a_name() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
        let names: HashSet<_> = (0..=u8::MAX).map(protocol).collect();
        assert_eq!(names.len(), 256);
        assert!(!names.contains("malformed"));
    }
}
