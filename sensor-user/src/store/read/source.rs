//! Questions about sources: which sent most, and everything that one did.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, Row, ToSql, params_from_iter};
use sensor_common::layout::SlotKind;
use sensor_common::layout::side::Tool;

use super::super::flow::{self, REST, SlotNumber, blob, count, slot, time_of, tool, tool_number};
use super::heaviest::heaviest;
use super::{Ask, Reader, sensor};
use crate::config::Prefix;
use crate::sources::Source;

/// The sources that sent most.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopSources {
    /// Heaviest first.
    pub rows: Vec<SourceRow>,
    /// What they rest on.
    pub basis: Basis,
}

/// What an answer about sources rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Basis {
    /// When the first hour begins that was looked at.
    pub from: Timestamp,
    /// When the last one ends.
    pub to: Timestamp,
    /// Sources that were found: all of them, of which the answer has the heaviest.
    pub sources: u64,
    /// Packets of theirs.
    pub packets: u64,
    /// Packets of those hours and sensors that were observed.
    pub observed: u64,
    /// Packets of those hours and sensors that were counted and not observed.
    pub missed: u64,
    /// Of those that were observed, packets of flows that are summed up: any of them may be of what is asked for.
    pub rest: u64,
    /// When the oldest hour begins of which something is kept.
    pub oldest: Option<Timestamp>,
}

impl Basis {
    /// Which share of what was counted was observed: 1 where nothing was.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub fn share(&self) -> f64 {
        let counted = self.observed + self.missed;
        if counted == 0 { 1.0 } else { self.observed as f64 / counted as f64 }
    }
}

/// A source, and what it sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRow {
    /// Who.
    pub source: Source,
    /// How many packets.
    pub packets: u64,
    /// Of how many bytes.
    pub bytes: u64,
    /// When the first was seen.
    pub first: Timestamp,
    /// When the last was seen.
    pub last: Timestamp,
}

/// Packets of a source to a slot with a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct What {
    /// What they were counted as.
    pub slot: SlotKind,
    /// What made them.
    pub tool: Option<Tool>,
    /// How many.
    pub packets: u64,
}

/// A row of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRow {
    /// When its hour begins.
    pub hour: Timestamp,
    /// The sensor's name.
    pub sensor: String,
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
    /// The sources that sent most of what is asked for.
    ///
    /// # Errors
    /// The store cannot be read, or that takes too long.
    pub fn sources(&self, ask: &Ask) -> Result<TopSources> {
        self.read(|connection| {
            let (rows, found, packets) = heaviest(connection, ask)?;
            let basis = Basis { sources: found, packets, ..basis(connection, ask)? };
            Ok(TopSources { rows, basis })
        })
    }

    /// What a source sent, by slot and tool, heaviest first; and to how many slots that was. No more than the ask's rows are
    /// given.
    ///
    /// # Errors
    /// As for [`Reader::sources`].
    pub fn what(&self, source: Source, ask: &Ask) -> Result<(Vec<What>, usize)> {
        self.read(|connection| {
            let mut all = what(connection, ask, source)?;
            let slots: BTreeSet<_> = all.iter().map(|what| SlotNumber::from(what.slot)).collect();
            all.truncate(ask.most());
            Ok((all, slots.len()))
        })
    }

    /// Rows of the sources in a network, newest hour first, and what they rest on: everything that one did. A prefix of
    /// more than 64 bits stands for the source that it is in.
    ///
    /// # Errors
    /// As for [`Reader::sources`].
    pub fn source(&self, network: Prefix, ask: &Ask) -> Result<(Vec<FlowRow>, Basis)> {
        self.read(|connection| {
            let rows = of_network(connection, network, ask)?;
            let mut sources: Vec<Source> = rows.iter().map(|row| row.source).collect();
            sources.sort_unstable();
            sources.dedup();
            let packets = rows.iter().map(|row| row.packets).sum();
            let basis = Basis { sources: sources.len() as u64, packets, ..basis(connection, ask)? };
            Ok((rows, basis))
        })
    }
}

/// Rows of the sources in a network, newest hour first.
pub(super) fn of_network(
    connection: &Connection,
    network: Prefix,
    ask: &Ask,
) -> rusqlite::Result<Vec<FlowRow>> {
    let (first, last) = bounds(network);
    let mut rows = Vec::new();
    for day in days(connection, ask)?.into_iter().rev() {
        of_day(connection, ask, day, (&first, &last), &mut rows)?;
        if rows.len() >= ask.most() {
            break;
        }
    }
    Ok(rows)
}

/// Conditions on flows `f`, on the hours and sensors of a table of this name, and their values.
pub(super) fn conditions(
    connection: &Connection,
    ask: &Ask,
    hours: &str,
) -> rusqlite::Result<(String, Vec<i64>)> {
    let (from, to) = ask.hours();
    let mut text = format!("{hours}.hour >= ?1 AND {hours}.hour < ?2");
    let mut values = vec![from, to];
    let mut add = |condition: &str, value| {
        values.push(value);
        text.extend([" AND ", condition, " ?", &values.len().to_string()]);
    };
    if let Some(kind) = ask.slot {
        add("f.slot =", SlotNumber::from(kind).0.into());
    }
    if let Some(name) = &ask.sensor {
        add(&format!("{hours}.sensor ="), sensor(connection, name)?);
    }
    if let Some(tool) = ask.tool {
        add("f.tool =", tool_number(Some(tool)));
    }
    Ok((text, values))
}

