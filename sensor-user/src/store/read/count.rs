//! Questions about counts over time, and about windows.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use anyhow::{Result, bail};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use sensor_common::layout::Slot;
use serde::{Deserialize, Serialize};

use super::super::counting::{HOUR, MINUTE};
use super::super::event::{Event, EventKind};
use super::super::flow::{REST, count, slot};
use super::super::window::Window;
use super::{Ask, MOST, NOBODY, Reader, sensor};
use crate::obstacle::WrongUse;

/// How far apart counts are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// A minute: of the last two days.
    #[default]
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

/// What was counted is asked for: all of it must hold.
#[derive(Clone, Debug)]
pub struct AskCounted<'a> {
    /// Of the sensor with this name.
    pub sensor: Option<&'a str>,
    /// In the slots with these numbers; `None`: in all.
    pub slots: Option<RangeInclusive<u32>>,
    /// How far apart.
    pub step: Step,
    /// From then on.
    pub from: Timestamp,
    /// Before then.
    pub to: Timestamp,
}

/// What was counted in a minute or an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The sensor's name.
    pub sensor: String,
    /// When that begins.
    pub time: Timestamp,
    /// Packets that have rows of their own.
    pub packets: u64,
    /// Packets that are summed up with those of others: some of them may be of the slots that are asked for.
    pub more: u64,
    /// Bytes of `packets`.
    pub bytes: u64,
}

impl Reader {
    /// Since when something is stored in such steps; what was counted, by sensor and time, where the counters were looked at;
    /// and gaps, the newest first.
    ///
    /// # Errors
    /// The store cannot be read, there is no such sensor, that takes too long, or there are more than 100,000 counts.
    pub fn counts(&self, ask: &AskCounted<'_>) -> Result<(Option<Timestamp>, Vec<Counted>, Vec<Event>)> {
        let (is_known, oldest, counted) = self.read(|connection| {
            let sensor = ask.sensor.map(|name| sensor(connection, name)).transpose()?;
            let step = ask.step.seconds();
            let query = "SELECT time FROM total WHERE step = ?1 ORDER BY time LIMIT 1";
            let oldest: Option<i64> = connection.query_row(query, [step], |row| row.get(0)).optional()?;
            let counted = counted(connection, ask, sensor)?;
            let oldest = oldest.and_then(|oldest| Timestamp::from_second(oldest).ok());
            Ok((sensor != Some(NOBODY), oldest, counted))
        })?;
        if let (Some(name), false) = (ask.sensor, is_known) {
            return Err(WrongUse(format!("nothing is stored of a sensor {name:?}")).into());
        }
        if counted.len() > MOST {
            bail!("these are more than {MOST} counts: ask for less time, by the hour, or for one sensor");
        }
        let sensor = ask.sensor.map(str::to_owned);
        let gaps =
            self.events(EventKind::Gap, None, &Ask { sensor, most: MOST, ..Ask::of(ask.from, ask.to) })?;
        Ok((oldest, counted, gaps))
    }

    /// Packets in the hours that begin at these times, of a sensor or of all together, each in the same order: of each group of
    /// slots how many. `None` of what is not known: where nothing is stored of an hour, or where, on some sensor, all slots of a
    /// group may be summed up with others.
    ///
    /// # Errors
    /// The store cannot be read, or that takes too long.
    pub fn in_hours(
        &self,
        name: Option<&str>,
        times: &[Timestamp],
        groups: &[Vec<RangeInclusive<u32>>],
    ) -> Result<Vec<Vec<Option<u64>>>> {
        self.read(|connection| {
            let only = name.map(|name| sensor(connection, name)).transpose()?;
            let mut sensors = connection.prepare(
                "SELECT sensor FROM total WHERE step = ?1 AND time = ?2 AND (?3 IS NULL OR sensor = ?3)",
            )?;
            let mut packets = connection.prepare(
                "SELECT coalesce(sum(packets), 0) FROM count
                 WHERE step = ?1 AND time = ?2 AND sensor = ?3 AND slot BETWEEN ?4 AND ?5",
            )?;
            let in_hour = |time: &Timestamp| -> rusqlite::Result<Vec<Option<u64>>> {
                let time = time.as_second();
                let sensors = sensors.query_map(params![HOUR, time, only], |row| row.get(0))?;
                let sensors: Vec<i64> = sensors.collect::<rusqlite::Result<_>>()?;
                let mut of = |sensor: i64, first: i64, last: i64| -> rusqlite::Result<u64> {
                    packets.query_row(params![HOUR, time, sensor, first, last], |row| row.get(0)).map(count)
                };
                let mut group = |slots: &Vec<RangeInclusive<u32>>| -> rusqlite::Result<Option<u64>> {
                    let (mut sum, mut is_known) = (0, !sensors.is_empty());
                    for &sensor in &sensors {
                        let mut own = 0;
                        for slots in slots {
                            own += of(sensor, i64::from(*slots.start()), i64::from(*slots.end()))?;
                        }
                        is_known &= own > 0 || of(sensor, REST, REST)? == 0;
                        sum += own;
                    }
                    Ok(is_known.then_some(sum))
                };
                groups.iter().map(&mut group).collect()
            };
            times.iter().map(in_hour).collect()
        })
    }

