//! Packet → verdict: let through and why, or dropped and counted in which slot.
//!
//! The order of the questions matters: is it IP, is it for a sensor, is it solicited, which slot.

use crate::layout::{Malformed, Passed, Slot};
use crate::parse::{Addresses, Frame, Packet, Upper};

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

    /// Whether a rule lets the packet's source reach the service whose slot this is.
    fn is_management(&self, addresses: &Addresses, service: Slot) -> bool;
}

/// The sensor that counts packets too broken to say where they go: the first.
const UNREADABLE: u32 = 0;

/// Decides what becomes of a frame.
#[inline(always)]
pub fn verdict<P: Policy>(frame: &Frame, policy: &P) -> Verdict {
    let packet = match frame {
        Frame::NonIp => return Verdict::Pass(Passed::NonIp),
        Frame::Ip(packet) => packet,
    };
    let sensor = match &packet.addresses {
        None => UNREADABLE,
        Some(addresses) => match policy.sensor(addresses) {
            None => return Verdict::Pass(Passed::NotMonitored),
            Some(sensor) => sensor,
        },
    };
    if is_link_control(packet) {
        return Verdict::Pass(Passed::Link);
    }
    let slot = slot(packet.upper);
    if packet.addresses.is_some_and(|addresses| policy.is_management(&addresses, slot)) {
        return Verdict::Pass(Passed::Management);
    }
    Verdict::Count { sensor, slot }
}

/// The slot that an unsolicited packet belongs to.
#[inline(always)]
#[must_use]
pub const fn slot(upper: Result<Upper, Malformed>) -> Slot {
    match upper {
        Ok(Upper::Tcp { destination, .. }) => Slot::tcp(destination),
        Ok(Upper::Udp { destination, .. }) => Slot::udp(destination),
        Ok(Upper::Icmp { kind, code }) => Slot::icmp(kind, code),
        Ok(Upper::Icmpv6 { kind, code }) => Slot::icmpv6(kind, code),
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

// ICMPv6 types (IANA "ICMPv6 Parameters").
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
const fn is_link_local(address: [u8; 16]) -> bool {
    address[0] == 0xfe && address[1] & 0xc0 == 0x80
}
