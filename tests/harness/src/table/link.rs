//! Link control, and what only looks like it.
//!
//! Whether a destination is monitored is asked first: neighbour discovery to a multicast group belongs to
//! no sensor, and passes for that.

use std::net::{Ipv4Addr, Ipv6Addr};

use sensor_common::layout::{Passed, Slot};

use super::{Case, Verdict, case, counted, elsewhere, passed};
use crate::frame::{Extension, Frame, frame};

const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

pub(super) fn cases() -> Vec<Case> {
    [neighbour_discovery(), multicast_listeners(), multicast_groups(), dhcp()].concat()
}

/// A packet to an address of no sensor: it passes for that, or as link control where all is monitored.
fn link_elsewhere(name: &'static str, frame: Frame) -> Case {
    case(name, frame, Verdict::Pass(Passed::NotMonitored), Verdict::Pass(Passed::Link))
}

fn neighbour_discovery() -> Vec<Case> {
    let nd = |kind| frame().ipv6().from(ROUTER).hops(255).icmpv6(kind, 0).payload([0; 16]);
    vec![
        passed("nd_router_solicitation", nd(133), Passed::Link),
        passed("nd_router_advertisement", nd(134), Passed::Link),
        passed("nd_neighbour_solicitation", nd(135), Passed::Link),
        passed("nd_neighbour_advertisement", nd(136), Passed::Link),
        passed("nd_redirect", nd(137), Passed::Link),
        passed("nd_in_vlan", nd(135).vlan(5), Passed::Link),
        passed("nd_behind_an_extension", nd(135).extension(Extension::destination(0)), Passed::Link),
        link_elsewhere("nd_to_all_nodes", nd(134).to(ALL_NODES)),
        counted("nd_type_132_with_hop_limit_255", nd(132), Slot::icmpv6(132, 0)),
        counted("nd_type_138_with_hop_limit_255", nd(138), Slot::icmpv6(138, 0)),
        counted("nd_forwarded_hop_limit_64", nd(135).hops(64), Slot::icmpv6(135, 0)),
        counted("nd_forwarded_hop_limit_254", nd(136).hops(254), Slot::icmpv6(136, 0)),
    ]
}

fn multicast_listeners() -> Vec<Case> {
    let mld = |kind| {
        let alert = Extension::new(0, [0, 5, 2, 0, 0, 1, 0]);
        frame().ipv6().from(ROUTER).hops(1).extension(alert).icmpv6(kind, 0).payload([0; 20])
    };
    vec![
        passed("mld_query", mld(130), Passed::Link),
        passed("mld_report", mld(131), Passed::Link),
        passed("mld_done", mld(132), Passed::Link),
        passed("mld_report_version_2", mld(143), Passed::Link),
        passed("mld_from_no_address_yet", mld(143).from(Ipv6Addr::UNSPECIFIED), Passed::Link),
        link_elsewhere("mld_query_to_all_nodes", mld(130).to(ALL_NODES)),
        counted("mld_hop_limit_64", mld(130).hops(64), Slot::icmpv6(130, 0)),
        counted("mld_from_a_global_address", mld(130).from(crate::frame::SCANNER_V6), Slot::icmpv6(130, 0)),
        counted("mld_of_an_unknown_type", mld(144), Slot::icmpv6(144, 0)),
    ]
}

/// Only a sensor that monitors everything is asked about groups.
fn multicast_groups() -> Vec<Case> {
    let all_hosts = Ipv4Addr::new(224, 0, 0, 1);
    let igmp = |kind: u8| {
        let router_alert = [148, 4, 0, 0];
        let message = [kind, 100, 0, 0, 0, 0, 0, 0];
        frame().ipv4().to(all_hosts).hops(1).ip_options(&router_alert).protocol(2).payload(message)
    };
    let igmp_slot = Slot::protocol_v4(2);
    vec![
        link_elsewhere("igmp_query", igmp(0x11)),
        link_elsewhere("igmp_query_of_a_group", igmp(0x11).to(Ipv4Addr::new(239, 1, 2, 3))),
        link_elsewhere("igmp_query_from_no_address_yet", igmp(0x11).from(Ipv4Addr::UNSPECIFIED)),
        link_elsewhere("igmp_query_in_vlan", igmp(0x11).vlan(5)),
        link_elsewhere("igmp_report_version_1", igmp(0x12)),
        link_elsewhere("igmp_report_version_2", igmp(0x16)),
        link_elsewhere("igmp_leave", igmp(0x17)),
        link_elsewhere("igmp_report_version_3", igmp(0x22)),
        elsewhere("igmp_forwarded_time_to_live_2", igmp(0x11).hops(2), igmp_slot),
        elsewhere("igmp_of_an_unknown_type", igmp(0x13), igmp_slot),
        elsewhere("igmp_cut_short", igmp(0x11).ip_payload(7), igmp_slot),
        counted("igmp_query_to_the_sensor_itself", igmp(0x11).to(crate::frame::SENSOR_V4), igmp_slot),
    ]
}

fn dhcp() -> Vec<Case> {
    let dhcp = || frame().ipv4().udp(68).source_port(67).payload([2; 240]);
    let dhcpv6 = || frame().ipv6().from(ROUTER).udp(546).source_port(547).payload([7; 60]);
    let local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7);
    vec![
        passed("dhcp_offer", dhcp(), Passed::Link),
        link_elsewhere("dhcp_offer_by_broadcast", dhcp().to(Ipv4Addr::BROADCAST)),
        link_elsewhere("dhcpv6_reply", dhcpv6().to(local)),
        counted("dhcpv6_reply_to_a_global_address", dhcpv6(), Slot::udp(546)),
        counted("dhcp_ports_over_ipv6", frame().ipv6().udp(68).source_port(67), Slot::udp(68)),
        counted("dhcp_ports_swapped", dhcp().udp(67).source_port(68), Slot::udp(67)),
        elsewhere("dhcpv6_solicit", dhcpv6().udp(547).source_port(546).to(local), Slot::udp(547)),
    ]
}
