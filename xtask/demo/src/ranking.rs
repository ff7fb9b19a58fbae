//! Which ports lead, in the manner of TSUBAME's tables: ports by name, ICMP one row.

use std::collections::BTreeMap;

use sensor_harness::counts::Counts;

/// Packets by row, over all sensors, most first.
pub fn ranking(counts: &Counts) -> Vec<(String, u64)> {
    let mut rows: BTreeMap<String, u64> = BTreeMap::new();
    for (slot, counter) in counts.sensors.iter().flatten() {
        *rows.entry(row(slot)).or_default() += counter.packets;
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    rows
}

/// `tcp/23` → `23/TCP`.
fn row(slot: &str) -> String {
    match slot.split_once('/') {
        Some(("icmp" | "icmpv6", _)) => "ICMP".to_owned(),
        Some(("malformed", _)) => "malformed".to_owned(),
        Some((protocol, "fragment")) => format!("{} fragments", protocol.to_uppercase()),
        Some((protocol, port)) => format!("{port}/{}", protocol.to_uppercase()),
        None => slot.to_uppercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensor_common::classify::Verdict;
    use sensor_common::layout::Slot;

    #[test]
    fn icmp_is_one_row_and_ports_are_named() {
        let mut counts = Counts::default();
        let slots = [
            Slot::icmp(8, 0),
            Slot::icmp(3, 3),
            Slot::icmpv6(128, 0),
            Slot::tcp(23),
            Slot::tcp(23),
            Slot::udp(53),
            Slot::fragment(17),
        ];
        for slot in slots {
            counts.add(Verdict::Count { sensor: 0, slot }, 60);
        }
        let expected = [("ICMP", 3), ("23/TCP", 2), ("53/UDP", 1), ("UDP fragments", 1)];
        assert_eq!(ranking(&counts), expected.map(|(row, packets)| (row.to_owned(), packets)));
    }
}