    /// Packets in these slots by the time at which a step begins, of a sensor or of all together. `None` where all of theirs may be
    /// summed up with those of others, on some sensor; times of which nothing is stored are left out. In an hour that had too many
    /// ports some of a slot's packets may be summed up, and others not: there are at least so many.
    ///
    /// # Errors
    /// The store cannot be read, or that takes too long.
    pub fn over_time(
        &self,
        name: Option<&str>,
        slots: &RangeInclusive<u32>,
        step: Step,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<BTreeMap<Timestamp, Option<u64>>> {
        self.read(|connection| {
            let only = name.map(|name| sensor(connection, name)).transpose()?;
            let mut query = connection.prepare(&format!(
                "SELECT time, sum(coalesce(packets, 0)), sum(packets IS NULL AND rest) FROM (
                     SELECT t.time AS time,
                         (SELECT sum(c.packets) FROM count AS c WHERE c.step = t.step AND c.time = t.time
                             AND c.sensor = t.sensor AND c.slot BETWEEN ?5 AND ?6) AS packets,
                         EXISTS (SELECT 1 FROM count AS r WHERE r.step = t.step AND r.time = t.time
                             AND r.sensor = t.sensor AND r.slot = {REST} AND r.packets > 0) AS rest
                     FROM total AS t
                     WHERE t.step = ?1 AND t.time >= ?2 AND t.time < ?3 AND (?4 IS NULL OR t.sensor = ?4)
                 ) GROUP BY time"
            ))?;
            let values =
                params![step.seconds(), from.as_second(), to.as_second(), only, slots.start(), slots.end()];
            let rows = query.query_map(values, |row| {
                let (packets, hidden): (u64, u64) = (count(row.get(1)?), count(row.get(2)?));
                let time = Timestamp::from_second(row.get(0)?).unwrap_or_default();
                Ok((time, (hidden == 0).then_some(packets)))
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

/// What was counted: one more than may be given, if there are so many.
fn counted(
    connection: &Connection,
    ask: &AskCounted<'_>,
    sensor: Option<i64>,
) -> rusqlite::Result<Vec<Counted>> {
    let own = |what| {
        format!(
            "coalesce((SELECT sum({what}) FROM count AS c WHERE c.step = t.step AND c.time = t.time
                 AND c.sensor = t.sensor AND c.slot BETWEEN ?5 AND ?6), 0)"
        )
    };
    let columns = match ask.slots {
        None => "t.packets, 0, t.bytes".to_owned(),
        Some(_) => format!(
            "{}, coalesce((SELECT r.packets FROM count AS r WHERE r.step = t.step AND r.time = t.time
                 AND r.sensor = t.sensor AND r.slot = {REST}), 0), {}",
            own("packets"),
            own("bytes")
        ),
    };
    let mut query = connection.prepare(&format!(
        "SELECT s.name, t.time, {columns} FROM total AS t JOIN sensor AS s ON s.number = t.sensor
         WHERE t.step = ?1 AND t.time >= ?2 AND t.time < ?3 AND (?4 IS NULL OR t.sensor = ?4)
             AND (?5 IS NULL OR ?5 <= ?6)
         ORDER BY s.name, t.time LIMIT {}",
        MOST + 1
    ))?;
    let (first, last) = ask.slots.as_ref().map(|slots| (*slots.start(), *slots.end())).unzip();
    let (from, to) = (ask.from.as_second(), ask.to.as_second());
    // What begins within the last second begins before its end.
    let to = to + i64::from(ask.to.subsec_nanosecond() > 0);
    let values = params![ask.step.seconds(), from, to, sensor, first, last];
    let rows = query.query_map(values, |row| {
        Ok(Counted {
            sensor: row.get(0)?,
            time: Timestamp::from_second(row.get(1)?).unwrap_or_default(),
            packets: count(row.get(2)?),
            more: count(row.get(3)?),
            bytes: count(row.get(4)?),
        })
    })?;
    rows.collect()
}
