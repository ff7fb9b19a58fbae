//! The parser against arbitrary bytes, and against a parser that somebody else wrote; the short way against the general one.

mod short_way;

use std::net::IpAddr;

use etherparse::{
    EtherType, IpNumber, Ipv6ExtensionSlice, LinkExtSlice, LinkSlice, NetSlice, SlicedPacket, TransportSlice,
};
use proptest::collection::vec;
use proptest::prelude::*;
use sensor_common::classify::{Verdict, verdict};
use sensor_common::flow::Forgetful;
use sensor_common::layout::{Slot, SlotKind};
use sensor_common::parse::{self, Address, Everything, Frame, MAX_EXTENSIONS, Pair, parse};
use sensor_common::policy::Networks;
use sensor_harness::frame::{self, Extension};
use sensor_harness::mix::Mix;
use sensor_harness::table::{TwoSensors, WithoutRules, table};

/// A frame that is right, or wrong in one of the ways that the builder knows.
fn built() -> impl Strategy<Value = Vec<u8>> {
    let tags = vec((any::<bool>(), 0..4096_u16), 0..4);
    let network = prop_oneof![
        (vec(any::<u8>(), 0..11), 0..0x2000_u16, prop::bool::weighted(0.2)).prop_map(Network::V4),
        vec(extension(), 0..10).prop_map(Network::V6),
    ];
    let transport = (0..6_u8, any::<u16>(), any::<u8>(), any::<u8>());
    (tags, network, transport, vec(any::<u8>(), 0..80), 0..120_usize).prop_map(
        |(tags, network, (transport, port, kind, code), payload, padding)| {
            let mut frame = frame::frame();
            for (service, id) in tags {
                frame = if service { frame.service_vlan(id) } else { frame.vlan(id) };
            }
            frame = match network {
                Network::V4((words, offset, fragmented)) => {
                    let options: Vec<u8> = words.iter().flat_map(|&word| [word; 4]).collect();
                    let frame = frame.ipv4().ip_options(&options[..options.len().min(40)]);
                    if fragmented { frame.fragment(offset, port % 2 == 0) } else { frame }
                }
                Network::V6(extensions) => extensions.into_iter().fold(frame.ipv6(), frame::Frame::extension),
            };
            let frame = match transport {
                0 | 1 => frame.tcp(port).syn(),
                2 => frame.udp(port),
                3 => frame.icmp(kind, code),
                4 => frame.icmpv6(kind, code),
                _ => frame.protocol(kind),
            };
            frame.payload(payload).padded(padding).bytes()
        },
    )
}

#[derive(Clone, Debug)]
enum Network {
    V4((Vec<u8>, u16, bool)),
    V6(Vec<Extension>),
}

fn extension() -> impl Strategy<Value = Extension> {
    prop_oneof![
        Just(Extension::hop_by_hop()),
        Just(Extension::routing()),
        (0..4_u8).prop_map(Extension::destination),
        Just(Extension::authentication()),
        (0..3_u16, any::<bool>()).prop_map(|(offset, more)| Extension::fragment(offset, more)),
    ]
}

/// A built frame with some bytes overwritten, cut somewhere.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let table: Vec<Vec<u8>> = table().into_iter().map(|case| case.frame).collect();
    let seeds = prop_oneof![
        built(),
        prop::sample::select(table),
        any::<u64>().prop_map(|seed| Mix::new(seed).next().expect("the mix has no end").frame),
    ];
    (
        seeds,
        vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        any::<prop::sample::Index>(),
        any::<bool>(),
    )
        .prop_map(|(mut frame, changes, length, cut)| {
            for (at, byte) in changes {
                if !frame.is_empty() {
                    let at = at.index(frame.len());
                    frame[at] = byte;
                }
            }
            if cut {
                frame.truncate(length.index(frame.len() + 1));
            }
            frame
        })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![1 => vec(any::<u8>(), 0..200), 2 => built(), 3 => mutated()]
}

fn malformed(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Count { slot, .. } => {
            matches!(Slot::describe(slot.index()), Some(SlotKind::Malformed(_)))
        }
        Verdict::Pass(_) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_have_one_outcome(bytes in bytes()) {
        let bytes = bytes.as_slice();
        let outcomes = [
            verdict(bytes, &WithoutRules(TwoSensors), &Forgetful),
            verdict(bytes, &WithoutRules(Everything), &Forgetful),
        ];
        for outcome in outcomes {
            if let Verdict::Count { slot, .. } = outcome {
                prop_assert!(Slot::describe(slot.index()).is_some(), "{slot:?} counts nothing");
            }
        }
    }

    /// What Ethernet or a switch adds behind a packet is none of the packet's.
    #[test]
    fn padding_changes_nothing(bytes in bytes(), padding in vec(any::<u8>(), 0..64)) {
        let before = verdict(bytes.as_slice(), &WithoutRules(Everything), &Forgetful);
        if matches!(before, Verdict::Count { .. }) && !malformed(before) {
            let padded = [bytes, padding].concat();
            prop_assert_eq!(verdict(padded.as_slice(), &WithoutRules(Everything), &Forgetful), before);
        }
    }

    /// Whatever is wrong with it, what was found to be IP has the source that its header says, and nothing else has one.
    #[test]
    fn every_packet_has_its_source(bytes in bytes()) {
        let bytes = bytes.as_slice();
        let source = match parse(bytes, &Everything) {
            Frame::Ip(packet) => packet.pair(bytes).map(Pair::source),
            Frame::NonIp | Frame::Unreadable(_) | Frame::Elsewhere => None,
        };
        prop_assert_eq!(parse::source(bytes), source);
        if let Some(source) = source {
            let network = match source.ip() {
                IpAddr::V4(address) => Networks::of_v4(address.octets()),
                IpAddr::V6(address) => Networks::of_v6(address.octets()),
            };
            prop_assert_eq!(parse::source_network(bytes), Some((network, source.is_ipv6())));
        }
    }

    /// Whatever etherparse takes for a whole packet, the parser finds the same in it.
    #[test]
    fn etherparse_agrees(bytes in bytes()) {
        let Ok(theirs) = SlicedPacket::from_ethernet(&bytes) else { return Ok(()) };
        let ours = parse(bytes.as_slice(), &Everything);
        match etherparse_finds(&theirs) {
            Found::Differs => {}
            Found::NonIp => prop_assert_eq!(ours, Frame::NonIp),
            Found::Ip { source, destination, kind } => {
                let Frame::Ip(packet) = ours else {
                    return Err(TestCaseError::fail("not IP for us"));
                };
                let pair = packet.pair(bytes.as_slice()).map(|pair| (pair.source().ip(), pair.destination().ip()));
                prop_assert_eq!(pair, Some((source, destination)));
                prop_assert_eq!(parse::source(bytes.as_slice()).map(Address::ip), Some(source));
                prop_assert_eq!(packet.slot, Slot::from(kind));
                prop_assert_eq!(packet.is_request, is_request(&theirs));
            }
        }
    }
}

