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
use Measure::{Difference, Ratio, Value as Itself};

/// All of them.
pub const TARGETS: [Target; 9] = [
    target(
        "bare SYN, random ports: above XDP_DROP alone",
        Difference("path.syn.one", "path.syn.bare"),
        AtMost(10.0),
        "ns",
    ),
    target(
        "1,000 management prefixes, ports that no rule names: against 10",
        Ratio("path.syn.allowed1000", "path.syn.allowed10"),
        AtMost(1.05),
        "times",
    ),
    target(
        "16 sensors: one lookup above 1 sensor",
        Difference("path.syn.sixteen", "path.syn.one"),
        AtMost(50.0),
        "ns",
    ),
    target(
        "sensor on a veth: against XDP_DROP alone",
        Ratio("veth.sensor", "veth.bare"),
        AtMost(1.5),
        "times",
    ),
    target(
        "nftables `counter drop`: against the sensor",
        Ratio("veth.nft", "veth.sensor"),
        AtLeast(3.0),
        "times",
    ),
    target(
        "nftables, a counter for each port: against the sensor",
        Ratio("veth.nft_ports", "veth.sensor"),
        AtLeast(8.0),
        "times",
    ),
    target("drain under load, for each sensor and CPU", Itself("drain.16.each"), AtMost(1.0), "ms"),
    target("scrape, default series", Itself("agent.1.all.default.scrape"), AtMost(5.0), "ms"),
    target(
        "agent's resident memory, default series",
        Itself("agent.1.all.default.resident"),
        AtMost(32.0),
        "MiB",
    ),
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

    /// The section whose figures it needs.
    #[cfg(test)]
    const fn ids(&self) -> [&'static str; 2] {
        match self.measure {
            Itself(id) => [id, id],
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

    #[test]
    fn the_median_decides() {
        let sample =
            |id: &str, values: [f64; 3]| Figure::new(Section::Path, id, id, Unit::Nanoseconds).with(values);
        let mut figures = Figures(vec![
            sample("path.syn.bare", [20.0, 20.0, 20.0]),
            sample("path.syn.one", [29.0, 29.5, 60.0]),
        ]);
        let [target, ..] = TARGETS;
        assert_eq!(target.judge(&figures).verdict(), "met");
        figures.0[1].samples = vec![31.0, 31.0, 21.0];
        assert_eq!(target.judge(&figures).verdict(), "not met");
        figures.0.clear();
        assert_eq!(target.judge(&figures).verdict(), "not measured");
    }

    #[test]
    fn targets_name_their_section() {
        for id in TARGETS.iter().flat_map(Target::ids) {
            let section = id.split('.').next().expect("there is a first part");
            assert!(Section::ALL.iter().any(|it| it.name() == section), "{id}");
        }
    }
}
