//! What the figures are to reach, and whether they do.
//!
//! The median decides; the spread says how sure that is.

use serde_json::{Value, json};

use crate::figure::{Figure, Figures, spread};
use crate::statistics::Spread;

/// What is asked of the figures.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is about.
    what: &'static str,
    measure: Measure,
    limit: Limit,
    unit: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Measure {
    /// A figure itself.
    Value(&'static str),
    /// By how much it exceeds `XDP_DROP` alone, in the machine's fast state.
    AboveDrop(&'static str),
    /// How many times `XDP_DROP` alone it is, in the machine's fast state.
    TimesDrop(&'static str),
    /// How many times `XDP_DROP` after reading the ports it is, in any state.
    TimesReading(&'static str),
    /// By how much the first exceeds the second.
    Difference(&'static str, &'static str),
    /// How many times the second the first is.
    Ratio(&'static str, &'static str),
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

use Limit::{AtLeast, AtMost};
use Measure::{AboveDrop, Difference, Ratio, TimesDrop, TimesReading, Value as Itself};

/// All of them.
pub const TARGETS: [Target; 30] = [
    target("bare SYN, random ports: above XDP_DROP", AboveDrop("path.syn.untold"), AtMost(6.0), "ns"),
    target("bare SYN, one port: above XDP_DROP", AboveDrop("path.syn_one_port.untold"), AtMost(4.0), "ns"),
    target("SYN-ACK: above XDP_DROP", AboveDrop("path.syn_ack.untold"), AtMost(10.0), "ns"),
    target("bare SYN over IPv6: above XDP_DROP", AboveDrop("path.syn_v6.untold"), AtMost(10.0), "ns"),
    target("bare SYN in a VLAN: above XDP_DROP", AboveDrop("path.syn_vlan.untold"), AtMost(10.0), "ns"),
    target("UDP: above XDP_DROP", AboveDrop("path.udp.untold"), AtMost(10.0), "ns"),
    target(
        "bare SYN to the port of a rule of 1,000 networks: above one that no rule names",
        Difference("path.syn_allowed.allowed1000", "path.syn_one_port.one"),
        AtMost(5.0),
        "ns",
    ),
    target(
        "bare SYN to 16 sensors, random ports on all: above XDP_DROP",
        AboveDrop("path.syn_any_sensor.sixteen"),
        AtMost(60.0),
        "ns",
    ),
    target(
        "bare SYN, random ports: what telling its tool or kind costs",
        Difference("path.syn.one", "path.syn.untold"),
        AtMost(3.0),
        "ns",
    ),
    target(
        "bare SYN, one port: what telling its tool or kind costs",
        Difference("path.syn_one_port.one", "path.syn_one_port.untold"),
        AtMost(3.0),
        "ns",
    ),
    target(
        "bare SYN over IPv6: what telling its tool or kind costs",
        Difference("path.syn_v6.one", "path.syn_v6.untold"),
        AtMost(3.0),
        "ns",
    ),
    target(
        "UDP: what telling its tool or kind costs",
        Difference("path.udp.one", "path.udp.untold"),
        AtMost(3.0),
        "ns",
    ),
    target(
        "SYN-ACK: what telling its tool or kind costs",
        Difference("path.syn_ack.one", "path.syn_ack.untold"),
        AtMost(3.0),
        "ns",
    ),
    target(
        "bare SYN, random ports: what evidence costs whose budget is spent",
        Difference("path.syn.exhausted", "path.syn.one"),
        AtMost(3.0),
        "ns",
    ),
    target(
        "bare SYN, one port: what evidence costs whose budget is spent",
        Difference("path.syn_one_port.exhausted", "path.syn_one_port.one"),
        AtMost(3.0),
        "ns",
    ),
    target(
        "bare SYN, random ports: what a constituency costs whose packet it is not",
        Difference("path.syn.constituency", "path.syn.one"),
        AtMost(3.0),
        "ns",
    ),
    target(
        "bare SYN, one port: what a constituency costs whose packet it is not",
        Difference("path.syn_one_port.constituency", "path.syn_one_port.one"),
        AtMost(3.0),
        "ns",
    ),
    target(
        "bare SYN over IPv6: what a constituency costs whose packet it is not",
        Difference("path.syn_v6.constituency", "path.syn_v6.one"),
        AtMost(3.0),
        "ns",
    ),
    target(
        "veth, random ports, tools not told: against XDP_DROP",
        TimesDrop("veth.untold"),
        AtMost(1.2),
        "times",
    ),
    target(
        "veth, random ports, evidence kept: against XDP_DROP",
        TimesDrop("veth.evidence"),
        AtMost(1.35),
        "times",
    ),
    target(
        "veth, random ports, tools not told: against XDP_DROP after reading the ports",
        TimesReading("veth.untold"),
        AtMost(1.1),
        "times",
    ),
    target(
        "nftables `counter drop`: against the sensor, tools not told",
        Ratio("veth.nft", "veth.untold"),
        AtLeast(4.0),
        "times",
    ),
    target(
        "nftables, a counter for each port: against the sensor, tools not told",
        Ratio("veth.nft_ports", "veth.untold"),
        AtLeast(10.0),
        "times",
    ),
    target("drain under load, for each sensor and CPU", Itself("drain.1.each"), AtMost(0.6), "ms"),
    target("… of 16 sensors", Itself("drain.16.each"), AtMost(0.6), "ms"),
    target(
        "drain while nothing arrives, for each sensor and CPU",
        Itself("drain.1.quiet"),
        AtMost(0.2),
        "ms",
    ),
    target("scrape, default series", Itself("agent.1.all.default.scrape"), AtMost(5.0), "ms"),
    target("scrape of every port", Itself("agent.1.all.every.scrape"), AtMost(20.0), "ms"),
    target(
        "agent's resident memory, default series",
        Itself("agent.1.all.default.resident"),
        AtMost(24.0),
        "MiB",
    ),
    target("agent's resident memory, every port", Itself("agent.1.all.every.resident"), AtMost(96.0), "MiB"),
];

const fn target(what: &'static str, measure: Measure, limit: Limit, unit: &'static str) -> Target {
    Target { what, measure, limit, unit }
}

/// A target with what was measured.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What it is about.
    pub what: &'static str,
    /// What is asked, in words.
    pub asked: String,
    /// What was measured; `None` if it was not.
    pub found: Option<Spread>,
    /// Whether that is what is asked.
    pub met: Option<bool>,
    /// What both are in.
    pub unit: &'static str,
}

impl Target {
    /// Compares it with the figures.
    pub fn judge(&self, figures: &Figures) -> Judged {
        let found = match self.measure {
            Itself(id) => figures.get(id).and_then(Figure::value),
            AboveDrop(id) => figures.get(id).and_then(Figure::above_drop),
            TimesDrop(id) => figures.get(id).and_then(Figure::times_drop),
            TimesReading(id) => figures.get(id).and_then(Figure::times_reading),
            Difference(id, from) => figures.difference(id, from),
            Ratio(id, to) => figures.ratio(id, to),
        };
        let met = found.map(|found| match self.limit {
            AtMost(limit) => found.median <= limit,
            AtLeast(limit) => found.median >= limit,
        });
        let asked = match self.limit {
            AtMost(limit) => format!("at most {limit} {}", self.unit),
            AtLeast(limit) => format!("at least {limit} {}", self.unit),
        };
        Judged { what: self.what, asked, found, met, unit: self.unit }
    }

    /// The figures that it needs.
    #[cfg(test)]
    const fn ids(&self) -> [&'static str; 2] {
        match self.measure {
            Itself(id) | AboveDrop(id) | TimesDrop(id) | TimesReading(id) => [id, id],
            Difference(id, other) | Ratio(id, other) => [id, other],
        }
    }
}

impl Judged {
    /// In a word.
    pub const fn verdict(&self) -> &'static str {
        match self.met {
            Some(true) => "met",
            Some(false) => "not met",
            None => "not measured",
        }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let Self { what, asked, found, met, unit } = self;
        json!({ "what": what, "asked": asked, "found": spread(*found), "unit": unit, "met": met })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Section, Unit};
    use crate::sample::{Probes, Sample};

    #[test]
    fn the_median_of_the_fast_state_decides() {
        let samples = |values: [(f64, f64); 3]| {
            let sample =
                |(value, reading)| Sample { value, probes: Some(Probes { dropping: 20.0, reading }) };
            let mut figure = Figure::new(Section::Path, "path.syn.untold", "sensor", Unit::Nanoseconds);
            figure.samples = values.map(sample).into();
            Figures(vec![figure])
        };
        let [target, ..] = TARGETS;
        let table = [
            (samples([(25.0, 20.0), (25.5, 21.0), (60.0, 20.0)]), "met"),
            (samples([(27.0, 20.0), (27.0, 20.0), (21.0, 20.0)]), "not met"),
            (samples([(25.0, 20.0), (60.0, 40.0), (60.0, 40.0)]), "met"),
            (samples([(25.0, 40.0); 3]), "not measured"),
            (Figures::default(), "not measured"),
        ];
        for (figures, verdict) in table {
            assert_eq!(target.judge(&figures).verdict(), verdict, "{figures:?}");
        }
    }

    #[test]
    fn targets_name_their_section() {
        for id in TARGETS.iter().flat_map(Target::ids) {
            let section = id.split('.').next().expect("there is a first part");
            assert!(Section::ALL.iter().any(|it| it.name() == section), "{id}");
        }
    }
}
