//! The short way against the general one.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use sensor_common::classify::{Policy, general_judgement, judge, second_short_judgement, short_judgement};
use sensor_common::flow::{Flow, FlowKey, Forgetful, Fragment, FragmentKey, Memory, Stamp, Use};
use sensor_common::layout::Slot;
use sensor_common::parse::{
    Address, Ethernet, Everything, Frame, Headers, IpHeader, Ipv4, Ipv6, Read as _, Sensors, Short, TcpFlags,
    VLAN_TAG_LENGTH, Wire, ether_type, parse,
};
use sensor_harness::frame::{self, ETHERNET, SENSOR_V6};
use sensor_harness::mix::Mix;
use sensor_harness::table::WithoutRules;

use super::bytes;

/// Where a DHCP server of IPv6 answers a client.
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7);

/// Rules and conversations of a host, made up by the bits of a number.
#[derive(Clone, Copy, Debug)]
struct MadeUp(u64);

impl MadeUp {
    /// Three of four times no.
    fn says(self, question: &impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        (self.0, question).hash(&mut hasher);
        hasher.finish().is_multiple_of(4)
    }
}

impl Sensors for MadeUp {
    fn sensor(&self, destination: Address) -> Option<u32> {
        (!self.says(&destination.octets())).then_some(7)
    }
}

impl Policy for MadeUp {
    fn is_named(&self, service: Slot) -> bool {
        self.says(&("named", service))
    }

    fn may_allow(&self, source: Address, service: Slot) -> bool {
        self.is_named(service) && !self.says(&("elsewhere", source.octets()))
    }

    fn is_allowed(&self, source: Address, service: Slot) -> bool {
        self.may_allow(source, service) && !self.says(&("not allowed", source.octets(), service))
    }
}

impl Memory for MadeUp {
    fn now(&self) -> u64 {
        1
    }

    fn jiffies(&self) -> u64 {
        1
    }

    fn stamp(&self, place: Use) -> Stamp {
        if self.says(&("used", place)) { Stamp::FOREVER } else { Stamp::NEVER }
    }

    fn set_stamp(&self, _place: Use, _stamp: Stamp) {}

    fn flow(&self, key: &FlowKey) -> Option<Flow> {
        (!self.says(&("another", key))).then_some(Flow::established(1))
    }

    fn update_flow(&self, key: &FlowKey, next: impl FnOnce(Flow) -> Option<Flow>) -> bool {
        self.flow(key).is_some_and(|flow| next(flow).is_some())
    }

    fn insert_flow(&self, _key: &FlowKey, _flow: Flow) {}

    fn fragment(&self, _key: &FragmentKey) -> Option<Fragment> {
        None
    }

    fn insert_fragment(&self, _key: &FragmentKey, _fragment: Fragment) {}
}

/// Frames of the kind that goes the short way, and what is nearly of it.
fn common() -> impl Strategy<Value = Vec<u8>> {
    let port = prop_oneof![3 => any::<u16>(), 1 => Just(68), 1 => Just(546), 1 => Just(22)];
    let changes = vec((0..80_usize, any::<u8>()), 0..3);
    let source = any::<u32>().prop_map(Ipv4Addr::from_bits);
    let network = prop_oneof![2 => source.prop_map(Some), 1 => Just(None)];
    let tag = prop::option::weighted(0.3, any::<bool>());
    let changes = (tag, any::<bool>(), changes);
    (network, any::<bool>(), port, any::<u8>(), 0..30_usize, 0..3_usize, changes).prop_map(
        |(ipv4_source, is_tcp, port, flags, payload, padding, (tag, to_link, changes))| {
            let frame = match tag {
                None => frame::frame(),
                Some(false) => frame::frame().vlan(7),
                Some(true) => frame::frame().service_vlan(7),
            };
            let network = tag.map_or(ETHERNET, |_| ETHERNET + VLAN_TAG_LENGTH);
            let (frame, tcp) = match ipv4_source {
                Some(source) => (frame.ipv4().from(source), network + 20),
                None => (frame.ipv6().to(if to_link { LINK_LOCAL } else { SENSOR_V6 }), network + 40),
            };
            let frame = if is_tcp { frame.tcp(port) } else { frame.udp(port) };
            let mut bytes = frame.payload(vec![7; payload]).padded(padding * 30).bytes();
            if is_tcp {
                bytes[tcp + 13] = flags;
            }
            for (at, byte) in changes {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_short_way_and_the_general_one_agree(bytes in prop_oneof![4 => common(), 1 => bytes()], host: u64) {
        let (bytes, host) = (bytes.as_slice(), MadeUp(host));
        prop_assert_eq!(judge(bytes, &host, &host), general_judgement(bytes, &host, &host));
        if let Some(found) = short(bytes) {
            let Frame::Ip(packet) = parse(bytes, &Everything) else {
                return Err(TestCaseError::fail("not IP for the general parser"));
            };
            let pair = packet.pair(bytes).map(|pair| (pair.source(), pair.destination()));
            prop_assert_eq!(Some(found), pair.map(|pair| (packet.slot, packet.is_request, pair)));
        }
    }
}

/// What the short way finds in a frame: the slot, whether it asks for a connection, and the addresses.
fn short(bytes: &[u8]) -> Option<(Slot, bool, (Address, Address))> {
    match bytes.look_at(0, Ethernet::ether_type)? {
        ether_type::IPV6 => short_at::<Ipv6>(bytes, 0),
        tag if ether_type::is_tag(tag) => short_at::<Ipv4>(bytes, VLAN_TAG_LENGTH),
        _ => short_at::<Ipv4>(bytes, 0),
    }
}

fn short_at<N: IpHeader>(bytes: &[u8], at: usize) -> Option<(Slot, bool, (Address, Address))>
where
    Headers<N>: Wire,
{
    let look = |headers: &Headers<N>| {
        let short = Short::new(headers, at, bytes.len())?;
        let slot = match short.tcp() {
            Some(_) => Slot::tcp(short.port()),
            None => short.is_udp().then(|| Slot::udp(short.port()))?,
        };
        let is_request = short.tcp().is_some_and(TcpFlags::is_request);
        Some((slot, is_request, (short.source(), short.destination())))
    };
    bytes.look_at(at, look).flatten()
}

/// Whether it is decided without the general parser.
fn goes_the_short_way(bytes: &[u8]) -> bool {
    let host = &WithoutRules(Everything);
    short_judgement(bytes, host, &Forgetful)
        .or_else(|| second_short_judgement(bytes, host, &Forgetful))
        .is_some()
}

#[test]
fn common_kinds_go_the_short_way() {
    let (plain, tagged) = (frame::frame, || frame::frame().service_vlan(7));
    for network in [plain().ipv4(), plain().ipv6(), tagged().ipv4()] {
        for frame in [network.clone().tcp(23).syn(), network.udp(53).payload([0; 40])] {
            let bytes = frame.bytes();
            assert!(goes_the_short_way(&bytes), "{bytes:02x?}");
        }
    }
}

/// The agreement says something only if many go the short way, to every outcome that it has.
#[test]
fn most_frames_go_the_short_way() {
    let frames: Vec<_> = Mix::new(4).take(10_000).map(|sample| sample.frame).collect();
    let shorts = frames.iter().filter(|frame| goes_the_short_way(frame)).count();
    assert!(shorts > frames.len() / 2, "{shorts} of {}", frames.len());
}
