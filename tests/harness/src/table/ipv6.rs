//! IPv6: extension headers, fragments, destinations.

use std::net::Ipv6Addr;

use sensor_common::layout::{Malformed, Slot};

use super::{Case, ELSEWHERE_V6, SECOND_V6, counted, counted_by_second, elsewhere};
use crate::frame::{Extension, Frame, frame, protocol};

pub(super) fn cases() -> Vec<Case> {
    [extensions(), chains(), fragments(), destinations()].concat()
}

fn syn() -> Frame {
    frame().ipv6().tcp(443).syn()
}

/// A SYN behind these extension headers.
fn behind(extensions: impl IntoIterator<Item = Extension>) -> Frame {
    extensions.into_iter().fold(syn(), Frame::extension)
}

fn extensions() -> Vec<Case> {
    let slot = Slot::tcp(443);
    vec![
        counted("ipv6_without_extensions", syn(), slot),
        counted("ipv6_hop_by_hop", behind([Extension::hop_by_hop()]), slot),
        counted("ipv6_routing", behind([Extension::routing()]), slot),
        counted("ipv6_destination_options", behind([Extension::destination(0)]), slot),
        counted("ipv6_destination_options_of_24_bytes", behind([Extension::destination(2)]), slot),
        counted("ipv6_destination_options_of_1_kib", behind([Extension::destination(127)]), slot),
        counted("ipv6_authentication", behind([Extension::authentication()]), slot),
        counted("ipv6_atomic_fragment", behind([Extension::fragment(0, false)]), slot),
        counted(
            "ipv6_extension_before_icmpv6",
            frame().ipv6().extension(Extension::hop_by_hop()).icmpv6(128, 0),
            Slot::icmpv6(128, 0),
        ),
        counted(
            "ipv6_extension_before_udp",
            frame().ipv6().extension(Extension::routing()).udp(123),
            Slot::udp(123),
        ),
        counted(
            "ipv6_no_next_header",
            frame().ipv6().protocol(protocol::NO_NEXT_HEADER),
            Slot::protocol_v6(protocol::NO_NEXT_HEADER),
        ),
        counted(
            "ipv6_no_next_header_behind_an_extension",
            frame().ipv6().extension(Extension::destination(0)).protocol(protocol::NO_NEXT_HEADER),
            Slot::protocol_v6(protocol::NO_NEXT_HEADER),
        ),
        counted(
            "ipv6_mobility_is_a_protocol",
            frame().ipv6().protocol(135).payload([59, 0, 0, 0, 0, 0, 0, 0]),
            Slot::protocol_v6(135),
        ),
        counted("ipv6_hop_limit_0", syn().hops(0), slot),
    ]
}

fn chains() -> Vec<Case> {
    let all = || {
        [
            Extension::hop_by_hop(),
            Extension::destination(1),
            Extension::routing(),
            Extension::fragment(0, false),
            Extension::authentication(),
            Extension::destination(0),
        ]
    };
    let many = |count| behind(std::iter::repeat_n(Extension::destination(0), count));
    let too_deep = Slot::malformed(Malformed::Ipv6ExtensionDepth);
    vec![
        counted("ipv6_every_extension_in_order", behind(all()), Slot::tcp(443)),
        counted("ipv6_every_extension_in_vlan", behind(all()).service_vlan(3).vlan(4), Slot::tcp(443)),
        counted("ipv6_7_extensions", many(7), Slot::tcp(443)),
        counted("ipv6_8_extensions", many(8), Slot::tcp(443)),
        counted("ipv6_9_extensions", many(9), too_deep),
        counted("ipv6_40_extensions", many(40), too_deep),
        counted(
            "ipv6_8_extensions_the_last_a_later_fragment",
            behind((0..7).map(|_| Extension::destination(0)).chain([Extension::fragment(100, false)])),
            Slot::fragment(protocol::TCP),
        ),
        counted(
            "ipv6_8_extensions_of_128_bytes",
            (0..8).map(|_| Extension::destination(15)).fold(frame().ipv6().udp(161), Frame::extension),
            Slot::udp(161),
        ),
    ]
}

fn fragments() -> Vec<Case> {
    let later = |number| {
        let fragment = Extension::fragment(181, true);
        frame().ipv6().extension(fragment).protocol(number).payload([0; 80])
    };
    let first = || frame().ipv6().extension(Extension::fragment(0, true));
    vec![
        counted(
            "ipv6_first_fragment_of_udp",
            first().udp(53).udp_length(4000).payload([0; 1200]),
            Slot::udp(53),
        ),
        counted("ipv6_first_fragment_of_tcp", first().tcp(25).push().payload([0; 4]), Slot::tcp(25)),
        counted(
            "ipv6_first_fragment_of_icmpv6",
            first().icmpv6(128, 0).payload([0; 100]),
            Slot::icmpv6(128, 0),
        ),
        counted("ipv6_later_fragment_of_udp", later(protocol::UDP), Slot::fragment(protocol::UDP)),
        counted("ipv6_later_fragment_of_tcp", later(protocol::TCP), Slot::fragment(protocol::TCP)),
        counted("ipv6_later_fragment_of_icmpv6", later(protocol::ICMPV6), Slot::fragment(protocol::ICMPV6)),
        counted("ipv6_later_fragment_of_destination_options", later(60), Slot::fragment(60)),
        counted(
            "ipv6_fragment_at_the_least_offset",
            frame().ipv6().extension(Extension::fragment(1, false)).protocol(protocol::UDP).payload([0; 8]),
            Slot::fragment(protocol::UDP),
        ),
        counted(
            "ipv6_later_fragment_behind_hop_by_hop",
            frame()
                .ipv6()
                .extension(Extension::hop_by_hop())
                .extension(Extension::fragment(10, false))
                .protocol(protocol::TCP)
                .payload([0; 8]),
            Slot::fragment(protocol::TCP),
        ),
    ]
}

fn destinations() -> Vec<Case> {
    let to = |address: Ipv6Addr| syn().to(address);
    let last = Ipv6Addr::new(0x2001, 0xdb8, 8, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff);
    let broken = Slot::malformed(Malformed::UdpTruncated);
    vec![
        counted_by_second("ipv6_second_sensor", to(SECOND_V6), Slot::tcp(443)),
        counted_by_second("ipv6_last_address_of_a_prefix", to(last), Slot::tcp(443)),
        counted_by_second(
            "ipv6_malformed_to_second_sensor",
            frame().ipv6().to(SECOND_V6).udp(53).ip_payload(7),
            broken,
        ),
        elsewhere("ipv6_not_monitored", to(ELSEWHERE_V6), Slot::tcp(443)),
        elsewhere(
            "ipv6_all_nodes_multicast",
            frame().ipv6().to(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)).udp(5353),
            Slot::udp(5353),
        ),
        elsewhere(
            "ipv6_malformed_not_monitored",
            frame().ipv6().to(ELSEWHERE_V6).udp(53).ip_payload(7),
            broken,
        ),
    ]
}
