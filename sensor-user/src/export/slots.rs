//! `GET /api/v1/slots`: every slot that counted something, exact, whatever the metrics page shows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sensor_common::layout::side::Side;
use sensor_common::layout::{Counter, Passed, SlotKind};
use serde::{Serialize, Serializer};

use super::exporter::Labelled;
use crate::counters::{Slots, Snapshot, SnapshotNumber, details, names};

#[derive(Serialize)]
struct Report<'a> {
    sensors: Vec<SensorReport<'a>>,
    /// Packets let through, by reason.
    passed: BTreeMap<&'static str, u64>,
    /// Whatever carries the same number is made of the same counts.
    snapshot: SnapshotNumber,
}

#[derive(Serialize)]
struct SensorReport<'a> {
    name: &'a str,
    slots: Entries<'a>,
    /// SYNs by tool, TCP segments by flags, and backscatter by kind, every one.
    tools: BTreeMap<&'static str, u64>,
    tcp: BTreeMap<&'static str, u64>,
    backscatter: BTreeMap<&'static str, u64>,
    /// Packets by the constituency that they come from, of every one.
    constituencies: BTreeMap<&'a str, u64>,
    evidence: Evidence,
}

/// Packets handed over as evidence, those that were not, and those that were lost, by reason.
#[derive(Serialize)]
struct Evidence {
    handed_over: u64,
    skipped: BTreeMap<&'static str, u64>,
    lost: BTreeMap<&'static str, u64>,
}

/// The slots that counted something, written one by one: together they take twice the memory of their text.
struct Entries<'a>(&'a Slots);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter_nonzero().map(|(kind, counter)| entry(kind, counter)))
    }
}

/// One slot. Which of the optional fields it has depends on what it counts; no two entries of a sensor are
/// alike in all fields but the counts.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Entry {
    protocol: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<Port>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<u8>,
    /// 15 stands for 15 and above.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    /// The version of IP that carried a protocol which has neither ports nor types.
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_version: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    packets: u64,
    bytes: u64,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Port {
    Number(u16),
    Name(&'static str),
}

/// Writes the report of a snapshot as JSON; `names` are those of its sensors.
pub(super) fn write<'a>(
    to: &mut Vec<u8>,
    names: impl Iterator<Item = &'a str>,
    constituencies: &[Labelled],
    snapshot: &Snapshot,
    number: SnapshotNumber,
) -> serde_json::Result<()> {
    let report = Report {
        sensors: names
            .zip(&snapshot.sensors)
            .map(|(name, slots)| SensorReport {
                name,
                slots: Entries(slots),
                tools: details::tools(slots).into_iter().collect(),
                tcp: details::tcp_kinds(slots).into_iter().collect(),
                backscatter: details::backscatter(slots).into_iter().collect(),
                constituencies: constituencies
                    .iter()
                    .map(|(name, counter)| (name.as_str(), slots.side(*counter)))
                    .collect(),
                evidence: Evidence {
                    handed_over: slots.side(Side::HANDED_OVER),
                    skipped: details::skipped(slots).into_iter().collect(),
                    lost: details::lost(slots).into_iter().collect(),
                },
            })
            .collect(),
        passed: Passed::ALL.iter().map(|&reason| (reason.label(), snapshot.passed(reason))).collect(),
        snapshot: number,
    };
    serde_json::to_writer(to, &report)
}

fn entry(kind: SlotKind, Counter { packets, bytes }: Counter) -> Entry {
    let counted = Entry { packets, bytes, ..Entry::default() };
    match kind {
        SlotKind::Tcp(port) => Entry { protocol: "tcp".into(), port: Some(Port::Number(port)), ..counted },
        SlotKind::Udp(port) => Entry { protocol: "udp".into(), port: Some(Port::Number(port)), ..counted },
        SlotKind::Icmp(kind, code) => {
            Entry { protocol: "icmp".into(), r#type: Some(kind), code: Some(code), ..counted }
        }
        SlotKind::Icmpv6(kind, code) => {
            Entry { protocol: "icmpv6".into(), r#type: Some(kind), code: Some(code), ..counted }
        }
        SlotKind::ProtocolV4(number) => {
            Entry { protocol: names::protocol(number), ip_version: Some(4), ..counted }
        }
        SlotKind::ProtocolV6(number) => {
            Entry { protocol: names::protocol(number), ip_version: Some(6), ..counted }
        }
        SlotKind::Fragment(number) => {
            Entry { protocol: names::protocol(number), port: Some(Port::Name("fragment")), ..counted }
        }
        SlotKind::Malformed(reason) => {
            Entry { protocol: "malformed".into(), reason: Some(reason.label()), ..counted }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use sensor_common::layout::Malformed;
    use serde_json::json;

    use super::*;
    use crate::counters::SnapshotBuilder;

    #[rstest]
    #[case(SlotKind::Tcp(23), json!({"protocol": "tcp", "port": 23}))]
    #[case(SlotKind::Udp(53), json!({"protocol": "udp", "port": 53}))]
    #[case(SlotKind::Icmp(8, 0), json!({"protocol": "icmp", "type": 8, "code": 0}))]
    #[case(SlotKind::Icmpv6(1, 15), json!({"protocol": "icmpv6", "type": 1, "code": 15}))]
    #[case(SlotKind::ProtocolV4(47), json!({"protocol": "gre", "ip_version": 4}))]
    #[case(SlotKind::ProtocolV6(254), json!({"protocol": "254", "ip_version": 6}))]
    #[case(SlotKind::Fragment(17), json!({"protocol": "udp", "port": "fragment"}))]
    #[case(SlotKind::Malformed(Malformed::UdpLength), json!({"protocol": "malformed", "reason": "udp_length"}))]
    fn each_slot_says_what_it_counts(#[case] kind: SlotKind, #[case] mut expected: serde_json::Value) {
        let counter = Counter { packets: (1 << 53) + 1, bytes: u64::MAX };
        expected["packets"] = counter.packets.into();
        expected["bytes"] = counter.bytes.into();
        assert_eq!(serde_json::to_value(entry(kind, counter)).unwrap(), expected);
    }

    #[test]
    fn a_fresh_sensor_has_an_empty_list() {
        let snapshot = SnapshotBuilder::new(1).finish();
        let mut text = Vec::new();
        write(&mut text, ["a"].into_iter(), &[], &snapshot, SnapshotNumber(7)).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let passed = json!({"link": 0, "management": 0, "non_ip": 0, "not_monitored": 0, "reply": 0, "unconfirmed": 0});
        let tools = json!({
            "mirai": 0, "masscan": 0, "zmap": 0, "unicornscan": 0, "zmap_likely": 0, "nmap_likely": 0, "other": 0
        });
        let tcp = json!({
            "syn": 0, "syn_ack": 0, "rst": 0, "ack": 0, "null": 0, "xmas": 0, "fin": 0, "other": 0
        });
        let backscatter =
            json!({"syn_ack": 0, "rst": 0, "icmp_error": 0, "icmp_reply": 0, "udp_reflector": 0});
        let evidence = json!({
            "handed_over": 0, "skipped": {"budget": 0, "buffer": 0}, "lost": {"disk": 0, "stalled": 0, "ended": 0}
        });
        let sensor = json!({
            "name": "a", "slots": [], "tools": tools, "tcp": tcp, "backscatter": backscatter, "constituencies": {},
            "evidence": evidence
        });
        assert_eq!(report, json!({"sensors": [sensor], "passed": passed, "snapshot": 7}));
    }
}
