//! What the metrics page says of one sensor: every packet in exactly one series, and some in a detail too.
//!
//! Series that can be foreseen are there from the start, at 0, so that Prometheus sees their first packet as
//! an increase. The other protocols' series appear with their first packet, whose count Prometheus can't see
//! as one: at most 256 of them, and as many for fragments.

use std::borrow::Cow;

use sensor_common::layout::{Counter, Malformed, Slot, SlotKind};

use super::icmp;
use super::names::{self, ICMP, ICMPV6, TCP, UDP};
use super::select::Selection;
use super::snapshot::{Slots, add};
use crate::config::{Port, Transport};

/// A label's value.
pub type Label = Cow<'static, str>;

/// One series of packets and of bytes. No two of a sensor have the same labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The protocol's name, or `malformed`.
    pub protocol: Label,
    /// Which of the protocol's packets it counts.
    pub port: PortLabel,
    /// What it counted.
    pub counter: Counter,
}

/// The value of the label `port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortLabel {
    /// A port's number.
    Number(u16),
    /// `other`: the ports that have no series of their own.
    Other,
    /// `fragment`: fragments after the first, which carry no port.
    Fragment,
    /// Empty: what has no ports.
    None,
}

impl PortLabel {
    /// The value as text; `digits` holds that of a number.
    #[must_use]
    pub fn text(self, digits: &mut itoa::Buffer) -> &str {
        match self {
            Self::Number(number) => digits.format(number),
            Self::Other => "other",
            Self::Fragment => "fragment",
            Self::None => "",
        }
    }
}

/// Protocols without ports that are exported from the start: ICMP, and what tunnels and scans use.
const EXPECTED: [u8; 12] = [ICMP, 2, 4, 41, 47, 50, 51, ICMPV6, 89, 103, 132, 136];

/// Protocols whose later fragments are exported from the start.
const EXPECTED_FRAGMENTS: [u8; 4] = [ICMP, TCP, UDP, ICMPV6];

/// All series of a sensor. Their sum is what the sensor counted, less what [`Selection::withdrawn`] says.
pub fn series<'a>(slots: &'a Slots, selection: &'a Selection) -> impl Iterator<Item = Series> + 'a {
    let ports = selection.ports(slots).map(|(slot, counter)| {
        let Port { transport, number } = slot.port();
        Series { protocol: names::transport(transport).into(), port: PortLabel::Number(number), counter }
    });
    let others = [Transport::Tcp, Transport::Udp].map(|transport| {
        let counter = selection.other(transport, slots);
        Series { protocol: names::transport(transport).into(), port: PortLabel::Other, counter }
    });
    ports.chain(others).chain(without_ports(slots))
}

/// The series of what has no ports.
fn without_ports(slots: &Slots) -> Vec<Series> {
    let rest = Rest::of(slots);
    let mut all = Vec::new();
    for (port, counters, expected) in [
        (PortLabel::None, &rest.protocols, &EXPECTED[..]),
        (PortLabel::Fragment, &rest.fragments, &EXPECTED_FRAGMENTS[..]),
    ] {
        all.extend(
            (0..=u8::MAX)
                .zip(counters)
                .filter(|(number, counter)| **counter != Counter::default() || expected.contains(number))
                .map(|(number, &counter)| Series { protocol: names::protocol(number), port, counter }),
        );
    }
    all.push(Series { protocol: "malformed".into(), port: PortLabel::None, counter: rest.malformed });
    all
}

/// Everything but ports. A protocol is one series, whichever version of IP carried it.
struct Rest {
    protocols: [Counter; 256],
    fragments: [Counter; 256],
    malformed: Counter,
}

impl Rest {
    fn of(slots: &Slots) -> Self {
        let mut rest = Self {
            protocols: [Counter::default(); 256],
            fragments: [Counter::default(); 256],
            malformed: Counter::default(),
        };
        for (kind, counter) in slots.iter_nonzero_from(Slot::icmp(0, 0)) {
            let to = match kind {
                SlotKind::Tcp(_) | SlotKind::Udp(_) => continue,
                SlotKind::Icmp(..) => &mut rest.protocols[usize::from(ICMP)],
                SlotKind::Icmpv6(..) => &mut rest.protocols[usize::from(ICMPV6)],
                SlotKind::ProtocolV4(number) | SlotKind::ProtocolV6(number) => {
                    &mut rest.protocols[usize::from(number)]
                }
                SlotKind::Fragment(number) => &mut rest.fragments[usize::from(number)],
                SlotKind::Malformed(_) => &mut rest.malformed,
            };
            add(to, counter);
        }
        rest
    }
}

/// Packets of one ICMP or `ICMPv6` type and code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcmpSeries {
    /// `icmp` or `icmpv6`.
    pub protocol: &'static str,
    /// The type's number, or `other`.
    pub kind: Label,
    /// The code's number, `15+` for 15 and above, or `other`.
    pub code: Label,
    /// Packets counted.
    pub packets: u64,
}

/// The types and codes behind the two series of `icmp` and `icmpv6` without fragments: their sums are equal.
///
/// What has no series of its own is `other`, and so is a protocol over the IP version that it isn't made
/// for, whose type nobody reads.
#[must_use]
pub fn icmp_details(slots: &Slots) -> Vec<IcmpSeries> {
    let Rest { protocols, .. } = Rest::of(slots);
    let mut all = Vec::new();
    let mut detail = |protocol, number: u8, named: &mut dyn Iterator<Item = (u8, u8, Slot)>| {
        let mut other = protocols[usize::from(number)].packets;
        for (kind, code, slot) in named {
            let packets = slots.get(slot).packets;
            other -= packets;
            let (kind, code) = (kind.to_string().into(), icmp::code_label(code).into());
            all.push(IcmpSeries { protocol, kind, code, packets });
        }
        all.push(IcmpSeries { protocol, kind: "other".into(), code: "other".into(), packets: other });
    };
    detail("icmp", ICMP, &mut icmp::icmp().map(|(kind, code)| (kind, code, Slot::icmp(kind, code))));
    detail("icmpv6", ICMPV6, &mut icmp::icmpv6().map(|(kind, code)| (kind, code, Slot::icmpv6(kind, code))));
    all
}

