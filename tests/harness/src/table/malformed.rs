//! Every way for a header to be cut short or to lie about its length.

use sensor_common::layout::{Malformed, Slot};

use super::{Case, counted};
use crate::frame::{ETHERNET, Extension, Frame, frame};

const IPV4: usize = 20;
const IPV6: usize = 40;

pub(super) fn cases() -> Vec<Case> {
    [ipv4(), ipv6(), extensions(), tcp(), udp(), icmp()].concat()
}

fn malformed(name: &'static str, frame: Frame, reason: Malformed) -> Case {
    counted(name, frame, Slot::malformed(reason))
}

fn ipv4() -> Vec<Case> {
    use Malformed::{Ipv4HeaderLength, Ipv4TotalLength, Ipv4Truncated, Ipv4Version};
    let syn = || frame().ipv4().tcp(23).syn();
    vec![
        malformed("ipv4_nothing_behind_ethernet", syn().cut(ETHERNET), Ipv4Truncated),
        malformed("ipv4_one_byte", syn().cut(ETHERNET + 1), Ipv4Truncated),
        malformed("ipv4_header_of_19_bytes", syn().cut(ETHERNET + IPV4 - 1), Ipv4Truncated),
        malformed("ipv4_header_cut_short_in_vlan", syn().vlan(7).cut(ETHERNET + IPV4), Ipv4Truncated),
        malformed("ipv4_version_0", syn().version(0), Ipv4Version),
        malformed("ipv4_version_5", syn().version(5), Ipv4Version),
        malformed("ipv4_version_6", syn().version(6), Ipv4Version),
        malformed("ipv4_ether_type_says_so_of_ipv6", frame().ipv6().udp(1).ether_type(0x0800), Ipv4Version),
        malformed("ipv4_header_of_no_words", syn().header_words(0), Ipv4HeaderLength),
        malformed("ipv4_header_of_4_words", syn().header_words(4), Ipv4HeaderLength),
        malformed("ipv4_header_longer_than_the_packet", syn().header_words(11), Ipv4HeaderLength),
        malformed("ipv4_total_length_0", syn().total_length(0), Ipv4HeaderLength),
        malformed("ipv4_total_length_19", syn().total_length(19), Ipv4HeaderLength),
        malformed("ipv4_total_length_one_too_many", syn().total_length(41), Ipv4TotalLength),
        malformed("ipv4_total_length_65535", syn().total_length(65_535), Ipv4TotalLength),
        malformed("ipv4_frame_cut_off", syn().payload([0; 100]).cut(100), Ipv4TotalLength),
        malformed("ipv4_header_only_of_more", syn().cut(ETHERNET + IPV4), Ipv4TotalLength),
        malformed("ipv4_one_byte_missing_in_vlan", syn().vlan(1).cut(57), Ipv4TotalLength),
    ]
}

fn ipv6() -> Vec<Case> {
    use Malformed::{Ipv6PayloadLength, Ipv6Truncated, Ipv6Version};
    let syn = || frame().ipv6().tcp(23).syn();
    vec![
        malformed("ipv6_nothing_behind_ethernet", syn().cut(ETHERNET), Ipv6Truncated),
        malformed("ipv6_header_of_39_bytes", syn().cut(ETHERNET + IPV6 - 1), Ipv6Truncated),
        malformed("ipv6_header_cut_short_in_two_tags", syn().vlan(1).vlan(2).cut(61), Ipv6Truncated),
        malformed("ipv6_version_4", syn().version(4), Ipv6Version),
        malformed("ipv6_version_15", syn().version(15), Ipv6Version),
        malformed(
            "ipv6_ether_type_says_so_of_ipv4",
            frame().ipv4().udp(1).payload([0; 20]).ether_type(0x86dd),
            Ipv6Version,
        ),
        malformed("ipv6_payload_length_one_too_many", syn().payload_length(21), Ipv6PayloadLength),
        malformed("ipv6_payload_length_65535", syn().payload_length(65_535), Ipv6PayloadLength),
        malformed("ipv6_frame_cut_off", syn().payload([0; 100]).cut(100), Ipv6PayloadLength),
        malformed("ipv6_payload_length_0", syn().payload_length(0), Malformed::TcpTruncated),
    ]
}

