//! What an outgoing packet leaves behind, and what an arriving one asks.

use super::packet::Ends;
use super::{Flow, FlowKey, Fragment, FragmentKey, Stamp, Use};
use crate::layout::SlotKind;
use crate::parse::{Everything, Frame, IpHeader as _, Ipv4, Ipv6, Packet, Quoted, Read, parse};

/// The clocks and tables: the kernel's maps, or a test's.
pub trait Memory {
    /// Nanoseconds of the monotonic clock.
    fn now(&self) -> u64;

    /// The kernel's ticks since it booted.
    fn jiffies(&self) -> u64;

    /// When something was last used.
    fn stamp(&self, place: Use) -> Stamp;

    /// Says that something is used now.
    fn set_stamp(&self, place: Use, stamp: Stamp);

    /// What is remembered of a conversation.
    fn flow(&self, key: &FlowKey) -> Option<Flow>;

    /// Replaces what is remembered by what `next` makes of it. False if nothing is, or `next` gives `None`.
    fn update_flow(&self, key: &FlowKey, next: impl FnOnce(Flow) -> Option<Flow>) -> bool;

    /// Remembers a conversation.
    fn insert_flow(&self, key: &FlowKey, flow: Flow);

    /// What is remembered of a datagram in fragments.
    fn fragment(&self, key: &FragmentKey) -> Option<Fragment>;

    /// Remembers a datagram in fragments.
    fn insert_fragment(&self, key: &FragmentKey, fragment: Fragment);
}

/// Remembers what the host begins with a frame that it sends, and that what it began goes on.
#[inline(always)]
pub fn remember<R: Read + ?Sized, M: Memory>(frame: &R, memory: &M) {
    let Frame::Ip(packet) = parse(frame, &Everything) else { return };
    let packet = packet.blurred(frame);
    if asks_for_address(frame, &packet) {
        return;
    }
    let Some((ends, sent)) = Ends::sent(frame, &packet) else { return };
    let place = ends.place;
    if !sent.begins() && !is_used(memory, place) {
        return;
    }
    let Some(pair) = packet.pair(frame) else { return };
    let (key, now) = (ends.key(pair), memory.now());
    if !memory.update_flow(&key, |flow| flow.after_sent(sent, now)) {
        let Some(flow) = Flow::begun(sent, now) else { return };
        memory.insert_flow(&key, flow);
    }
    touch(memory, place);
}

/// Whether a packet that has arrived belongs to a conversation that the host began. If so, that is known to
/// go on.
#[must_use]
#[inline(always)]
pub fn is_reply<R: Read + ?Sized, M: Memory>(frame: &R, packet: &Packet, memory: &M) -> bool {
    let Some((ends, reset)) = Ends::received(frame, packet) else { return false };
    let place = ends.place;
    if !is_used(memory, place) {
        return false;
    }
    let Some(pair) = packet.pair(frame) else { return false };
    let (key, now) = (ends.key(pair.reversed()), memory.now());
    if !memory.update_flow(&key, |flow| flow.after_received(reset, now)) {
        return false;
    }
    touch(memory, place);
    true
}

/// Whether an ICMP error is about a packet of a conversation that the host began. The conversation is left
/// as it is: anybody can send such an error.
#[must_use]
#[inline(always)]
pub fn is_about_flow<M: Memory>(quoted: &Quoted, memory: &M) -> bool {
    let Some(ends) = Ends::quoted(quoted) else { return false };
    if !is_used(memory, ends.place) {
        return false;
    }
    memory.flow(&ends.key(quoted.pair)).is_some_and(|flow| flow.is_live(memory.now()))
}

/// Whether something was used so lately that there may be an entry.
#[inline(always)]
pub(super) fn is_used<M: Memory>(memory: &M, place: Use) -> bool {
    let stamp = memory.stamp(place);
    stamp != Stamp::NEVER && place.is_live(stamp, memory.jiffies())
}

/// Says that something is used now. Most often that is known: then the memory stays clean for other CPUs.
#[inline(always)]
pub(super) fn touch<M: Memory>(memory: &M, place: Use) {
    let stamp = place.stamp(memory.jiffies());
    if memory.stamp(place) != stamp {
        memory.set_stamp(place, stamp);
    }
}

/// Whether the host, as a DHCP client, speaks to a server: the answers pass as link control.
#[inline(always)]
fn asks_for_address<R: Read + ?Sized>(frame: &R, packet: &Packet) -> bool {
    let SlotKind::Udp(destination) = packet.slot.kind() else { return false };
    let Some(ports) = packet.leading(frame) else { return false };
    if packet.is_ipv6() {
        return ports.first == Ipv6::DHCP_CLIENT
            && packet.pair(frame).is_some_and(|pair| pair.source().is_link_local());
    }
    ports.first == Ipv4::DHCP_CLIENT && destination == 67
}

/// A memory of nothing: to it, every packet is the first.
#[derive(Clone, Copy, Debug)]
pub struct Forgetful;

impl Memory for Forgetful {
    fn now(&self) -> u64 {
        0
    }

    fn jiffies(&self) -> u64 {
        0
    }

    fn stamp(&self, _place: Use) -> Stamp {
        Stamp::NEVER
    }

    fn set_stamp(&self, _place: Use, _stamp: Stamp) {}

    fn flow(&self, _key: &FlowKey) -> Option<Flow> {
        None
    }

    fn update_flow(&self, _key: &FlowKey, _next: impl FnOnce(Flow) -> Option<Flow>) -> bool {
        false
    }

    fn insert_flow(&self, _key: &FlowKey, _flow: Flow) {}

    fn fragment(&self, _key: &FragmentKey) -> Option<Fragment> {
        None
    }

    fn insert_fragment(&self, _key: &FragmentKey, _fragment: Fragment) {}
}
