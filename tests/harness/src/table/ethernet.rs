//! Ethernet, VLAN tags, and what isn't IP.

use sensor_common::layout::{Passed, Slot};

use super::{Case, counted, counted_by_second, passed};
use crate::frame::frame;

pub(super) fn cases() -> Vec<Case> {
    let syn = || frame().ipv4().tcp(23).syn();
    let query = || frame().ipv6().udp(53);
    vec![
        counted("untagged", syn(), Slot::tcp(23)),
        counted("padded_to_60_bytes", syn().padded(60), Slot::tcp(23)),
        counted("padded_far_beyond_the_packet", query().padded(600), Slot::udp(53)),
        counted("vlan_tag", syn().vlan(7), Slot::tcp(23)),
        counted("vlan_tag_before_ipv6", query().vlan(7), Slot::udp(53)),
        counted("vlan_tag_with_priority_only", syn().vlan(0xe000), Slot::tcp(23)),
        counted("service_tag", syn().service_vlan(7), Slot::tcp(23)),
        counted("customer_tag_in_service_tag", syn().service_vlan(7).vlan(9), Slot::tcp(23)),
        counted("two_vlan_tags", query().vlan(7).vlan(9), Slot::udp(53)),
        counted("tags_in_the_wrong_order", syn().vlan(7).service_vlan(9), Slot::tcp(23)),
        counted_by_second(
            "two_tags_to_the_second_sensor",
            frame().service_vlan(1).vlan(4094).ipv6().to(super::SECOND_V6).tcp(443).syn(),
            Slot::tcp(443),
        ),
        passed("three_vlan_tags", syn().vlan(7).vlan(8).vlan(9), Passed::NonIp),
        passed("first_tag_cut_off", syn().vlan(7).cut(14), Passed::NonIp),
        passed("first_tag_cut_short", syn().vlan(7).cut(17), Passed::NonIp),
        passed("second_tag_cut_short", syn().vlan(7).vlan(9).cut(21), Passed::NonIp),
        passed("outdated_qinq_tag", syn().ether_type(0x9100), Passed::NonIp),
        passed("arp", frame().ether_type(0x0806).payload(arp()).padded(60), Passed::NonIp),
        passed("arp_in_vlan", frame().vlan(7).ether_type(0x0806).payload(arp()), Passed::NonIp),
        passed("lldp", frame().ether_type(0x88cc).payload([2, 7, 4, 2, 0, 0, 0, 0, 2]), Passed::NonIp),
        passed("spanning_tree", frame().ether_type(38).payload([0x42, 0x42, 3]).padded(60), Passed::NonIp),
        passed("mpls", frame().ether_type(0x8847).payload([0, 0, 0x11, 64]), Passed::NonIp),
        passed("pppoe", frame().ether_type(0x8864).payload([0x11, 0, 0, 1, 0, 0]), Passed::NonIp),
        passed("ethernet_header_only", frame().ether_type(0x88b5), Passed::NonIp),
        passed("ethernet_header_cut_short", syn().cut(13), Passed::NonIp),
        passed("one_byte", syn().cut(1), Passed::NonIp),
        passed("nothing", syn().cut(0), Passed::NonIp),
    ]
}

/// A request for who has the sensor's address (RFC 826).
fn arp() -> Vec<u8> {
    let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, 1];
    bytes.extend([2, 0, 0, 0, 0, 2, 203, 0, 113, 66, 0, 0, 0, 0, 0, 0, 198, 51, 100, 7]);
    bytes
}