fn extensions() -> Vec<Case> {
    use Malformed::Ipv6ExtensionTruncated as Truncated;
    let behind = |extension| frame().ipv6().extension(extension).tcp(23).syn();
    let length = |kind, length: u8| Extension::new(kind, [length, 1, 4, 0, 0, 0, 0]);
    vec![
        malformed(
            "ipv6_hop_by_hop_cut_off",
            behind(Extension::hop_by_hop()).ip_payload(0).payload_length(0),
            Truncated,
        ),
        malformed("ipv6_hop_by_hop_beyond_the_packet", behind(length(0, 255)), Truncated),
        malformed("ipv6_routing_beyond_the_packet", behind(length(43, 3)), Truncated),
        malformed("ipv6_destination_options_beyond_the_packet", behind(length(60, 200)), Truncated),
        malformed("ipv6_authentication_beyond_the_packet", behind(length(51, 60)), Truncated),
        malformed("ipv6_extension_of_7_bytes", behind(Extension::routing()).payload_length(7), Truncated),
        malformed(
            "ipv6_fragment_header_of_7_bytes",
            behind(Extension::fragment(0, true)).payload_length(7),
            Truncated,
        ),
        malformed(
            "ipv6_second_extension_cut_short",
            behind(Extension::routing()).extension(Extension::destination(0)).payload_length(15),
            Truncated,
        ),
        malformed(
            "ipv6_jumbogram",
            behind(Extension::new(0, [0, 0xc2, 4, 0, 1, 0, 0])).payload_length(0),
            Truncated,
        ),
        malformed(
            "ipv6_extension_before_a_cut_tcp",
            behind(Extension::routing()).payload_length(27),
            Malformed::TcpTruncated,
        ),
    ]
}

fn tcp() -> Vec<Case> {
    use Malformed::{TcpDataOffset, TcpTruncated};
    let (v4, v6) = (frame().ipv4().tcp(23).syn(), frame().ipv6().tcp(23).syn());
    vec![
        malformed("tcp_without_a_byte", v4.clone().ip_payload(0), TcpTruncated),
        malformed("tcp_ports_only", v4.clone().ip_payload(4), TcpTruncated),
        malformed("tcp_header_of_19_bytes", v4.clone().ip_payload(19), TcpTruncated),
        malformed("tcp_header_of_19_bytes_and_padding", v4.clone().ip_payload(19).padded(60), TcpTruncated),
        malformed("tcp_header_of_19_bytes_over_ipv6", v6.clone().ip_payload(19), TcpTruncated),
        malformed(
            "tcp_header_in_ipv4_options",
            v4.clone().ip_options(&[1; 20]).total_length(40),
            TcpTruncated,
        ),
        malformed("tcp_data_offset_0", v4.clone().data_offset(0), TcpDataOffset),
        malformed("tcp_data_offset_4", v4.clone().data_offset(4), TcpDataOffset),
        malformed("tcp_data_offset_beyond_the_packet", v4.clone().data_offset(6), TcpDataOffset),
        malformed("tcp_data_offset_into_the_padding", v4.data_offset(6).padded(60), TcpDataOffset),
        malformed("tcp_data_offset_over_ipv6", v6.data_offset(15), TcpDataOffset),
    ]
}

fn udp() -> Vec<Case> {
    use Malformed::{UdpLength, UdpTruncated};
    let (v4, v6) = (frame().ipv4().udp(53), frame().ipv6().udp(53));
    vec![
        malformed("udp_without_a_byte", v4.clone().ip_payload(0), UdpTruncated),
        malformed("udp_header_of_7_bytes", v4.clone().ip_payload(7), UdpTruncated),
        malformed("udp_header_of_7_bytes_over_ipv6", v6.clone().ip_payload(7), UdpTruncated),
        malformed("udp_length_0", v4.clone().udp_length(0), UdpLength),
        malformed("udp_length_7", v4.clone().udp_length(7), UdpLength),
        malformed("udp_length_beyond_the_packet", v4.clone().udp_length(9), UdpLength),
        malformed("udp_length_into_the_padding", v4.clone().udp_length(10).padded(60), UdpLength),
        malformed("udp_length_over_ipv6", v6.udp_length(65_535), UdpLength),
        malformed("udp_length_7_in_a_first_fragment", v4.fragment(0, true).udp_length(7), UdpLength),
    ]
}

fn icmp() -> Vec<Case> {
    use Malformed::{IcmpTruncated, Icmpv6Truncated};
    let (v4, v6) = (frame().ipv4().icmp(8, 0), frame().ipv6().icmpv6(128, 0));
    vec![
        malformed("icmp_without_a_byte", v4.clone().ip_payload(0), IcmpTruncated),
        malformed("icmp_header_of_4_bytes", v4.clone().ip_payload(4), IcmpTruncated),
        malformed("icmp_header_of_7_bytes_and_padding", v4.ip_payload(7).padded(60), IcmpTruncated),
        malformed("icmpv6_without_a_byte", v6.clone().ip_payload(0), Icmpv6Truncated),
        malformed("icmpv6_header_of_7_bytes", v6.clone().ip_payload(7), Icmpv6Truncated),
        malformed(
            "nd_cut_short_is_no_link_control",
            v6.icmpv6(135, 0).hops(255).ip_payload(7),
            Icmpv6Truncated,
        ),
    ]
}
