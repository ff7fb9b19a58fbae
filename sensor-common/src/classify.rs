//! Frame → verdict: let through and why, or dropped and counted.
//!
//! Most frames go the short way, which gives the same. The order of the questions matters: is it IP, is it for a
//! sensor, is it solicited. Which slot a packet belongs to is the parser's to say.

use crate::fingerprint::{self, Clock};
use crate::flow::{self, Memory, Stamp, Use};
use crate::layout::side::{Side, TcpKind};
use crate::layout::{Passed, Slot, SlotKind};
use crate::parse::{
    Address, Ethernet, Frame, Headers, IpHeader, Ipv4, Ipv6, Packet, Quoted, Read, Sensors, Short,
    VLAN_TAG_LENGTH, Wire, ether_type, parse, protocol,
};

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let through.
    Pass(Passed),
    /// Unsolicited: counted and dropped.
    Count {
        /// The sensor's number.
        sensor: u32,
        /// The one slot that the packet adds to.
        slot: Slot,
    },
}

/// What this host monitors, and whom it lets in.
pub trait Policy: Sensors {
    /// The sensor that counts packets too broken to say where they go: the first of the configuration.
    fn first(&self) -> u32 {
        0
    }

    /// Whether any rule names the service whose slot this is.
    fn is_named(&self, service: Slot) -> bool;

    /// Whether a rule that names the service may let `source` reach it: asked first, since it costs next to
    /// nothing. Never false where [`Policy::is_allowed`] is true.
    #[inline(always)]
    fn may_allow(&self, _source: Address, service: Slot) -> bool {
        self.is_named(service)
    }

    /// Whether a rule that names the service lets `source` reach it.
    fn is_allowed(&self, source: Address, service: Slot) -> bool;

    /// Whether packets are told apart by what made them.
    #[inline(always)]
    fn tells_tools(&self) -> bool {
        true
    }

    /// What to add to [`Memory::now`] for the nanoseconds since 1970 (POSIX).
    #[inline(always)]
    fn since_1970(&self) -> u64 {
        0
    }
}

/// What becomes of a packet, and which side counter it adds to if it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What becomes of it.
    pub verdict: Verdict,
    /// What made it: [`Side::NONE`] of a packet that is let through.
    pub side: Side,
}

impl Judgement {
    #[inline(always)]
    const fn pass(reason: Passed) -> Self {
        Self { verdict: Verdict::Pass(reason), side: Side::NONE }
    }

    #[inline(always)]
    const fn count(sensor: u32, slot: Slot, side: Side) -> Self {
        Self { verdict: Verdict::Count { sensor, slot }, side }
    }
}

/// The wall clock, by a clock that goes on evenly.
struct WallClock<'a, P, M> {
    policy: &'a P,
    memory: &'a M,
}

impl<P: Policy, M: Memory> Clock for WallClock<'_, P, M> {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "TCP's timestamps are of 32 bits too")]
    fn unix_seconds(&self) -> u32 {
        (self.memory.now().wrapping_add(self.policy.since_1970()) / 1_000_000_000) as u32
    }
}

/// Decides what becomes of a frame.
#[inline(always)]
pub fn verdict<R: Read + ?Sized, P: Policy, M: Memory>(frame: &R, policy: &P, memory: &M) -> Verdict {
    judge(frame, policy, memory).verdict
}

/// Decides what becomes of a frame, and which side counter it adds to.
#[inline(always)]
pub fn judge<R: Read + ?Sized, P: Policy, M: Memory>(frame: &R, policy: &P, memory: &M) -> Judgement {
    if let Some(judgement) = short_judgement(frame, policy, memory) {
        return judgement;
    }
    match second_short_judgement(frame, policy, memory) {
        Some(judgement) => judgement,
        None => general_judgement(frame, policy, memory),
    }
}

/// Decides what becomes of a frame of the most common kind, IPv4; `None` for every other.
#[inline(always)]
pub fn short_judgement<R: Read + ?Sized, P: Policy, M: Memory>(
    frame: &R,
    policy: &P,
    memory: &M,
) -> Option<Judgement> {
    short_at::<Ipv4, 0, R, P, M>(frame, policy, memory)
}

/// Likewise, of the second most common kinds: IPv6, and IPv4 behind one VLAN tag.
#[inline(always)]
pub fn second_short_judgement<R: Read + ?Sized, P: Policy, M: Memory>(
    frame: &R,
    policy: &P,
    memory: &M,
) -> Option<Judgement> {
    match frame.look_at(0, Ethernet::ether_type)? {
        ether_type::IPV6 => short_at::<Ipv6, 0, R, P, M>(frame, policy, memory),
        tag if ether_type::is_tag(tag) => short_at::<Ipv4, VLAN_TAG_LENGTH, R, P, M>(frame, policy, memory),
        _ => None,
    }
}