/// Packets by what was broken; their sum is the series `malformed`.
pub fn malformed_details(slots: &Slots) -> impl Iterator<Item = (Malformed, u64)> {
    Malformed::ALL.iter().map(|&reason| (reason, slots.get(Slot::malformed(reason)).packets))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Instant;

    use proptest::prelude::*;
    use sensor_common::layout::SENSOR_SLOTS;

    use super::*;
    use crate::config::{Export, MaxPorts, SensorNumber};
    use crate::counters::select::Scrapers;
    use crate::counters::snapshot::sum;
    use crate::counters::store::{MemoryStore, Records, Restored};

    fn everything() -> Selection {
        let export = Export { ports: vec![], max_ports: MaxPorts::All };
        let mut selection = Selection::new(&export, Restored::default());
        let mut store = MemoryStore::default();
        let drain = Scrapers::default().drain();
        let records = &mut Records::new(&mut store, SensorNumber(0));
        selection.advance(Instant::now(), drain, None, &Slots::default(), records);
        selection
    }

    fn find<'a>(all: &'a [Series], protocol: &str, port: &str) -> Option<&'a Series> {
        let mut found = all.iter().filter(|series| {
            series.protocol == protocol && series.port.text(&mut itoa::Buffer::new()) == port
        });
        let first = found.next();
        assert_eq!(found.next(), None, "{protocol} {port} is there twice");
        first
    }

    #[test]
    fn a_protocol_is_one_series_whichever_ip_carried_it() {
        let mut slots = Slots::default();
        for (slot, packets) in [
            (Slot::icmp(8, 0), 1),
            (Slot::icmp(77, 200), 2),
            (Slot::protocol_v6(ICMP), 4),
            (Slot::icmpv6(128, 0), 8),
            (Slot::protocol_v4(ICMPV6), 16),
            (Slot::protocol_v4(47), 32),
            (Slot::protocol_v6(47), 64),
            (Slot::fragment(UDP), 128),
            (Slot::protocol_v4(253), 256),
            (Slot::malformed(Malformed::TcpTruncated), 512),
            (Slot::malformed(Malformed::UdpLength), 1024),
        ] {
            slots.add(slot, packets, 0);
        }
        let all: Vec<_> = series(&slots, &everything()).collect();
        for (protocol, port, packets) in [
            ("icmp", "", 7),
            ("icmpv6", "", 24),
            ("gre", "", 96),
            ("udp", "fragment", 128),
            ("253", "", 256),
            ("malformed", "", 1536),
            ("tcp", "fragment", 0),
            ("icmp", "fragment", 0),
            ("sctp", "", 0),
            ("tcp", "other", 0),
        ] {
            let found = find(&all, protocol, port).unwrap_or_else(|| panic!("no {protocol} {port}"));
            assert_eq!(found.counter.packets, packets, "{protocol} {port}");
        }
        assert_eq!(find(&all, "254", ""), None);
        assert_eq!(find(&all, "tcp", ""), None);

        let details = icmp_details(&slots);
        let packets = |protocol, kind: &str, code: &str| {
            let found: Vec<_> = details
                .iter()
                .filter(|detail| (detail.protocol, &*detail.kind, &*detail.code) == (protocol, kind, code))
                .map(|detail| detail.packets)
                .collect();
            assert_eq!(found.len(), 1, "{protocol} {kind} {code}");
            found[0]
        };
        assert_eq!(packets("icmp", "8", "0"), 1);
        assert_eq!(packets("icmp", "other", "other"), 6);
        assert_eq!(packets("icmp", "3", "15+"), 0);
        assert_eq!(packets("icmpv6", "128", "0"), 8);
        assert_eq!(packets("icmpv6", "other", "other"), 16);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_packet_is_in_one_series_and_details_add_up(
            counted in prop::collection::vec((0..SENSOR_SLOTS, 1..1_000_000_u64), 0..500),
        ) {
            let mut slots = Slots::default();
            for (index, packets) in counted {
                if let Some(kind) = Slot::describe(index) {
                    slots.add(kind.into(), packets, 1);
                }
            }
            let all: Vec<_> = series(&slots, &everything()).collect();
            prop_assert_eq!(sum(all.iter().map(|series| series.counter)), slots.total());
            let labels: HashSet<_> = all.iter().map(|series| (&series.protocol, &series.port)).collect();
            prop_assert_eq!(labels.len(), all.len());

            let packets = |of: &str| {
                let icmp = all.iter().filter(|series| series.protocol == of && series.port == PortLabel::None);
                icmp.map(|series| series.counter.packets).sum::<u64>()
            };
            for protocol in ["icmp", "icmpv6"] {
                let details = icmp_details(&slots);
                let sum: u64 =
                    details.iter().filter(|of| of.protocol == protocol).map(|of| of.packets).sum();
                prop_assert_eq!(sum, packets(protocol));
            }
            let malformed: u64 = malformed_details(&slots).map(|(_, packets)| packets).sum();
            prop_assert_eq!(malformed, packets("malformed"));
        }
    }
}
