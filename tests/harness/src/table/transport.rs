//! TCP, UDP, ICMP, `ICMPv6`, and every other protocol.

use sensor_common::layout::Slot;

use super::{Case, counted};
use crate::frame::{frame, protocol};

pub(super) fn cases() -> Vec<Case> {
    [tcp(), udp(), icmp(), others()].concat()
}

fn tcp() -> Vec<Case> {
    let tcp = |port| frame().ipv4().tcp(port);
    vec![
        counted("tcp_bare_syn", tcp(23).syn(), Slot::tcp(23)),
        counted("tcp_port_0", tcp(0).syn(), Slot::tcp(0)),
        counted("tcp_port_65535", tcp(65_535).syn(), Slot::tcp(65_535)),
        counted("tcp_over_ipv6_shares_the_slot", frame().ipv6().tcp(23).syn(), Slot::tcp(23)),
        counted("tcp_syn_ack", tcp(51_000).source_port(80).syn_ack(), Slot::tcp(51_000)),
        counted("tcp_reset", tcp(51_001).source_port(443).rst(), Slot::tcp(51_001)),
        counted("tcp_christmas", tcp(22).christmas(), Slot::tcp(22)),
        counted("tcp_without_flags", tcp(22), Slot::tcp(22)),
        counted("tcp_with_data", tcp(80).push().payload(*b"GET / HTTP/1.0\r\n\r\n"), Slot::tcp(80)),
        counted(
            "tcp_with_options",
            tcp(6379).syn().tcp_options(&[2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2]),
            Slot::tcp(6379),
        ),
        counted("tcp_with_40_bytes_of_options", tcp(6379).syn().tcp_options(&[1; 40]), Slot::tcp(6379)),
        counted("tcp_header_exactly_to_the_end", tcp(7).syn().data_offset(15).payload([0; 40]), Slot::tcp(7)),
    ]
}

fn udp() -> Vec<Case> {
    let udp = |port| frame().ipv4().udp(port);
    vec![
        counted("udp_empty", udp(1900), Slot::udp(1900)),
        counted("udp_with_data", udp(53).payload([0; 512]), Slot::udp(53)),
        counted("udp_port_0", udp(0), Slot::udp(0)),
        counted("udp_port_65535", udp(65_535), Slot::udp(65_535)),
        counted("udp_over_ipv6_shares_the_slot", frame().ipv6().udp(1900), Slot::udp(1900)),
        counted(
            "udp_shorter_than_its_packet",
            udp(11_211).payload([0; 20]).udp_length(10),
            Slot::udp(11_211),
        ),
        counted("udp_dhcp_server", udp(67).source_port(68), Slot::udp(67)),
        counted("udp_dhcp_client_from_elsewhere", udp(68).source_port(4444), Slot::udp(68)),
        counted("udp_length_of_a_full_frame", udp(443).payload(vec![0; 1472]), Slot::udp(443)),
    ]
}

fn icmp() -> Vec<Case> {
    let icmp = |kind, code| frame().ipv4().icmp(kind, code);
    let icmpv6 = |kind, code| frame().ipv6().icmpv6(kind, code);
    vec![
        counted("icmp_echo", icmp(8, 0).payload([0; 56]), Slot::icmp(8, 0)),
        counted("icmp_echo_reply", icmp(0, 0), Slot::icmp(0, 0)),
        counted("icmp_port_unreachable", icmp(3, 3).payload([0; 28]), Slot::icmp(3, 3)),
        counted("icmp_code_14", icmp(3, 14), Slot::icmp(3, 14)),
        counted("icmp_code_15", icmp(3, 15), Slot::icmp(3, 15)),
        counted("icmp_code_16_shares_slot_15", icmp(3, 16), Slot::icmp(3, 15)),
        counted("icmp_code_255_shares_slot_15", icmp(3, 255), Slot::icmp(3, 15)),
        counted("icmp_type_255", icmp(255, 0), Slot::icmp(255, 0)),
        counted("icmpv6_echo", icmpv6(128, 0).payload([0; 56]), Slot::icmpv6(128, 0)),
        counted("icmpv6_packet_too_big", icmpv6(2, 0).payload([0; 48]), Slot::icmpv6(2, 0)),
        counted("icmpv6_code_14", icmpv6(1, 14), Slot::icmpv6(1, 14)),
        counted("icmpv6_code_15", icmpv6(1, 15), Slot::icmpv6(1, 15)),
        counted("icmpv6_code_200_shares_slot_15", icmpv6(1, 200), Slot::icmpv6(1, 15)),
        counted("icmpv6_type_0", icmpv6(0, 0), Slot::icmpv6(0, 0)),
        counted("icmpv6_type_255", icmpv6(255, 255), Slot::icmpv6(255, 15)),
        counted(
            "icmp_over_ipv6_is_another_protocol",
            frame().ipv6().protocol(protocol::ICMP).payload([8, 0, 0, 0, 0, 0, 0, 0]),
            Slot::protocol_v6(protocol::ICMP),
        ),
        counted(
            "icmpv6_over_ipv4_is_another_protocol",
            frame().ipv4().protocol(protocol::ICMPV6).payload([128, 0, 0, 0, 0, 0, 0, 0]),
            Slot::protocol_v4(protocol::ICMPV6),
        ),
    ]
}

fn others() -> Vec<Case> {
    let v4 = |number| frame().ipv4().protocol(number).payload([0; 16]);
    let v6 = |number| frame().ipv6().protocol(number).payload([0; 16]);
    vec![
        counted("udp_lite", v4(136), Slot::protocol_v4(136)),
        counted("udp_lite_over_ipv6", v6(136), Slot::protocol_v6(136)),
        counted("sctp", v4(132), Slot::protocol_v4(132)),
        counted("sctp_over_ipv6", v6(132), Slot::protocol_v6(132)),
        counted("gre", v4(47), Slot::protocol_v4(47)),
        counted("gre_over_ipv6", v6(47), Slot::protocol_v6(47)),
        counted("esp", v4(50), Slot::protocol_v4(50)),
        counted("esp_over_ipv6", v6(50), Slot::protocol_v6(50)),
        counted("igmp_to_the_sensor", v4(2), Slot::protocol_v4(2)),
        counted("ip_in_ip", v4(4), Slot::protocol_v4(4)),
        counted("ipv6_in_ipv4", v4(41), Slot::protocol_v4(41)),
        counted("authentication_over_ipv4_is_a_protocol", v4(51), Slot::protocol_v4(51)),
        counted("hop_by_hop_over_ipv4_is_a_protocol", v4(0), Slot::protocol_v4(0)),
        counted("ipv4_protocol_255", v4(255), Slot::protocol_v4(255)),
        counted("ipv6_protocol_255", v6(255), Slot::protocol_v6(255)),
        counted("ipv4_protocol_without_payload", frame().ipv4().protocol(89), Slot::protocol_v4(89)),
        counted("ipv6_protocol_without_payload", frame().ipv6().protocol(89), Slot::protocol_v6(89)),
    ]
}