/// Days of which there are flows.
fn days(connection: &Connection, ask: &Ask) -> rusqlite::Result<Vec<i64>> {
    let mut query = connection
        .prepare("SELECT DISTINCT hour / 24 FROM hour WHERE hour >= ?1 AND hour < ?2 ORDER BY 1")?;
    let (from, to) = ask.hours();
    query.query_map([from, to], |row| row.get(0))?.collect()
}

/// What a source did, by slot and tool, heaviest first.
fn what(connection: &Connection, ask: &Ask, of: Source) -> rusqlite::Result<Vec<What>> {
    let (conditions, values) = conditions(connection, ask, "f")?;
    let at = values.len();
    let mut query = connection.prepare(&format!(
        "SELECT f.slot, f.tool, f.packets FROM flow AS f
         WHERE f.hour / 24 = ?{} AND f.source = ?{} AND {conditions}",
        at + 1,
        at + 2
    ))?;
    let mut sums: BTreeMap<(i64, i64), u64> = BTreeMap::new();
    for day in days(connection, ask)? {
        let mut values = parameters(&values);
        values.extend([Box::new(day) as Box<dyn ToSql>, Box::new(blob(of))]);
        let mut rows = query.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            *sums.entry((row.get(0)?, row.get(1)?)).or_default() += count(row.get(2)?);
        }
    }
    let what = |((number, by), packets)| Some(What { slot: slot(number)?, tool: tool(by), packets });
    let mut all: Vec<What> = sums.into_iter().filter_map(what).collect();
    all.sort_by_key(|what| Reverse(what.packets));
    Ok(all)
}

pub(super) fn parameters(values: &[i64]) -> Vec<Box<dyn ToSql>> {
    values.iter().map(|value| Box::new(*value) as Box<dyn ToSql>).collect()
}

/// Rows of a day, newest hour first.
fn of_day(
    connection: &Connection,
    ask: &Ask,
    day: i64,
    (first, last): (&[u8], &[u8]),
    rows: &mut Vec<FlowRow>,
) -> rusqlite::Result<()> {
    let (conditions, values) = conditions(connection, ask, "f")?;
    let at = values.len();
    let mut query = connection.prepare(&format!(
        "SELECT f.hour, s.name, f.source, f.slot, f.tool, f.packets, f.bytes, f.first, f.last
         FROM flow AS f JOIN sensor AS s ON s.number = f.sensor
         WHERE f.hour / 24 = ?{} AND f.source BETWEEN ?{} AND ?{} AND length(f.source) = ?{} AND {}
         ORDER BY f.hour DESC, f.packets DESC, s.name, f.source, f.slot, f.tool LIMIT ?{}",
        at + 1,
        at + 2,
        at + 3,
        at + 4,
        conditions,
        at + 5
    ))?;
    let mut values = parameters(&values);
    let (length, left) = (first.len(), ask.most() - rows.len());
    values.extend([
        Box::new(day) as Box<dyn ToSql>,
        Box::new(first.to_vec()),
        Box::new(last.to_vec()),
        Box::new(i64::try_from(length).unwrap_or_default()),
        Box::new(i64::try_from(left).unwrap_or(i64::MAX)),
    ]);
    let found = query.query_map(params_from_iter(values), FlowRow::of)?;
    for row in found {
        rows.extend(row?);
    }
    Ok(())
}

impl FlowRow {
    /// A row; `None` of one that sums up the rest.
    fn of(row: &Row<'_>) -> rusqlite::Result<Option<Self>> {
        let hour = row.get(0)?;
        let (Some(source), Some(slot)) = (flow::source(row.get_ref(2)?.as_blob()?), slot(row.get(3)?)) else {
            return Ok(None);
        };
        Ok(Some(Self {
            hour: time_of(hour, 0),
            sensor: row.get(1)?,
            source,
            slot,
            tool: tool(row.get(4)?),
            packets: count(row.get(5)?),
            bytes: count(row.get(6)?),
            first: time_of(hour, row.get(7)?),
            last: time_of(hour, row.get(8)?),
        }))
    }
}

/// What is known of the hours that are asked for.
fn basis(connection: &Connection, ask: &Ask) -> rusqlite::Result<Basis> {
    let (from, to) = ask.hours();
    let sensor = ask.sensor.as_ref().map(|name| sensor(connection, name)).transpose()?;
    let values = rusqlite::params![from, to, sensor];
    let query = "SELECT coalesce(sum(observed), 0), coalesce(sum(missed), 0) FROM hour
        WHERE hour >= ?1 AND hour < ?2 AND (?3 IS NULL OR sensor = ?3)";
    let (observed, missed) =
        connection.query_row(query, values, |row| Ok((count(row.get(0)?), count(row.get(1)?))))?;
    let query = format!(
        "SELECT coalesce(sum(f.packets), 0) FROM hour AS h CROSS JOIN flow AS f
         ON f.hour = h.hour AND f.sensor = h.sensor AND f.slot = {REST}
         WHERE h.hour >= ?1 AND h.hour < ?2 AND (?3 IS NULL OR h.sensor = ?3)"
    );
    let rest = connection.query_row(&query, values, |row| row.get(0).map(count))?;
    let query = "SELECT min(hour) FROM hour";
    let oldest: Option<i64> = connection.query_row(query, [], |row| row.get(0))?;
    let oldest = oldest.map(|hour| time_of(hour, 0));
    Ok(Basis {
        from: time_of(from, 0),
        to: time_of(to, 0),
        observed,
        missed,
        rest,
        oldest,
        ..Basis::default()
    })
}

/// The first and the last source of a network, as a database has them.
fn bounds(network: Prefix) -> (Vec<u8>, Vec<u8>) {
    let first = Source::of(network.address());
    let last = Source::of(network.last());
    (blob(first), blob(last))
}