/// The headers are looked at so many bytes behind the start of the frame: what has a tag ends as one that has none.
#[inline(always)]
fn short_at<N: IpHeader, const AT: usize, R: Read + ?Sized, P: Policy, M: Memory>(
    frame: &R,
    policy: &P,
    memory: &M,
) -> Option<Judgement>
where
    Headers<N>: Wire,
{
    frame
        .look_at(AT, |headers: &Headers<N>| {
            let packet = Short::new(headers, AT, frame.length())?;
            decide(frame, packet, policy, memory)
        })
        .flatten()
}

/// Decides what becomes of a packet that is let in by nothing; `None` if something may let it in, or if it is
/// neither TCP nor UDP.
#[inline(always)]
fn decide<R: Read + ?Sized, N: IpHeader, P: Policy, M: Memory>(
    frame: &R,
    packet: Short<'_, N>,
    policy: &P,
    memory: &M,
) -> Option<Judgement> {
    let Some(sensor) = policy.sensor(packet.destination()) else {
        return Some(Judgement::pass(Passed::NotMonitored));
    };
    let port = packet.port();
    if let Some(flags) = packet.tcp() {
        let slot = Slot::tcp(port);
        // Most packets ask for a connection, and nothing that the host has sent is answered by that.
        let is_syn = flags.is_syn_alone();
        let may_answer = !is_syn && !flags.is_request() && memory.stamp(Use::tcp(port)) != Stamp::NEVER;
        if may_answer || policy.may_allow(packet.source(), slot) {
            return None;
        }
        let side = if !policy.tells_tools() {
            Side::NONE
        } else if is_syn {
            fingerprint::of_short_syn(frame, packet, &WallClock { policy, memory })
        } else {
            Side::tcp(TcpKind::of(flags))
        };
        return Some(Judgement::count(sensor, slot, side));
    }
    let slot = Slot::udp(port);
    let may_answer =
        !packet.is_udp() || port == N::DHCP_CLIENT || memory.stamp(Use::udp(port)) != Stamp::NEVER;
    if may_answer || policy.may_allow(packet.source(), slot) {
        return None;
    }
    let side = if policy.tells_tools() { fingerprint::of_udp(packet.source_port()) } else { Side::NONE };
    Some(Judgement::count(sensor, slot, side))
}

/// Decides what becomes of any frame.
#[inline(always)]
pub fn general_judgement<R: Read + ?Sized, P: Policy, M: Memory>(
    frame: &R,
    policy: &P,
    memory: &M,
) -> Judgement {
    let packet = match parse(frame, policy) {
        Frame::NonIp => return Judgement::pass(Passed::NonIp),
        Frame::Elsewhere => return Judgement::pass(Passed::NotMonitored),
        Frame::Unreadable(slot) => return Judgement::count(policy.first(), slot, Side::NONE),
        Frame::Ip(packet) => packet,
    };
    let (sensor, slot) = (packet.sensor, packet.slot);
    let packet = packet.blurred(frame);
    // Most of what arrives asks for a connection that no rule names: that must cost no lookup.
    if !packet.is_request || policy.is_named(slot) {
        if is_link_control(frame, &packet) {
            return Judgement::pass(Passed::Link);
        }
        if let Some(reason) = reason(frame, &packet, policy, memory) {
            if packet.fragment != 0 && !slot.is_fragment() {
                flow::admit_rest(frame, &packet, reason, memory);
            }
            return Judgement::pass(reason);
        }
    }
    let side = if policy.tells_tools() {
        fingerprint::of_packet(frame, &packet, &WallClock { policy, memory })
    } else {
        Side::NONE
    };
    Judgement::count(sensor, slot, side)
}

/// Why a packet to a sensor is let in; `None` if it is unsolicited.
#[inline(always)]
fn reason<R: Read + ?Sized, P: Policy, M: Memory>(
    frame: &R,
    packet: &Packet,
    policy: &P,
    memory: &M,
) -> Option<Passed> {
    if policy.is_named(packet.slot) {
        if policy.is_allowed(packet.pair(frame)?.source(), packet.slot) {
            return Some(Passed::Management);
        }
        // Nothing that the host has sent is answered by a request. One that no rule names has been counted.
        if packet.slot.is_tcp() && packet.tcp_flags(frame)?.is_request() {
            return None;
        }
    }
    answers(frame, packet, policy, memory)
}

/// Why a packet is let in that belongs to something the host has sent; `None` if it doesn't.
#[inline(always)]
fn answers<R: Read + ?Sized, P: Policy, M: Memory>(
    frame: &R,
    packet: &Packet,
    policy: &P,
    memory: &M,
) -> Option<Passed> {
    match packet.slot.kind() {
        SlotKind::Fragment(_) => flow::admitted(frame, packet, memory),
        SlotKind::Icmp(DESTINATION_UNREACHABLE | TIME_EXCEEDED | PARAMETER_PROBLEM, _)
        | SlotKind::Icmpv6(DESTINATION_UNREACHABLE_V6..=PARAMETER_PROBLEM_V6, _) => {
            about(frame, packet, policy, memory)
        }
        _ => flow::is_reply(frame, packet, memory).then_some(Passed::Reply),
    }
}

