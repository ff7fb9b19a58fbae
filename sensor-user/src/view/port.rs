//! What there is to see of one port: its day and its month, and who sends to it.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use sensor_common::layout::side::Tool;

use super::Sight;
use super::service::Service;
use super::who::parts;
use crate::config::Port;
use crate::counters::{Slots, SnapshotNumber};
use crate::obstacle::in_words;
use crate::sources::answer::{Line, PartRow, Row, Total, TupleRow};
use crate::sources::{Ask, By, Register};
use crate::store::{Reader, Step};

/// Rows of a ranking.
const ROWS: u32 = 20;
/// Hours of a month's curve.
const MONTH: i64 = 30 * 24;
/// Minutes of a day's.
const DAY: i64 = 24 * 60;

/// A port.
#[derive(Clone, Debug)]
pub struct PortView {
    /// When this was made.
    pub time: Timestamp,
    /// Of the counters that it is made of: `/api/v1/slots` with the same number has the same counts.
    pub snapshot: Option<SnapshotNumber>,
    /// Which.
    pub port: Port,
    /// Of which sensor all is; `None`: of all together.
    pub sensor: Option<String>,
    /// Packets since the counters were made.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// By the minute; `None` without a store, and where it cannot be read.
    pub day: Option<Curve>,
    /// By the hour, likewise.
    pub month: Option<Curve>,
    /// Why it cannot be read, and what to do.
    pub no_past: Option<String>,
    /// What is known of sources in this hour and the last; `None` without evidence.
    pub from: Option<PortSources>,
}

/// What was counted over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// When the first step begins.
    pub from: Timestamp,
    /// When the last ends.
    pub to: Timestamp,
    /// Packets in each; `None` where nobody looked, and where they are summed up with those of other ports.
    pub steps: Vec<Option<u64>>,
}

/// Who sent to a port.
#[derive(Clone, Debug, Default)]
pub struct PortSources {
    /// Packets and sources in all.
    pub total: Option<Total>,
    /// Who sent most, most first: empty where addresses are not to be seen.
    pub heaviest: Vec<Row>,
    /// Whether addresses are left out.
    pub concealed: bool,
    /// By country.
    pub countries: Vec<PartRow>,
    /// Why there are none, and what to do.
    pub no_countries: Option<String>,
    /// SYNs and sources by tool.
    pub tools: Vec<(&'static str, Total)>,
    /// Why there are none, and what to do.
    pub no_tools: Option<String>,
    /// What SYNs to it had in common, as far as that is followed; `None` of a port that gets none.
    pub tuples: Option<Vec<TupleRow>>,
}

impl PortView {
    /// What its counters say.
    #[must_use]
    pub fn new<'a>(
        (port, sensor): (Port, Option<String>),
        snapshot: Option<SnapshotNumber>,
        sensors: impl Iterator<Item = &'a Slots>,
    ) -> Self {
        let counted = crate::counters::sum(sensors.map(|slots| slots.get(port.slot())));
        Self {
            time: Timestamp::now(),
            snapshot,
            port,
            sensor,
            packets: counted.packets,
            bytes: counted.bytes,
            day: None,
            month: None,
            no_past: None,
            from: None,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        Service::Port(self.port).name()
    }

    /// With what the store has of it, or why that cannot be read.
    #[must_use]
    pub fn with_past(self, reader: &Reader) -> Self {
        let curve = |step, steps| self.curve(reader, step, steps);
        match curve(Step::Minute, DAY).and_then(|day| Ok((day, curve(Step::Hour, MONTH)?))) {
            Ok((day, month)) => Self { day: Some(day), month: Some(month), ..self },
            Err(error) => Self { no_past: Some(in_words(&error)), ..self },
        }
    }

    fn curve(&self, reader: &Reader, step: Step, steps: i64) -> Result<Curve> {
        let seconds = step.seconds();
        let to = Timestamp::from_second(self.time.as_second().div_euclid(seconds) * seconds)?;
        let from = to.checked_sub(SignedDuration::from_secs(steps * seconds))?;
        let number = self.port.slot().index();
        let of = reader.over_time(self.sensor.as_deref(), &(number..=number), step, (from, to))?;
        let at = |at: i64| Timestamp::from_second(from.as_second() + at * seconds).ok();
        let packets = |step| of.get(&at(step)?).copied().flatten();
        Ok(Curve { from, to, steps: (0..steps).map(packets).collect() })
    }

    /// With what is known of who sends to it.
    #[must_use]
    pub fn with_sources(self, register: &Register, sight: Sight) -> Self {
        let ask = |by, tool: Option<&str>| Ask {
            sensor: self.sensor.clone(),
            slot: Some(self.port.to_string()),
            tool: tool.map(str::to_owned),
            by,
            limit: ROWS,
            ..Ask::default()
        };
        let mut from = PortSources { concealed: sight == Sight::Counts, ..PortSources::default() };
        for line in register.sources(&ask(By::Source, None)).into_iter().flatten() {
            match line {
                Line::Total(total) => from.total = Some(total),
                Line::Source(row) if !from.concealed => from.heaviest.push(row),
                _ => {}
            }
        }
        match register.sources(&ask(By::Country, None)) {
            Ok(lines) => from.countries = parts(lines).collect(),
            Err(error) => from.no_countries = Some(in_words(&error)),
        }
        for tool in Tool::ALL {
            match register.sources(&ask(By::Source, Some(tool.label()))) {
                Ok(lines) => {
                    let total = lines
                        .into_iter()
                        .find_map(|line| if let Line::Total(total) = line { Some(total) } else { None });
                    from.tools
                        .extend(total.filter(|total| total.packets > 0).map(|total| (tool.label(), total)));
                }
                Err(error) => {
                    from.no_tools = Some(in_words(&error));
                    break;
                }
            }
        }
        from.tuples = register.tuples(&ask(By::Source, None)).ok().map(|lines| {
            lines
                .into_iter()
                .filter_map(|line| if let Line::Tuple(row) = line { Some(row) } else { None })
                .collect()
        });
        Self { from: Some(from), ..self }
    }
}
