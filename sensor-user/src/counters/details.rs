//! What a sensor's side counters tell, with what its slots tell already.

use sensor_common::fingerprint::icmp_backscatter;
use sensor_common::layout::side::{Backscatter, Side, TcpKind, Tool};

use super::Slots;

/// SYNs by the tool that made them, every tool.
pub fn tools(slots: &Slots) -> impl Iterator<Item = (Tool, u64)> {
    Tool::ALL.iter().map(|&tool| (tool, slots.side(Side::tool(tool)).packets))
}

/// TCP segments by their flags, every kind.
pub fn tcp_kinds(slots: &Slots) -> impl Iterator<Item = (TcpKind, u64)> {
    TcpKind::ALL.iter().map(|&kind| (kind, tcp_kind(slots, kind)))
}

fn tcp_kind(slots: &Slots, kind: TcpKind) -> u64 {
    match kind {
        // Each is counted by its tool.
        TcpKind::Syn => tools(slots).map(|(_, packets)| packets).sum(),
        kind => slots.side(Side::tcp(kind)).packets,
    }
}

/// Backscatter, every kind.
#[must_use]
pub fn backscatter(slots: &Slots) -> Vec<(Backscatter, u64)> {
    let mut icmp = [0; Backscatter::ALL.len()];
    for (kind, counter) in slots.iter_nonzero_from(sensor_common::layout::Slot::icmp(0, 0)) {
        if let Some(kind) = icmp_backscatter(kind) {
            icmp[kind as usize] += counter.packets;
        }
    }
    let packets = |kind| match kind {
        Backscatter::SynAck => tcp_kind(slots, TcpKind::SynAck),
        Backscatter::Rst => tcp_kind(slots, TcpKind::Rst),
        Backscatter::UdpReflector => slots.side(Side::UDP_REFLECTOR).packets,
        kind @ (Backscatter::IcmpError | Backscatter::IcmpReply) => icmp[kind as usize],
    };
    Backscatter::ALL.iter().map(|&kind| (kind, packets(kind))).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use sensor_common::layout::Slot;

    use super::*;

    #[test]
    fn syns_are_those_of_all_tools() {
        let mut slots = Slots::default();
        slots.add_side(Side::tool(Tool::Mirai), 3, 180);
        slots.add_side(Side::tool(Tool::Other), 4, 240);
        slots.add_side(Side::tcp(TcpKind::Xmas), 5, 300);
        let kinds: Vec<_> = tcp_kinds(&slots).filter(|(_, packets)| *packets > 0).collect();
        assert_eq!(kinds, [(TcpKind::Syn, 7), (TcpKind::Xmas, 5)]);
    }

    #[rstest]
    #[case::error(Slot::icmp(3, 1), Some(Backscatter::IcmpError))]
    #[case::error_v6(Slot::icmpv6(1, 4), Some(Backscatter::IcmpError))]
    #[case::reply(Slot::icmp(0, 0), Some(Backscatter::IcmpReply))]
    #[case::reply_v6(Slot::icmpv6(129, 0), Some(Backscatter::IcmpReply))]
    #[case::request(Slot::icmp(8, 0), None)]
    #[case::another_versions(Slot::protocol_v6(1), None)]
    #[case::port(Slot::udp(53), None)]
    fn types_of_icmp_tell_backscatter(#[case] slot: Slot, #[case] expected: Option<Backscatter>) {
        let mut slots = Slots::default();
        slots.add(slot, 6, 360);
        let kinds = backscatter(&slots).into_iter().filter(|(_, packets)| *packets > 0);
        assert_eq!(kinds.collect::<Vec<_>>(), expected.map(|kind| (kind, 6)).into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn flags_and_reflectors_tell_backscatter() {
        let mut slots = Slots::default();
        slots.add_side(Side::tcp(TcpKind::SynAck), 1, 60);
        slots.add_side(Side::tcp(TcpKind::Rst), 2, 120);
        slots.add_side(Side::tcp(TcpKind::Ack), 3, 180);
        slots.add_side(Side::UDP_REFLECTOR, 4, 240);
        let packets: Vec<u64> = backscatter(&slots).into_iter().map(|(_, packets)| packets).collect();
        assert_eq!(packets, [1, 2, 0, 0, 4]);
    }
}