/// What etherparse makes of a packet, in our words.
#[derive(Debug)]
enum Found {
    NonIp,
    Ip {
        source: IpAddr,
        destination: IpAddr,
        kind: SlotKind,
    },
    /// It goes by another rule here.
    Differs,
}

fn etherparse_finds(packet: &SlicedPacket) -> Found {
    // It looks through three tags, through MACsec, and through tags with a number that is no standard's.
    let tags = packet.link_exts.len();
    let mut ether_types = packet.link_exts.iter().filter_map(|it| match it {
        LinkExtSlice::Vlan(tag) => Some(tag.ether_type()),
        LinkExtSlice::Macsec(_) => None,
    });
    let outermost = match &packet.link {
        Some(LinkSlice::Ethernet2(ethernet)) => Some(ethernet.ether_type()),
        _ => None,
    };
    let strange = |ether_type| ether_type == EtherType::VLAN_DOUBLE_TAGGED_FRAME;
    let is_strange = outermost.is_some_and(strange) || ether_types.any(strange);
    if packet.link_exts.iter().any(|it| matches!(it, LinkExtSlice::Macsec(_))) {
        return Found::Differs;
    }
    match &packet.net {
        None | Some(NetSlice::Arp(_)) => Found::NonIp,
        Some(_) if tags > 2 || is_strange => Found::NonIp,
        Some(NetSlice::Ipv4(ip)) => {
            let header = ip.header();
            // It takes an authentication header over IPv4 for an extension, not for a protocol.
            if header.protocol() == IpNumber::AUTHENTICATION_HEADER {
                return Found::Differs;
            }
            let later = header.fragments_offset().value() > 0;
            Found::Ip {
                source: header.source().into(),
                destination: header.destination().into(),
                kind: match kind(packet, ip.payload(), later) {
                    Some(kind) => kind,
                    None => return Found::Differs,
                },
            }
        }
        Some(NetSlice::Ipv6(ip)) => {
            let header = ip.header();
            // It takes a payload length of 0 for "up to the end of the frame".
            if header.payload_length() == 0 {
                return Found::Differs;
            }
            let extensions: Vec<_> = ip.extensions().clone().into_iter().collect();
            let later = extensions.iter().position(
                |it| matches!(it, Ipv6ExtensionSlice::Fragment(it) if it.fragment_offset().value() > 0),
            );
            // It follows any number of headers, and goes on behind that of a later fragment.
            let goes_on = later.is_some_and(|at| at + 1 < extensions.len());
            if extensions.len() > MAX_EXTENSIONS || goes_on {
                return Found::Differs;
            }
            let later = later.is_some();
            Found::Ip {
                source: header.source().into(),
                destination: header.destination().into(),
                kind: match kind(packet, ip.payload(), later) {
                    Some(kind) => kind,
                    None => return Found::Differs,
                },
            }
        }
    }
}

/// What it counts as; `None` where etherparse doesn't look, as into first fragments, or has another rule.
fn kind(packet: &SlicedPacket, payload: &etherparse::IpPayloadSlice, later: bool) -> Option<SlotKind> {
    let number = payload.ip_number.0;
    if later {
        return Some(SlotKind::Fragment(number));
    }
    let ipv6 = matches!(packet.net, Some(NetSlice::Ipv6(_)));
    let other = if ipv6 { SlotKind::ProtocolV6(number) } else { SlotKind::ProtocolV4(number) };
    Some(match &packet.transport {
        None if payload.fragmented => return None,
        // A length of 0 is "up to the end" to it.
        Some(TransportSlice::Udp(it)) if it.length() == 0 => return None,
        Some(TransportSlice::Tcp(it)) => SlotKind::Tcp(it.destination_port()),
        Some(TransportSlice::Udp(it)) => SlotKind::Udp(it.destination_port()),
        Some(TransportSlice::Icmpv4(it)) if !ipv6 => SlotKind::Icmp(it.type_u8(), it.code_u8()),
        Some(TransportSlice::Icmpv6(it)) if ipv6 => SlotKind::Icmpv6(it.type_u8(), it.code_u8()),
        None | Some(_) => other,
    })
}

/// Whether it asks for a connection.
fn is_request(packet: &SlicedPacket) -> bool {
    matches!(&packet.transport, Some(TransportSlice::Tcp(it)) if it.syn() && !it.ack())
}
