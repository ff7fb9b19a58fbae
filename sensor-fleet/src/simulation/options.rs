//! What may be asked of a simulation.

use anyhow::{Context as _, Result, ensure};
use jiff::Span;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// What of a fleet's history is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// What the rules record for each UTC day.
    Day,
    /// What they record for each hour, and for each day.
    Hour,
    /// What agents export, a sample a minute; for a few sensors over some days.
    Raw,
}

/// What happens in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Surges of every kind, and what else befalls sensors.
    Usual,
    /// No surge: noise, drift, outages, births and restarts only, to count false alarms.
    Quiet,
}

/// Which agents tell of sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sources {
    /// None.
    #[default]
    None,
    /// Every second one; of the others every second tells what made packets, and the rest nothing.
    Some,
    /// All of them.
    All,
}

/// A simulation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// How many sensors: 1 to 20,000.
    pub sensors: u32,
    /// The first UTC day.
    pub first: Date,
    /// The day after the last; two days to ten years after the first.
    pub end: Date,
    /// What all chance comes from.
    pub seed: u64,
    /// How many ports have a series of their own on each sensor: 16 to 10,000. Those of ICMP, fragments and the
    /// like come on top.
    pub ports: u32,
    /// What is written.
    pub resolution: Resolution,
    /// What happens.
    pub scenario: Scenario,
    /// Which agents tell of sources; a raw history has none that does.
    #[serde(default)]
    pub sources: Sources,
}

impl Options {
    /// The calendar months before `end`, with seed 1, 60 ports, a sample a day and surges.
    ///
    /// # Errors
    /// If they begin before the calendar does.
    pub fn months(sensors: u32, months: u32, end: Date) -> Result<Self> {
        let span = Span::new().try_months(months);
        let first = span.and_then(|span| end.checked_sub(span)).context("--months reaches too far back")?;
        Ok(Self::between(sensors, first, end))
    }

    /// The days before `end`, as [`Options::months`].
    ///
    /// # Errors
    /// As [`Options::months`].
    pub fn days(sensors: u32, days: u32, end: Date) -> Result<Self> {
        let span = Span::new().try_days(days);
        let first = span.and_then(|span| end.checked_sub(span)).context("--days reaches too far back")?;
        Ok(Self::between(sensors, first, end))
    }

    fn between(sensors: u32, first: Date, end: Date) -> Self {
        Self {
            sensors,
            first,
            end,
            seed: 1,
            ports: 60,
            resolution: Resolution::Day,
            scenario: Scenario::Usual,
            sources: Sources::None,
        }
    }

    /// How many days it spans.
    #[must_use]
    pub fn span(&self) -> usize {
        usize::try_from((midnight(self.end) - midnight(self.first)) / 86_400).unwrap_or(0)
    }

    /// How many series a sensor has, about.
    const fn series(&self) -> u32 {
        match self.sources {
            Sources::None => self.ports + 10,
            Sources::Some | Sources::All => 3 * self.ports + 70,
        }
    }

    /// Whether all of it is within bounds.
    ///
    /// # Errors
    /// If something is not; the error names it and its bounds.
    pub fn check(&self) -> Result<()> {
        ensure!((1..=20_000).contains(&self.sensors), "{} sensors: give 1 to 20,000", self.sensors);
        ensure!((16..=10_000).contains(&self.ports), "{} ports: give 16 to 10,000", self.ports);
        ensure!(
            self.sources == Sources::None || self.resolution != Resolution::Raw,
            "sources are simulated as the rules record them: leave out --sources, or --resolution raw"
        );
        let span = self.span();
        ensure!((2..=3_660).contains(&span), "a span of {span} days: give two days to ten years");
        ensure!(self.first >= jiff::civil::date(1970, 1, 2), "{} is before 1970-01-02", self.first);
        let per_day = match self.resolution {
            Resolution::Day => 1,
            Resolution::Hour => 25,
            Resolution::Raw => 1_440,
        };
        let samples = u64::from(self.sensors) * u64::from(self.series()) * span as u64 * per_day;
        ensure!(
            samples <= MOST_SAMPLES,
            "that would be {samples} samples, more than {MOST_SAMPLES}: take fewer sensors, ports or days, or a \
             coarser resolution"
        );
        Ok(())
    }
}

/// More fit neither on usual disks nor into the time that anybody waits for `promtool`.
const MOST_SAMPLES: u64 = 1_000_000_000;

/// A UTC day's beginning in Unix seconds.
#[must_use]
pub fn midnight(day: Date) -> i64 {
    day.duration_since(jiff::civil::date(1970, 1, 1)).as_secs()
}
