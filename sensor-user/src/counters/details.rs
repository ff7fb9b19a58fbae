//! What a sensor's side counters tell, with what its slots tell already: for each label how many packets, every label.

use sensor_common::evidence::Lost;
use sensor_common::fingerprint::icmp_backscatter;
use sensor_common::layout::Slot;
use sensor_common::layout::side::{Backscatter, Side, Skipped, TcpKind, Tool};

use super::Slots;

/// Packets by label.
pub type Details = Vec<(&'static str, u64)>;

/// SYNs by the tool that made them.
#[must_use]
pub fn tools(slots: &Slots) -> Details {
    Tool::ALL.iter().map(|&tool| (tool.label(), slots.side(Side::tool(tool)))).collect()
}

/// TCP segments by their flags.
#[must_use]
pub fn tcp_kinds(slots: &Slots) -> Details {
    TcpKind::ALL.iter().map(|&kind| (kind.label(), tcp_kind(slots, kind))).collect()
}

fn tcp_kind(slots: &Slots, kind: TcpKind) -> u64 {
    match kind {
        // Each is counted by its tool.
        TcpKind::Syn => Tool::ALL.iter().map(|&tool| slots.side(Side::tool(tool))).sum(),
        kind => slots.side(Side::tcp(kind)),
    }
}

/// Backscatter by its kind.
#[must_use]
pub fn backscatter(slots: &Slots) -> Details {
    let mut icmp = [0; Backscatter::ALL.len()];
    for (kind, counter) in slots.iter_nonzero_from(Slot::icmp(0, 0)) {
        if let Some(kind) = icmp_backscatter(kind) {
            icmp[kind as usize] += counter.packets;
        }
    }
    let packets = |kind| match kind {
        Backscatter::SynAck => tcp_kind(slots, TcpKind::SynAck),
        Backscatter::Rst => tcp_kind(slots, TcpKind::Rst),
        Backscatter::UdpReflector => slots.side(Side::UDP_REFLECTOR),
        kind @ (Backscatter::IcmpError | Backscatter::IcmpReply) => icmp[kind as usize],
    };
    Backscatter::ALL.iter().map(|&kind| (kind.label(), packets(kind))).collect()
}

/// Packets that were not handed over as evidence, by reason.
#[must_use]
pub fn skipped(slots: &Slots) -> Details {
    Skipped::ALL.iter().map(|&reason| (reason.label(), slots.side(Side::skipped(reason)))).collect()
}

/// Packets that were handed over as evidence and not written, by reason.
#[must_use]
pub fn lost(slots: &Slots) -> Details {
    Lost::ALL.iter().map(|&reason| (reason.label(), slots.lost(reason))).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn syns_are_those_of_all_tools() {
        let mut slots = Slots::default();
        slots.add_side(Side::tool(Tool::Mirai), 3);
        slots.add_side(Side::tool(Tool::Other), 4);
        slots.add_side(Side::tcp(TcpKind::Xmas), 5);
        let kinds: Vec<_> = tcp_kinds(&slots).into_iter().filter(|(_, packets)| *packets > 0).collect();
        assert_eq!(kinds, [("syn", 7), ("xmas", 5)]);
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
        assert_eq!(
            kinds.collect::<Vec<_>>(),
            expected.map(|kind| (kind.label(), 6)).into_iter().collect::<Vec<_>>()
        );
    }

    #[test]
    fn flags_and_reflectors_tell_backscatter() {
        let mut slots = Slots::default();
        slots.add_side(Side::tcp(TcpKind::SynAck), 1);
        slots.add_side(Side::tcp(TcpKind::Rst), 2);
        slots.add_side(Side::tcp(TcpKind::Ack), 3);
        slots.add_side(Side::UDP_REFLECTOR, 4);
        let packets: Vec<u64> = backscatter(&slots).into_iter().map(|(_, packets)| packets).collect();
        assert_eq!(packets, [1, 2, 0, 0, 4]);
    }
}
