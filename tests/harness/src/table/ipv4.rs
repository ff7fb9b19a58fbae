//! IPv4: options, fragments, destinations.

use std::net::Ipv4Addr;

use sensor_common::layout::{Malformed, Slot};

use super::{Case, ELSEWHERE_V4, SECOND_V4, counted, counted_by_second, elsewhere};
use crate::frame::{frame, protocol};

const NO_OPERATION: u8 = 1;

pub(super) fn cases() -> Vec<Case> {
    [options(), fragments(), destinations()].concat()
}

fn options() -> Vec<Case> {
    let syn = || frame().ipv4().tcp(8080).syn();
    vec![
        counted("ipv4_without_options", syn(), Slot::tcp(8080)),
        counted("ipv4_router_alert", syn().ip_options(&[148, 4, 0, 0]), Slot::tcp(8080)),
        counted("ipv4_options_of_40_bytes", syn().ip_options(&[NO_OPERATION; 40]), Slot::tcp(8080)),
        counted(
            "ipv4_source_route",
            frame().ipv4().ip_options(&[131, 7, 4, 192, 0, 2, 1, 0]).udp(5060),
            Slot::udp(5060),
        ),
        counted("ipv4_options_that_lie", syn().ip_options(&[7, 255, 4, 0]), Slot::tcp(8080)),
        counted("ipv4_ttl_0", syn().hops(0), Slot::tcp(8080)),
        counted("ipv4_behind_padding_is_ignored", syn().payload([0xff; 3]).padded(64), Slot::tcp(8080)),
    ]
}

fn fragments() -> Vec<Case> {
    let first = |payload: usize| frame().ipv4().fragment(0, true).udp(53).payload(vec![0; payload]);
    let later = |number| frame().ipv4().fragment(185, false).protocol(number).payload([0; 64]);
    vec![
        counted("ipv4_first_fragment_of_udp", first(1472).udp_length(3000), Slot::udp(53)),
        counted(
            "ipv4_first_fragment_of_tcp",
            frame().ipv4().fragment(0, true).tcp(80).push().payload([0; 12]),
            Slot::tcp(80),
        ),
        counted(
            "ipv4_first_fragment_of_icmp",
            frame().ipv4().fragment(0, true).icmp(8, 0).payload([0; 1000]),
            Slot::icmp(8, 0),
        ),
        counted("ipv4_later_fragment_of_udp", later(protocol::UDP), Slot::fragment(protocol::UDP)),
        counted("ipv4_later_fragment_of_tcp", later(protocol::TCP), Slot::fragment(protocol::TCP)),
        counted("ipv4_later_fragment_of_icmp", later(protocol::ICMP), Slot::fragment(protocol::ICMP)),
        counted("ipv4_later_fragment_of_gre", later(47), Slot::fragment(47)),
        counted(
            "ipv4_middle_fragment",
            frame().ipv4().fragment(185, true).protocol(protocol::UDP).payload([0; 8]),
            Slot::fragment(protocol::UDP),
        ),
        counted(
            "ipv4_fragment_at_the_least_offset",
            frame().ipv4().fragment(1, false).protocol(protocol::TCP).payload([0; 8]),
            Slot::fragment(protocol::TCP),
        ),
        counted(
            "ipv4_fragment_at_the_largest_offset",
            frame().ipv4().fragment(0x1fff, false).protocol(protocol::UDP).payload([0; 8]),
            Slot::fragment(protocol::UDP),
        ),
        counted(
            "ipv4_fragment_without_payload",
            frame().ipv4().fragment(185, false).protocol(protocol::UDP),
            Slot::fragment(protocol::UDP),
        ),
        counted(
            "ipv4_dont_fragment_is_no_fragment",
            frame().ipv4().dont_fragment().tcp(22).syn(),
            Slot::tcp(22),
        ),
        counted(
            "ipv4_first_fragment_too_short_for_tcp",
            frame().ipv4().fragment(0, true).tcp(80).syn().ip_payload(8),
            Slot::malformed(Malformed::TcpTruncated),
        ),
    ]
}

fn destinations() -> Vec<Case> {
    let syn = |to: Ipv4Addr| frame().ipv4().to(to).tcp(445).syn();
    let broken = |to: Ipv4Addr| frame().ipv4().to(to).tcp(445).data_offset(4);
    let truncated = Slot::malformed(Malformed::TcpDataOffset);
    vec![
        counted_by_second("ipv4_second_sensor", syn(SECOND_V4), Slot::tcp(445)),
        counted_by_second("ipv4_first_address_of_a_prefix", syn([198, 51, 100, 128].into()), Slot::tcp(445)),
        counted_by_second("ipv4_last_address_of_a_prefix", syn([198, 51, 100, 255].into()), Slot::tcp(445)),
        counted_by_second("ipv4_malformed_to_second_sensor", broken(SECOND_V4), truncated),
        elsewhere("ipv4_not_monitored", syn(ELSEWHERE_V4), Slot::tcp(445)),
        elsewhere("ipv4_just_below_a_prefix", syn([198, 51, 100, 127].into()), Slot::tcp(445)),
        elsewhere("ipv4_broadcast", frame().ipv4().to(Ipv4Addr::BROADCAST).udp(137), Slot::udp(137)),
        elsewhere(
            "ipv4_multicast_igmp",
            frame().ipv4().to(Ipv4Addr::new(224, 0, 0, 22)).hops(1).ip_options(&[148, 4, 0, 0]).protocol(2),
            Slot::protocol_v4(2),
        ),
        elsewhere("ipv4_malformed_not_monitored", broken(ELSEWHERE_V4), truncated),
    ]
}
