//! Which ICMP types and codes have a series of their own.
//!
//! Senders choose both bytes freely, so only the pairs that IANA has assigned, and that a host on the
//! Internet may be sent, are named; the rest of a protocol is counted together.

/// The highest code that has a slot of its own; the next one stands for itself and all above.
const LAST_EXACT_CODE: u8 = 14;

/// One assigned type, with its highest assigned code.
type Assigned = (u8, u8);

/// RFC 792, 950, 1256, 1812, 1393, 2521, 8335.
const ICMP: &[Assigned] = &[
    (0, 0),  // echo reply
    (3, 15), // destination unreachable
    (4, 0),  // source quench
    (5, 3),  // redirect
    (8, 0),  // echo request
    (9, 0),  // router advertisement
    (10, 0), // router solicitation
    (11, 1), // time exceeded
    (12, 2), // parameter problem
    (13, 0), // timestamp
    (14, 0), // timestamp reply
    (15, 0), // information request
    (16, 0), // information reply
    (17, 0), // address mask request
    (18, 0), // address mask reply
    (30, 0), // traceroute
    (40, 5), // Photuris
    (42, 0), // extended echo request
    (43, 4), // extended echo reply
];

/// RFC 4443, 8883, 2710, 4861, 4620, 3122, 3810, 6275, 4286, 8335.
const ICMPV6: &[Assigned] = &[
    (1, 8),   // destination unreachable
    (2, 0),   // packet too big
    (3, 1),   // time exceeded
    (4, 10),  // parameter problem
    (128, 0), // echo request
    (129, 0), // echo reply
    (130, 0), // multicast listener query
    (131, 0), // multicast listener report
    (132, 0), // multicast listener done
    (133, 0), // router solicitation
    (134, 0), // router advertisement
    (135, 0), // neighbour solicitation
    (136, 0), // neighbour advertisement
    (137, 0), // redirect
    (139, 2), // node information query
    (140, 2), // node information response
    (141, 0), // inverse neighbour discovery solicitation
    (142, 0), // inverse neighbour discovery advertisement
    (143, 0), // multicast listener report, version 2
    (144, 0), // home agent address discovery request
    (145, 0), // home agent address discovery reply
    (146, 0), // mobile prefix solicitation
    (147, 0), // mobile prefix advertisement
    (151, 0), // multicast router advertisement
    (152, 0), // multicast router solicitation
    (153, 0), // multicast router termination
    (160, 0), // extended echo request
    (161, 4), // extended echo reply
];

/// Type and code of every ICMP message that has a series, ascending.
pub fn icmp() -> impl Iterator<Item = (u8, u8)> {
    pairs(ICMP)
}

/// Type and code of every `ICMPv6` message that has a series, ascending.
pub fn icmpv6() -> impl Iterator<Item = (u8, u8)> {
    pairs(ICMPV6)
}

fn pairs(assigned: &'static [Assigned]) -> impl Iterator<Item = (u8, u8)> {
    assigned.iter().flat_map(|&(kind, last)| (0..=last).map(move |code| (kind, code)))
}

/// A slot's code as a label: the last slot of a type says that it counts higher codes too.
#[must_use]
pub fn code_label(code: u8) -> String {
    if code > LAST_EXACT_CODE { format!("{}+", LAST_EXACT_CODE + 1) } else { code.to_string() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use sensor_common::layout::{ICMP_CODES, Slot};

    use super::*;

    #[test]
    fn each_series_has_a_slot_of_its_own() {
        assert_eq!(u32::from(LAST_EXACT_CODE) + 2, ICMP_CODES);
        let slots: Vec<_> = icmp()
            .map(|(kind, code)| Slot::icmp(kind, code))
            .chain(icmpv6().map(|(kind, code)| Slot::icmpv6(kind, code)))
            .collect();
        assert_eq!(slots.iter().collect::<HashSet<_>>().len(), slots.len());
        assert!(slots.is_sorted());
    }

    #[test]
    fn the_last_code_is_labelled_for_what_it_is() {
        assert_eq!(code_label(14), "14");
        assert_eq!(code_label(15), "15+");
    }
}