/// Why an ICMP error is let in: it tells what became of a packet that the host has sent. Redirects, which
/// would change the host's routes, are no errors (RFC 1122 §3.2.2, RFC 4443 §2.1).
#[inline(always)]
fn about<R: Read + ?Sized, P: Policy, M: Memory>(
    frame: &R,
    packet: &Packet,
    policy: &P,
    memory: &M,
) -> Option<Passed> {
    let quoted = packet.quoted(frame)?;
    if quoted.pair.source != packet.pair(frame)?.destination {
        return None;
    }
    if let Some(service) = service(&quoted)
        && policy.is_named(service)
        && policy.is_allowed(quoted.pair.destination(), service)
    {
        return Some(Passed::Management);
    }
    flow::is_about_flow(&quoted, memory).then_some(Passed::Reply)
}

/// The service in whose name the host has sent a packet; `None` if it is none that a rule can name.
#[inline(always)]
const fn service(sent: &Quoted) -> Option<Slot> {
    let leading = sent.leading;
    match (sent.protocol, leading.icmp_type()) {
        (protocol::TCP, _) => Some(Slot::tcp(leading.first)),
        (protocol::UDP, _) => Some(Slot::udp(leading.first)),
        (protocol::ICMP, ECHO_REPLY) => Some(Slot::ECHO_REQUEST),
        (protocol::ICMPV6, ECHO_REPLY_V6) => Some(Slot::ECHO_REQUEST_V6),
        _ => None,
    }
}

/// Whether the packet keeps the link itself working: without it the host would lose its address or its
/// router, or a switch would no longer send it the groups that it has joined. IPv6 tells by hop limits and
/// link-local addresses what comes from the link itself; IPv4's DHCP can come through relays, so a packet from
/// anywhere that looks like a DHCP server's passes.
#[inline(always)]
#[must_use]
pub fn is_link_control<R: Read + ?Sized>(frame: &R, packet: &Packet) -> bool {
    match packet.slot.kind() {
        // Answers to this host as a DHCP client (RFC 2131 §4.1, RFC 8415 §7.2).
        SlotKind::Udp(Ipv4::DHCP_CLIENT) if !packet.is_ipv6() => {
            packet.leading(frame).is_some_and(|ports| ports.first == 67)
        }
        SlotKind::Udp(Ipv6::DHCP_CLIENT) => {
            packet.pair(frame).is_some_and(|pair| pair.destination().is_link_local())
        }
        // RFC 4861 §6.1, §7.1: a hop limit of 255 shows that no router forwarded it.
        SlotKind::Icmpv6(ROUTER_SOLICITATION..=REDIRECT, _) => packet.hop_limit(frame) == Some(255),
        // RFC 3810 §5: hop limit 1, from a link-local or, before there is one, the unspecified address.
        SlotKind::Icmpv6(MLD_QUERY..=MLD_DONE | MLD_V2_REPORT, _) => {
            packet.hop_limit(frame) == Some(1)
                && packet
                    .pair(frame)
                    .is_some_and(|pair| pair.source().is_link_local() || pair.source().is_unspecified_v6())
        }
        // RFC 3376 §4, as MLD: from the link itself, to a group. IPv4 tells it by the time to live alone.
        SlotKind::ProtocolV4(protocol::IGMP) => {
            packet.time_to_live(frame) == Some(1)
                && packet.pair(frame).is_some_and(|pair| pair.destination().is_multicast_v4())
                && packet.leading(frame).is_some_and(|message| {
                    matches!(
                        message.icmp_type(),
                        IGMP_QUERY | IGMP_REPORT | IGMP_V2_REPORT | IGMP_LEAVE | IGMP_V3_REPORT
                    )
                })
        }
        _ => false,
    }
}

// ICMP types (IANA "ICMP Parameters").
const ECHO_REPLY: u8 = 0;
const DESTINATION_UNREACHABLE: u8 = 3;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER_PROBLEM: u8 = 12;

// IGMP types (IANA "IGMP Type Numbers").
const IGMP_QUERY: u8 = 0x11;
const IGMP_REPORT: u8 = 0x12;
const IGMP_V2_REPORT: u8 = 0x16;
const IGMP_LEAVE: u8 = 0x17;
const IGMP_V3_REPORT: u8 = 0x22;

// ICMPv6 types (IANA "ICMPv6 Parameters").
const DESTINATION_UNREACHABLE_V6: u8 = 1;
const PARAMETER_PROBLEM_V6: u8 = 4;
const ECHO_REPLY_V6: u8 = 129;
const MLD_QUERY: u8 = 130;
const MLD_DONE: u8 = 132;
const ROUTER_SOLICITATION: u8 = 133;
const REDIRECT: u8 = 137;
const MLD_V2_REPORT: u8 = 143;
