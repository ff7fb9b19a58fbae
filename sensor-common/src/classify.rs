//! Frame → verdict: let through and why, or dropped and counted in which slot.
//!
//! The order of the questions matters: is it IP, is it for a sensor, is it solicited, which slot.

use crate::flow::{self, Memory};
use crate::layout::{Malformed, Passed, Slot};
use crate::parse::{Addresses, Frame, Packet, Quoted, Read, TcpFlags, Upper, parse, protocol};

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
pub trait Policy {
    /// The sensor that monitors the packet's destination.
    fn sensor(&self, addresses: &Addresses) -> Option<u32>;

    /// The sensor that counts packets too broken to say where they go: the first of the configuration.
    fn first(&self) -> u32 {
        0
    }

    /// Whether a rule lets the packet's source reach the service whose slot this is.
    fn is_management(&self, addresses: &Addresses, service: Slot) -> bool;
}

/// Decides what becomes of a frame.
#[inline(always)]
pub fn verdict<R: Read + ?Sized, P: Policy, M: Memory>(frame: &R, policy: &P, memory: &M) -> Verdict {
    let packet = match parse(frame) {
        Frame::NonIp => return Verdict::Pass(Passed::NonIp),
        Frame::Ip(packet) => packet,
    };
    let Some(addresses) = packet.addresses else {
        return Verdict::Count { sensor: policy.first(), slot: slot(packet.upper) };
    };
    let Some(sensor) = policy.sensor(&addresses) else {
        return Verdict::Pass(Passed::NotMonitored);
    };
    if is_link_control(&packet) {
        return Verdict::Pass(Passed::Link);
    }
    let slot = slot(packet.upper);
    let reason = if policy.is_management(&addresses, slot) {
        Passed::Management
    } else {
        // Above all others, a request for a connection must not cost a lookup.
        if slot.is_tcp() && packet.tcp_flags(frame).is_none_or(TcpFlags::is_request) {
            return Verdict::Count { sensor, slot };
        }
        match answers(frame, &packet.blurred(frame), policy, memory) {
            None => return Verdict::Count { sensor, slot },
            Some(reason) => reason,
        }
    };
    if packet.fragment != 0 && !matches!(packet.upper, Ok(Upper::Fragment(_))) {
        flow::admit_rest(frame, &packet.blurred(frame), reason, memory);
    }
    Verdict::Pass(reason)
}

/// Why a packet is let in that belongs to something the host has sent; `None` if it doesn't.
#[inline(always)]
fn answers<R: Read + ?Sized, P: Policy, M: Memory>(
    frame: &R,
    packet: &Packet,
    policy: &P,
    memory: &M,
) -> Option<Passed> {
    match packet.upper {
        Ok(Upper::Fragment(_)) => flow::admitted(frame, packet, memory),
        Ok(
            Upper::Icmp { kind: DESTINATION_UNREACHABLE | TIME_EXCEEDED | PARAMETER_PROBLEM, .. }
            | Upper::Icmpv6 { kind: DESTINATION_UNREACHABLE_V6..=PARAMETER_PROBLEM_V6, .. },
        ) => about(frame, packet, policy, memory),
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
        && policy.is_management(&quoted.pair.reversed().addresses(), service)
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

/// The slot that an unsolicited packet belongs to.
#[inline(always)]
#[must_use]
pub const fn slot(upper: Result<Upper, Malformed>) -> Slot {
    match upper {
        Ok(Upper::Tcp { destination, .. }) => Slot::tcp(destination),
        Ok(Upper::Udp { destination, .. }) => Slot::udp(destination),
        Ok(Upper::Icmp { kind, code, .. }) => Slot::icmp(kind, code),
        Ok(Upper::Icmpv6 { kind, code, .. }) => Slot::icmpv6(kind, code),
        Ok(Upper::ProtocolV4(protocol)) => Slot::protocol_v4(protocol),
        Ok(Upper::ProtocolV6(protocol)) => Slot::protocol_v6(protocol),
        Ok(Upper::Fragment(protocol)) => Slot::fragment(protocol),
        Err(reason) => Slot::malformed(reason),
    }
}

/// Whether the packet keeps the link itself working: without it the host would lose its address or its
/// router. IPv6 tells by hop limits and link-local addresses what comes from the link itself; IPv4's DHCP
/// can come through relays, so a packet from anywhere that looks like a DHCP server's passes.
#[inline(always)]
#[must_use]
pub fn is_link_control(packet: &Packet) -> bool {
    match (packet.upper, &packet.addresses) {
        (Ok(Upper::Udp { source, destination }), Some(addresses)) => is_dhcp(source, destination, addresses),
        (Ok(Upper::Icmpv6 { kind, .. }), Some(Addresses::V6 { source, .. })) => match kind {
            // RFC 4861 §6.1, §7.1: a hop limit of 255 shows that no router forwarded it.
            ROUTER_SOLICITATION..=REDIRECT => packet.hop_limit == 255,
            // RFC 3810 §5: hop limit 1, from a link-local or, before there is one, the unspecified address.
            MLD_QUERY..=MLD_DONE | MLD_V2_REPORT => {
                packet.hop_limit == 1 && (is_link_local(*source) || *source == [0; 16])
            }
            _ => false,
        },
        _ => false,
    }
}

// ICMP types (IANA "ICMP Parameters").
const ECHO_REPLY: u8 = 0;
const DESTINATION_UNREACHABLE: u8 = 3;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER_PROBLEM: u8 = 12;

// ICMPv6 types (IANA "ICMPv6 Parameters").
const DESTINATION_UNREACHABLE_V6: u8 = 1;
const PARAMETER_PROBLEM_V6: u8 = 4;
const ECHO_REPLY_V6: u8 = 129;
const MLD_QUERY: u8 = 130;
const MLD_DONE: u8 = 132;
const ROUTER_SOLICITATION: u8 = 133;
const REDIRECT: u8 = 137;
const MLD_V2_REPORT: u8 = 143;

/// Answers to this host as a DHCP client (RFC 2131 §4.1, RFC 8415 §7.2).
#[inline(always)]
fn is_dhcp(source: u16, destination: u16, addresses: &Addresses) -> bool {
    match addresses {
        Addresses::V4 { .. } => source == 67 && destination == 68,
        Addresses::V6 { destination: to, .. } => destination == 546 && is_link_local(*to),
    }
}

/// `fe80::/10` (RFC 4291 §2.5.6).
#[inline(always)]
pub(crate) const fn is_link_local(address: [u8; 16]) -> bool {
    address[0] == 0xfe && address[1] & 0xc0 == 0x80
}
