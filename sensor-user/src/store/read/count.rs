//! Questions about counts over time, and about windows.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::params;
use sensor_common::layout::{Slot, SlotKind};

use super::super::counting::{HOUR, MINUTE};
use super::super::flow::{REST, SlotNumber, count, slot};
use super::super::window::Window;
use super::{MOST, Reader, sensor};

/// How far apart counts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A minute: of the last two days.
    Minute,
    /// An hour: of all that is kept.
    Hour,
}

impl Step {
    /// In seconds.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => MINUTE,
            Self::Hour => HOUR,
        }
    }
}

/// What was counted in a minute or an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// When that begins.
    pub time: Timestamp,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Reader {
    /// What a sensor has counted in a slot, or in all, by the minute or by the hour, from one time to before another; where
    /// nothing was, there is nothing. A slot that was not among the heaviest of its minute (1,000) or hour (10,000) is
    /// summed up with others and missing here.
    ///
    /// # Errors
    /// The store cannot be read, or that takes too long.
    pub fn counts(
        &self,
        name: &str,
        of: Option<SlotKind>,
        step: Step,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<Counted>> {
        self.read(|connection| {
            let sensor = sensor(connection, name)?;
            let (table, condition) = match of {
                Some(_) => ("total AS t CROSS JOIN count AS c USING (step, time, sensor)", "AND slot = ?5"),
                None => ("total", "AND ?5 IS NULL"),
            };
            let columns = if of.is_some() { "c.packets, c.bytes" } else { "packets, bytes" };
            let mut query = connection.prepare(&format!(
                "SELECT time, {columns} FROM {table}
                 WHERE step = ?1 AND sensor = ?2 AND time >= ?3 AND time < ?4 {condition} ORDER BY time LIMIT {MOST}"
            ))?;
            let slot = of.map(|kind| SlotNumber::from(kind).0);
            let values = params![step.seconds(), sensor, from.as_second(), to.as_second(), slot];
            let rows = query.query_map(values, |row| {
                let time = Timestamp::from_second(row.get(0)?).unwrap_or_default();
                Ok(Counted { time, packets: count(row.get(1)?), bytes: count(row.get(2)?) })
            })?;
            rows.collect()
        })
    }

    /// Windows of a sensor of this length in seconds, in all or in a slot, that begin from one time to before another, with
    /// their sketches.
    ///
    /// # Errors
    /// As for [`Reader::counts`].
    pub fn windows(
        &self,
        name: &str,
        of: Option<Slot>,
        length: u32,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<Window>> {
        self.read(|connection| {
            let sensor = sensor(connection, name)?;
            let mut query = connection.prepare(
                "SELECT start, packets, sources, exact, sketch, slot FROM windows
                 WHERE start >= ?1 AND start < ?2 AND length = ?3 AND sensor = ?4 AND slot = ?5
                 ORDER BY start LIMIT 10000",
            )?;
            let number = of.map_or(REST, |slot| slot.index().into());
            let values = params![from.as_second(), to.as_second(), length, sensor, number];
            let rows = query.query_map(values, |row| {
                Ok(Window {
                    length,
                    start: Timestamp::from_second(row.get(0)?).unwrap_or_default(),
                    sensor: name.to_owned(),
                    slot: slot(row.get(5)?).map(Slot::from),
                    packets: count(row.get(1)?),
                    sources: count(row.get(2)?),
                    exact: row.get(3)?,
                    sketch: row.get(4)?,
                })
            })?;
            rows.collect()
        })
    }
}
