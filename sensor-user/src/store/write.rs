//! What is written at once: flows, windows and events, in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Transaction, params};
use sensor_common::layout::Slot;

use super::counting::HOUR;
use super::database::Writing;
use super::event::Event;
use super::feed::Batch;
use super::flow::{Flow, HOUR_MS, Key, REST, blob, hour_of, integer, tool_number};
use super::gather::BREAK_MS;
use super::window::Window;

/// Rows of flows of a sensor and an hour, at most, once the hour is full.
pub(super) const MOST_ROWS: i64 = 200_000;
/// So many more until then, so that what is too much does not have to be looked for each minute.
const SLACK: i64 = MOST_ROWS / 8;
/// Bytes of an event's detail, at most.
const MOST_DETAIL: usize = 16 << 10;

/// Adds to a row of flows.
const ADD: &str = "INSERT INTO flow (hour, sensor, slot, source, tool, packets, bytes, first, last)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT DO UPDATE SET packets = packets + excluded.packets, bytes = bytes + excluded.bytes,
        first = min(first, excluded.first), last = max(last, excluded.last)
    RETURNING packets";

/// Has all sensors known that something is written of; gives the numbers of those that flows have places of.
pub(super) fn sensors(transaction: &Transaction<'_>, writing: &Writing) -> rusqlite::Result<Vec<i64>> {
    let Writing { batch, growth, .. } = writing;
    let names: BTreeSet<&str> = batch
        .names
        .iter()
        .chain(batch.windows.iter().map(|window| &window.sensor))
        .chain(batch.events.iter().map(|event| &event.sensor))
        .chain(growth.iter().map(|growth| &growth.sensor))
        .map(String::as_str)
        .collect();
    let mut insert = transaction.prepare("INSERT OR IGNORE INTO sensor (name) VALUES (?1)")?;
    for name in names {
        insert.execute([name])?;
    }
    let mut find = transaction.prepare("SELECT number FROM sensor WHERE name = ?1")?;
    batch.names.iter().map(|name| find.query_row([name], |row| row.get(0))).collect()
}

/// Adds to flows; gives the packets of those that have no row any more.
pub(super) fn flows(
    transaction: &Transaction<'_>,
    sensors: &[i64],
    batch: &Batch,
    now: Timestamp,
) -> rusqlite::Result<u64> {
    let number = |place: u32| sensors.get(place as usize).copied().unwrap_or_default();
    let mut sorted: Vec<_> = batch.gathered.flows.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| **key);
    let mut add = transaction.prepare(ADD)?;
    // Says whether that is a row more: one that was there had packets before.
    let mut add = |hour: i64, sensor: i64, slot: i64, source: &[u8], tool: i64, flow: &Flow| {
        let (packets, bytes) = (integer(flow.packets), integer(flow.bytes));
        let values = params![hour, sensor, slot, source, tool, packets, bytes, flow.first, flow.last];
        add.query_row(values, |row| Ok(row.get::<_, i64>(0)? == packets)).map(i64::from)
    };
    let mut rows: BTreeMap<(i64, u32), i64> = BTreeMap::new();
    for (key, flow) in sorted {
        let (slot, tool) = (i64::from(key.slot.0), tool_number(key.tool));
        let more = add(key.hour, number(key.sensor), slot, &blob(key.source), tool, flow)?;
        *rows.entry((key.hour, key.sensor)).or_default() += more;
    }
    seen(transaction, number, batch)?;
    let mut refused = 0;
    for (&(hour, place), known) in &batch.gathered.hours {
        let sensor = number(place);
        let mut more = rows.get(&(hour, place)).copied().unwrap_or_default();
        if let Some(rest) = &known.rest {
            more += add(hour, sensor, REST, &[], tool_number(None), rest)?;
        }
        let (since, until) =
            known.seen.map_or((HOUR_MS, 0_i64), |(since, until)| (since.into(), until.into()));
        transaction.execute(
            "INSERT INTO hour (hour, sensor, rows, observed, missed, filed, since, until, broken)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, observed = observed + excluded.observed,
                 missed = missed + excluded.missed, filed = 0,
                 broken = broken OR excluded.broken OR since <= until AND excluded.since <= excluded.until
                     AND (excluded.since > until + ?9 OR since > excluded.until + ?9),
                 since = min(since, excluded.since), until = max(until, excluded.until)",
            params![
                hour,
                sensor,
                more,
                integer(known.observed),
                integer(known.missed),
                since,
                until,
                known.broken,
                BREAK_MS
            ],
        )?;
        let slack = if hour < hour_of(now).0 { 0 } else { SLACK };
        refused += trim(transaction, hour, sensor, slack)?;
    }
    Ok(refused)
}

