//! Everything that is stored of a time, row by row, for who sums it up in another way; and how far records had come.

use anyhow::{Result, bail};
use jiff::Timestamp;
use rusqlite::{Connection, params, params_from_iter};
use sensor_common::layout::SlotKind;
use sensor_common::layout::side::Tool;

use super::super::counting::HOUR;
use super::super::flow::{self, HOUR_MS, REST, count, slot, time_of, tool};
use super::heaviest::each_source;
use super::source::{FlowRow, SourceRow, conditions, of_network};
use super::{Ask, Reader, sensor};
use crate::config::{NumberedSensor, Prefix};
use crate::sources::{Position, Source};

/// What is stored of a sensor in the hours that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The sensor's name.
    pub sensor: String,
    /// When it was first observed.
    pub from: Timestamp,
    /// When the last of those hours ends.
    pub to: Timestamp,
    /// Packets that were observed.
    pub observed: u64,
    /// Packets that were counted and not observed.
    pub missed: u64,
    /// Of those that were observed, packets of flows that are summed up: their sources are not known any more.
    pub rest: u64,
}

/// An hour of a sensor, as far as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourRow {
    /// When it begins.
    pub hour: Timestamp,
    /// From when on it was observed.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Whether there was a time between that nobody watched.
    pub broken: bool,
    /// Packets that were observed.
    pub observed: u64,
    /// Packets that were counted and not observed.
    pub missed: u64,
    /// See [`Kept::rest`].
    pub rest: u64,
}

/// What a source sent to a slot with a tool in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flowed {
    /// Who.
    pub source: Source,
    /// What it was counted as.
    pub slot: SlotKind,
    /// What made it.
    pub tool: Option<Tool>,
    /// How many packets.
    pub packets: u64,
    /// Of how many bytes.
    pub bytes: u64,
    /// When the first was seen.
    pub first: Timestamp,
    /// When the last was seen.
    pub last: Timestamp,
}

impl Reader {
    /// Gives `visit` each source that sent something of what is asked for, once: IPv4 addresses in their order, and those of
    /// IPv6 in theirs; says what there is of each sensor. The ask's number of rows does not matter.
    ///
    /// # Errors
    /// The store cannot be read, or that takes too long.
    pub fn each_source(&self, ask: &Ask, visit: impl FnMut(SourceRow)) -> Result<Vec<Kept>> {
        self.read(|connection| {
            each_source(connection, ask, visit)?;
            kept(connection, ask)
        })
    }

    /// The stored sketches of the hours that are asked for in which flows are summed up, whatever their slot and tool: empty or
    /// `None` of one that has no sketch.
    ///
    /// # Errors
    /// As for [`Reader::each_source`].
    pub fn sketches_of_rest(&self, ask: &Ask) -> Result<Vec<Option<Vec<u8>>>> {
        let ask = Ask { slot: None, tool: None, ..ask.clone() };
        self.read(|connection| {
            let (conditions, values) = conditions(connection, &ask, "h")?;
            let mut query = connection.prepare(&format!(
                "SELECT w.sketch FROM hour AS h
                 JOIN flow AS f ON f.hour = h.hour AND f.sensor = h.sensor AND f.slot = {REST}
                 LEFT JOIN windows AS w ON w.start = h.hour * {HOUR} AND w.length = {HOUR}
                     AND w.sensor = h.sensor AND w.slot = {REST}
                 WHERE {conditions}"
            ))?;
            let rows = query.query_map(params_from_iter(values), |row| row.get(0))?;
            rows.collect()
        })
    }

    /// Gives `visit` the packets of each source to each slot, hour by hour; likewise.
    ///
    /// # Errors
    /// As for [`Reader::each_source`].
    pub fn each_pair(&self, ask: &Ask, visit: impl FnMut(SlotKind, Source, u64)) -> Result<Vec<Kept>> {
        self.read(|connection| {
            each_pair(connection, ask, visit)?;
            kept(connection, ask)
        })
    }

    /// All rows of the sources in a network, as [`Reader::source`] gives them; says what there is of each sensor.
    ///
    /// # Errors
    /// As for [`Reader::each_source`], or there are more rows than may be given.
    pub fn everything_of(&self, network: Prefix, ask: &Ask) -> Result<(Vec<FlowRow>, Vec<Kept>)> {
        let (rows, kept) =
            self.read(|connection| Ok((of_network(connection, network, ask)?, kept(connection, ask)?)))?;
        if rows.len() >= ask.most() {
            bail!("it did too much in that time to add up: ask for less of it");
        }
        Ok((rows, kept))
    }

    /// The hours of one sensor that are stored of the time that is asked for, the oldest first, and each flow of them, which
    /// are given to `visit`.
    ///
    /// # Errors
    /// As for [`Reader::each_source`].
    pub fn hours(&self, name: &str, ask: &Ask, visit: impl FnMut(Flowed)) -> Result<Vec<HourRow>> {
        let ask = Ask { sensor: Some(name.to_owned()), ..ask.clone() };
        self.read(|connection| {
            each_flow(connection, &ask, visit)?;
            hours(connection, name, &ask)
        })
    }

