//! What was measured: a figure has a sample for each round, so that two can be compared round by round.
//!
//! All that a machine does to one round it does to every figure of it; the ratio of two figures in the same
//! round is what another machine would show too.

use serde_json::{Value, json};

use crate::statistics::Spread;

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What the table's part is about.
    pub section: Section,
    /// What targets and other figures call it.
    pub id: String,
    /// What the table calls it.
    pub what: String,
    /// What the samples are in.
    pub unit: Unit,
    /// One for each round. Empty if it could not be measured.
    pub samples: Vec<f64>,
    /// The figure that it is compared with.
    pub baseline: Option<String>,
    /// What a reader should know, or why it could not be measured.
    pub note: Option<String>,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Section {
    /// The programs by themselves, run over a frame by the kernel
    Path,
    /// Frames that arrive on a veth, and all that the kernel does with them
    Veth,
    /// Reading the counters
    Drain,
    /// The agent: its pages and its memory
    Agent,
}

impl Section {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Path, Self::Veth, Self::Drain, Self::Agent];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Path => "Packet path, BPF_PROG_TEST_RUN: CPU time of a packet, against XDP_DROP alone",
            Self::Veth => "Packet path, live frames on a veth: the receiver's CPU time of a packet",
            Self::Drain => "Drain: every counter of every sensor read, and summed over the CPUs",
            Self::Agent => "Agent: a scrape over HTTP, and memory",
        }
    }

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Veth => "veth",
            Self::Drain => "drain",
            Self::Agent => "agent",
        }
    }
}

/// What a figure is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Nanoseconds,
    /// Milliseconds.
    Milliseconds,
    /// Mebibytes.
    Mebibytes,
}

impl Unit {
    /// Its symbol.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Milliseconds => "ms",
            Self::Mebibytes => "MiB",
        }
    }
}

impl Figure {
    /// A figure without samples yet.
    pub fn new(section: Section, id: impl Into<String>, what: impl Into<String>, unit: Unit) -> Self {
        Self {
            section,
            id: id.into(),
            what: what.into(),
            unit,
            samples: Vec::new(),
            baseline: None,
            note: None,
        }
    }

    /// Compares it with another figure; with itself, not at all.
    #[must_use]
    pub fn against(mut self, baseline: impl Into<String>) -> Self {
        self.baseline = Some(baseline.into()).filter(|baseline| *baseline != self.id);
        self
    }

    /// Gives it samples.
    #[must_use]
    pub fn with(mut self, samples: impl IntoIterator<Item = f64>) -> Self {
        self.samples.extend(samples);
        self
    }

    /// The figure itself.
    pub fn value(&self) -> Option<Spread> {
        Spread::of(self.samples.iter().copied())
    }
}

/// Everything that a run has measured.
#[derive(Clone, Debug, Default)]
pub struct Figures(pub Vec<Figure>);

impl Figures {
    /// The figure of this name.
    pub fn get(&self, id: &str) -> Option<&Figure> {
        self.0.iter().find(|figure| figure.id == id)
    }

    /// By how much the one exceeds the other, round by round.
    pub fn difference(&self, id: &str, from: &str) -> Option<Spread> {
        self.compare(id, from, |a, b| a - b)
    }

    /// How many times the other the one is, round by round.
    pub fn ratio(&self, id: &str, to: &str) -> Option<Spread> {
        self.compare(id, to, |a, b| a / b)
    }

    fn compare(&self, id: &str, other: &str, how: fn(f64, f64) -> f64) -> Option<Spread> {
        let (figure, other) = (self.get(id)?, self.get(other)?);
        Spread::of(figure.samples.iter().zip(&other.samples).map(|(&a, &b)| how(a, b)))
    }

    /// How far above its baseline a figure is.
    pub fn above_baseline(&self, figure: &Figure) -> Option<Spread> {
        self.difference(&figure.id, figure.baseline.as_deref()?)
    }

    /// How many times its baseline a figure is.
    pub fn ratio_to_baseline(&self, figure: &Figure) -> Option<Spread> {
        self.ratio(&figure.id, figure.baseline.as_deref()?)
    }

    /// All of it, for programs.
    pub fn to_json(&self) -> Value {
        self.0
            .iter()
            .map(|figure| {
                json!({
                    "section": figure.section.name(),
                    "id": figure.id,
                    "what": figure.what,
                    "unit": figure.unit.symbol(),
                    "rounds": figure.samples.len(),
                    "value": spread(figure.value()),
                    "baseline": figure.baseline,
                    "above_baseline": spread(self.above_baseline(figure)),
                    "ratio_to_baseline": spread(self.ratio_to_baseline(figure)),
                    "note": figure.note,
                    "samples": figure.samples,
                })
            })
            .collect()
    }
}

/// A spread, for programs; nothing if there is none.
pub fn spread(spread: Option<Spread>) -> Value {
    spread.map_or(
        Value::Null,
        |Spread { low, median, high }| json!({ "p25": low, "median": median, "p75": high }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_compared_round_by_round() {
        let figure = |id: &str| Figure::new(Section::Path, id, id, Unit::Nanoseconds);
        let figures = Figures(vec![
            figure("bare").with([10.0, 20.0, 30.0]),
            figure("sensor").with([15.0, 30.0, 45.0]).against("bare"),
            figure("absent").against("bare"),
        ]);
        let ratio = figures.ratio_to_baseline(&figures.0[1]).expect("both have samples");
        assert_eq!((ratio.low, ratio.median, ratio.high), (1.5, 1.5, 1.5));
        assert_eq!(figures.above_baseline(&figures.0[1]).map(|it| it.median), Some(10.0));
        assert_eq!(figures.ratio_to_baseline(&figures.0[2]), None);
        assert_eq!(figures.to_json()[2]["value"], Value::Null);
    }
}