/// Adds to what is seen of sources over all slots.
fn seen(transaction: &Transaction<'_>, number: impl Fn(u32) -> i64, batch: &Batch) -> rusqlite::Result<()> {
    let mut sums = BTreeMap::new();
    for (Key { hour, sensor, source, tool, .. }, flow) in &batch.gathered.flows {
        sums.entry((hour, sensor, source, tool)).and_modify(|sum: &mut Flow| sum.add(*flow)).or_insert(*flow);
    }
    let mut add = transaction.prepare(
        "INSERT INTO seen VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT DO UPDATE SET packets = packets + excluded.packets, bytes = bytes + excluded.bytes,
             first = min(first, excluded.first), last = max(last, excluded.last)",
    )?;
    for ((hour, place, source, tool), Flow { packets, bytes, first, last }) in sums {
        let (sensor, packets, bytes) = (number(*place), integer(packets), integer(bytes));
        add.execute(params![hour, sensor, blob(*source), tool_number(*tool), packets, bytes, first, last])?;
    }
    Ok(())
}

/// Sums up the lightest rows of an hour of a sensor that are too many; gives their packets.
pub(super) fn trim(
    transaction: &Transaction<'_>,
    hour: i64,
    sensor: i64,
    slack: i64,
) -> rusqlite::Result<u64> {
    const LIGHTEST: &str = "FROM flow WHERE hour = ?1 AND sensor = ?2 AND slot >= 0
        ORDER BY packets, first DESC, slot, source, tool LIMIT ?3";
    let most = MOST_ROWS + slack;
    // The row of the rest is among these; counting them one by one takes long.
    let all = "SELECT rows FROM hour WHERE hour = ?1 AND sensor = ?2";
    if transaction.query_row(all, [hour, sensor], |row| row.get::<_, i64>(0))? <= most {
        return Ok(0);
    }
    let count = "SELECT count(*) FROM flow WHERE hour = ?1 AND sensor = ?2 AND slot >= 0";
    let rows: i64 = transaction.query_row(count, [hour, sensor], |row| row.get(0))?;
    if rows <= most {
        return Ok(0);
    }
    let which = [hour, sensor, rows - MOST_ROWS];
    let sum = format!("SELECT sum(packets), sum(bytes), min(first), max(last) FROM (SELECT * {LIGHTEST})");
    let rest: (i64, i64, u32, u32) =
        transaction.query_row(&sum, which, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    transaction.execute(
        &format!(
            "DELETE FROM flow WHERE hour = ?1 AND sensor = ?2
             AND (slot, source, tool) IN (SELECT slot, source, tool {LIGHTEST})"
        ),
        which,
    )?;
    let nobody: &[u8] = &[];
    let values = params![hour, sensor, REST, nobody, tool_number(None), rest.0, rest.1, rest.2, rest.3];
    transaction.query_row(ADD, values, |_| Ok(()))?;
    transaction.execute("DELETE FROM seen WHERE hour = ?1 AND sensor = ?2", [hour, sensor])?;
    transaction.execute(
        "INSERT INTO seen SELECT hour, sensor, source, tool, sum(packets), sum(bytes), min(first), max(last)
         FROM flow WHERE hour = ?1 AND sensor = ?2 AND slot >= 0 GROUP BY source, tool",
        [hour, sensor],
    )?;
    let update = "UPDATE hour SET rows = (SELECT count(*) FROM flow WHERE hour = ?1 AND sensor = ?2)
        WHERE hour = ?1 AND sensor = ?2";
    transaction.execute(update, [hour, sensor])?;
    Ok(u64::try_from(rest.0).unwrap_or_default())
}

/// Writes windows in place of what they were before.
pub(super) fn windows(transaction: &Transaction<'_>, windows: &[Window]) -> rusqlite::Result<()> {
    let mut replace = transaction.prepare(
        "INSERT OR REPLACE INTO windows (start, length, sensor, slot, packets, sources, exact, sketch)
         VALUES (?1, ?2, (SELECT number FROM sensor WHERE name = ?3), ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut is_as_it_was = transaction.prepare(
        "SELECT count(*) FROM windows WHERE start = ?1 AND length = ?2 AND slot = ?4 AND packets = ?5 AND sources = ?6
             AND sketch = ?7 AND sensor = (SELECT number FROM sensor WHERE name = ?3)",
    )?;
    let mut file_again = transaction.prepare(
        "UPDATE hour SET filed = 0
         WHERE hour = ?1 AND filed = 1 AND sensor = (SELECT number FROM sensor WHERE name = ?2)",
    )?;
    for window in windows {
        let which = params![
            window.start.as_second(),
            window.length,
            window.sensor,
            window.slot.map_or(REST, |slot: Slot| slot.index().into()),
            integer(window.packets),
            integer(window.sources),
            window.sketch,
        ];
        if is_as_it_was.query_row(which, |row| row.get::<_, i64>(0))? > 0 {
            continue;
        }
        if i64::from(window.length) == HOUR {
            file_again.execute(params![hour_of(window.start).0, window.sensor])?;
        }
        replace.execute(params![
            window.start.as_second(),
            window.length,
            window.sensor,
            window.slot.map_or(REST, |slot: Slot| slot.index().into()),
            integer(window.packets),
            integer(window.sources),
            window.exact,
            window.sketch,
        ])?;
    }
    Ok(())
}

/// Writes events in place of what they were before.
pub(super) fn events(transaction: &Transaction<'_>, events: &[Event]) -> rusqlite::Result<()> {
    let mut replace = transaction.prepare(
        "INSERT OR REPLACE INTO event (kind, start, sensor, source, until, packets, detail)
         VALUES (?1, ?2, (SELECT number FROM sensor WHERE name = ?3), ?4, ?5, ?6, ?7)",
    )?;
    for event in events {
        let detail = event.detail.to_string();
        let detail = if detail.len() > MOST_DETAIL { "{\"cut\":true}" } else { &detail };
        replace.execute(params![
            event.kind as i64,
            event.start.as_millisecond(),
            event.sensor,
            event.source.map(blob).unwrap_or_default(),
            event.end.as_millisecond(),
            integer(event.packets),
            detail,
        ])?;
    }
    Ok(())
}

/// Notes how far records of evidence have come.
pub(super) fn reached(
    transaction: &Transaction<'_>,
    sensors: &[i64],
    batch: &Batch,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut replace =
        transaction.prepare("INSERT OR REPLACE INTO reached VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (&(place, cpu), &(number, skipped)) in &batch.reached {
        let sensor = sensors.get(place as usize);
        replace.execute(params![
            sensor,
            cpu,
            batch.life,
            integer(number),
            integer(skipped),
            now.as_second()
        ])?;
    }
    Ok(())
}

/// Notes a number under a name.
pub(super) fn meta(transaction: &Transaction<'_>, name: &str, value: i64) -> rusqlite::Result<()> {
    transaction.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", params![name, value]).map(drop)
}