    /// How far records of these sensors had come on each CPU with what was stored, if the counters are still the same; what was
    /// stored before `then` is old.
    ///
    /// # Errors
    /// As for [`Reader::each_source`].
    pub fn reached(&self, sensors: &[NumberedSensor], life: &str, then: Timestamp) -> Result<Vec<Position>> {
        self.read(|connection| {
            let mut query = connection.prepare(
                "SELECT cpu, number, skipped, time < ?3 FROM reached WHERE sensor = ?1 AND life = ?2",
            )?;
            let mut positions = Vec::new();
            for NumberedSensor { number: of, sensor: it } in sensors {
                let rows = query.query_map(
                    params![sensor(connection, &it.name)?, life, then.as_second()],
                    |row| {
                        Ok(Position {
                            sensor: *of,
                            cpu: row.get(0)?,
                            number: count(row.get(1)?),
                            skipped: count(row.get(2)?),
                            is_old: row.get(3)?,
                        })
                    },
                )?;
                for position in rows {
                    positions.push(position?);
                }
            }
            Ok(positions)
        })
    }
}

fn each_pair(
    connection: &Connection,
    ask: &Ask,
    mut visit: impl FnMut(SlotKind, Source, u64),
) -> rusqlite::Result<()> {
    let (conditions, values) = conditions(connection, ask, "h")?;
    let mut query = connection.prepare(&format!(
        "SELECT f.slot, f.source, f.packets FROM hour AS h CROSS JOIN flow AS f ON f.hour = h.hour AND f.sensor = h.sensor
         WHERE {conditions} AND f.slot >= 0"
    ))?;
    let mut rows = query.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        if let (Some(slot), Some(source)) = (slot(row.get(0)?), flow::source(row.get_ref(1)?.as_blob()?)) {
            visit(slot, source, count(row.get(2)?));
        }
    }
    Ok(())
}

fn each_flow(connection: &Connection, ask: &Ask, mut visit: impl FnMut(Flowed)) -> rusqlite::Result<()> {
    let (conditions, values) = conditions(connection, ask, "h")?;
    let mut query = connection.prepare(&format!(
        "SELECT f.source, f.slot, f.tool, f.packets, f.bytes, f.hour, f.first, f.last
         FROM hour AS h CROSS JOIN flow AS f ON f.hour = h.hour AND f.sensor = h.sensor
         WHERE {conditions} AND f.slot >= 0"
    ))?;
    let mut rows = query.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let (Some(source), Some(slot)) = (flow::source(row.get_ref(0)?.as_blob()?), slot(row.get(1)?)) else {
            continue;
        };
        let hour = row.get(5)?;
        visit(Flowed {
            source,
            slot,
            tool: tool(row.get(2)?),
            packets: count(row.get(3)?),
            bytes: count(row.get(4)?),
            first: time_of(hour, row.get(6)?),
            last: time_of(hour, row.get(7)?),
        });
    }
    Ok(())
}

/// What there is of each sensor in the hours that are asked for.
fn kept(connection: &Connection, ask: &Ask) -> rusqlite::Result<Vec<Kept>> {
    let all = Ask { slot: None, tool: None, ..ask.clone() };
    let (conditions, values) = conditions(connection, &all, "h")?;
    let mut query = connection.prepare(&format!(
        "SELECT s.name, min(h.hour * {HOUR_MS} + iif(h.since <= h.until, h.since, 0)), max(h.hour) + 1, sum(h.observed), sum(h.missed),
             sum(coalesce((SELECT f.packets FROM flow AS f
                 WHERE f.hour = h.hour AND f.sensor = h.sensor AND f.slot = {REST}), 0))
         FROM hour AS h JOIN sensor AS s ON s.number = h.sensor WHERE {conditions} GROUP BY s.name ORDER BY s.name"
    ))?;
    let rows = query.query_map(params_from_iter(values), |row| {
        Ok(Kept {
            sensor: row.get(0)?,
            from: time_of(0, row.get(1)?),
            to: time_of(row.get(2)?, 0),
            observed: count(row.get(3)?),
            missed: count(row.get(4)?),
            rest: count(row.get(5)?),
        })
    })?;
    rows.collect()
}

fn hours(connection: &Connection, name: &str, ask: &Ask) -> rusqlite::Result<Vec<HourRow>> {
    let (from, to) = ask.hours();
    let mut query = connection.prepare(&format!(
        "SELECT hour, since, until, observed, missed, coalesce((SELECT f.packets FROM flow AS f
             WHERE f.hour = hour.hour AND f.sensor = hour.sensor AND f.slot = {REST}), 0), broken
         FROM hour WHERE hour >= ?1 AND hour < ?2 AND sensor = ?3 ORDER BY hour"
    ))?;
    let rows = query.query_map([from, to, sensor(connection, name)?], |row| {
        let hour = row.get(0)?;
        Ok(HourRow {
            hour: time_of(hour, 0),
            since: time_of(hour, row.get(1)?),
            until: time_of(hour, row.get(2)?),
            broken: row.get(6)?,
            observed: count(row.get(3)?),
            missed: count(row.get(4)?),
            rest: count(row.get(5)?),
        })
    })?;
    rows.collect()
}
