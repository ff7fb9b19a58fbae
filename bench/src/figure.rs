//! What was measured: a figure has a sample for each round, so that two can be compared round by round.
//!
//! All that a machine does to one round it does to every figure of it; the ratio of two figures in the same
//! round is what another machine would show too. What a packet costs is compared with probes that ran right
//! before it.

use serde_json::{Value, json};

use crate::sample::{Probes, Sample, State};
use crate::statistics::{Spread, from_usize};

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
    pub samples: Vec<Sample>,
    /// The figure that it is compared with, unless its samples have probes: then these are.
    pub baseline: Option<String>,
    /// What a reader should know, or why it could not be measured.
    pub note: Option<String>,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Section {
    /// The processor, without the sensor
    Processor,
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
    pub const ALL: [Self; 5] = [Self::Processor, Self::Path, Self::Veth, Self::Drain, Self::Agent];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Processor => "Processor: a step of its own work, without the sensor",
            Self::Path => "Packet path, BPF_PROG_TEST_RUN: CPU time of a packet",
            Self::Veth => "Packet path, live frames on a veth: the receiver's CPU time of a packet",
            Self::Drain => "Drain: every counter of every sensor read, and summed over the CPUs",
            Self::Agent => "Agent: a scrape over HTTP, and memory",
        }
    }

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Processor => "processor",
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
        self.samples.extend(samples.into_iter().map(|value| Sample { value, probes: None }));
        self
    }

    /// The figure itself.
    pub fn value(&self) -> Option<Spread> {
        Spread::of(self.samples.iter().map(|sample| sample.value))
    }

    /// Whether probes ran beside it.
    pub fn is_probed(&self) -> bool {
        self.samples.iter().any(|sample| sample.probes.is_some())
    }

    /// By how much it exceeds `XDP_DROP` alone, while the machine was in its fast state.
    pub fn above_drop(&self) -> Option<Spread> {
        self.probed(Some(State::Fast), |value, probes| value - probes.dropping)
    }

    /// How many times `XDP_DROP` alone it is, while the machine was in its fast state.
    pub fn times_drop(&self) -> Option<Spread> {
        self.probed(Some(State::Fast), |value, probes| value / probes.dropping)
    }

    /// How many times `XDP_DROP` after reading the ports it is, in any state.
    pub fn times_reading(&self) -> Option<Spread> {
        self.probed(None, |value, probes| value / probes.reading)
    }

    fn probed(&self, state: Option<State>, how: fn(f64, Probes) -> f64) -> Option<Spread> {
        let probed = self.samples.iter().filter_map(|sample| Some((sample.value, sample.probes?)));
        let wanted = probed.filter(|(_, probes)| state.is_none_or(|state| probes.state() == state));
        Spread::of(wanted.map(|(value, probes)| how(value, probes)))
    }

    /// Which share of its samples was taken in the machine's slow state; `None` without probes.
    pub fn slow_share(&self) -> Option<f64> {
        let states: Vec<State> = self.samples.iter().filter_map(Sample::state).collect();
        let slow = states.iter().filter(|&&state| state == State::Slow).count();
        (!states.is_empty()).then(|| from_usize(slow) / from_usize(states.len()))
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

    /// By how much the one exceeds the other, round by round, where the machine was in the same state.
    pub fn difference(&self, id: &str, from: &str) -> Option<Spread> {
        self.compare(id, from, |a, b| a - b)
    }

    /// How many times the other the one is, round by round, where the machine was in the same state.
    pub fn ratio(&self, id: &str, to: &str) -> Option<Spread> {
        self.compare(id, to, |a, b| a / b)
    }

    fn compare(&self, id: &str, other: &str, how: fn(f64, f64) -> f64) -> Option<Spread> {
        let (figure, other) = (self.get(id)?, self.get(other)?);
        let rounds = figure.samples.iter().zip(&other.samples);
        let alike = rounds.filter(|(a, b)| a.state() == b.state());
        Spread::of(alike.map(|(a, b)| how(a.value, b.value)))
    }

    /// How far above what it is compared with a figure is.
    pub fn above_baseline(&self, figure: &Figure) -> Option<Spread> {
        if figure.is_probed() {
            return figure.above_drop();
        }
        self.difference(&figure.id, figure.baseline.as_deref()?)
    }

    /// How many times what it is compared with a figure is.
    pub fn ratio_to_baseline(&self, figure: &Figure) -> Option<Spread> {
        if figure.is_probed() {
            return figure.times_drop();
        }
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
                    "ratio_to_reading": spread(figure.times_reading()),
                    "slow_share": figure.slow_share(),
                    "note": figure.note,
                    "samples": figure.samples.iter().map(|sample| sample.value).collect::<Vec<_>>(),
                    "probes": figure.samples.iter().map(Sample::probes_to_json).collect::<Vec<_>>(),
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

    #[test]
    fn a_figure_is_compared_with_the_probes_beside_it_and_only_in_one_state() {
        let sample = |value, dropping, reading| Sample { value, probes: Some(Probes { dropping, reading }) };
        let mut sensor = Figure::new(Section::Veth, "sensor", "sensor", Unit::Nanoseconds);
        sensor.samples = vec![sample(110.0, 100.0, 105.0), sample(240.0, 150.0, 220.0)];
        assert_eq!(sensor.slow_share(), Some(0.5));
        assert_eq!(sensor.above_drop().map(|it| it.median), Some(10.0));
        assert_eq!(sensor.times_drop().map(|it| it.high), Some(1.1));
        assert!(
            sensor.times_reading().is_some_and(|it| (it.high - 240.0 / 220.0).abs() < 0.02),
            "both states"
        );
        let mut filter = Figure { id: "filter".to_owned(), ..sensor.clone() };
        filter.samples = vec![sample(440.0, 101.0, 104.0), sample(500.0, 100.0, 103.0)];
        let figures = Figures(vec![sensor, filter]);
        assert_eq!(figures.ratio("filter", "sensor").map(|it| (it.low, it.high)), Some((4.0, 4.0)));
    }
}
