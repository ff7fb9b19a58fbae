//! Questions about events: scans, victims.

use std::ops::Range;

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Row, params};

use super::super::event::{Event, EventKind};
use super::super::flow::{blob, count, source};
use super::{Ask, Reader, sensor};
use crate::sources::Source;

impl Reader {
    /// Events of a kind that went on in that time, newest first; of one source, if that is named. The ask's slot and tool
    /// do not matter.
    ///
    /// # Errors
    /// The store cannot be read, or that takes too long.
    pub fn events(&self, kind: EventKind, of: Option<Source>, ask: &Ask) -> Result<Vec<Event>> {
        let [from, to] = [ask.from, ask.to].map(Timestamp::as_millisecond);
        self.read(|connection| {
            let sensor = ask.sensor.as_ref().map(|name| sensor(connection, name)).transpose()?;
            let found = |by: By, begun: Range<i64>, most: usize| {
                let mut query = connection.prepare(&by.query())?;
                let most = i64::try_from(most).unwrap_or(i64::MAX);
                let values = params![kind as i64, begun.start, begun.end, from, sensor, of.map(blob), most];
                let events = query.query_map(values, |row| event(kind, row))?;
                events.collect::<Result<Vec<_>, _>>()
            };
            if of.is_some() {
                return found(By::Source, i64::MIN..to, ask.most());
            }
            // Newest first: what had begun before is looked for only if there is room left.
            let mut events = found(By::Begin, from..to, ask.most())?;
            if events.len() < ask.most() {
                events.extend(found(By::End, i64::MIN..from.min(to), ask.most() - events.len())?);
            }
            Ok(events)
        })
    }
}

/// How events are found, so that no others are looked at.
#[derive(Clone, Copy)]
pub(in crate::store) enum By {
    /// Those of a source.
    Source,
    /// Those that began in a time.
    Begin,
    /// Those that ended after a time.
    End,
}

impl By {
    /// The question: kind, first and last begin, end, sensor, source, how many.
    pub(in crate::store) fn query(self) -> String {
        let (index, source) = match self {
            Self::Source => ("INDEXED BY event_by_source", "source = ?6"),
            Self::Begin => ("", "?6 IS NULL"),
            Self::End => ("INDEXED BY event_by_end", "?6 IS NULL"),
        };
        format!(
            "SELECT start, until, name, source, packets, detail FROM event {index} JOIN sensor ON number = sensor
             WHERE kind = ?1 AND start >= ?2 AND start < ?3 AND until >= ?4 AND (?5 IS NULL OR sensor = ?5) AND {source}
             ORDER BY start DESC, source LIMIT ?7"
        )
    }
}

fn event(kind: EventKind, row: &Row<'_>) -> rusqlite::Result<Event> {
    let time = |column| row.get(column).map(|time| Timestamp::from_millisecond(time).unwrap_or_default());
    let detail: String = row.get(5)?;
    Ok(Event {
        kind,
        start: time(0)?,
        end: time(1)?,
        sensor: row.get(2)?,
        source: source(row.get_ref(3)?.as_blob()?),
        packets: count(row.get(4)?),
        detail: serde_json::from_str(&detail).unwrap_or_default(),
    })
}
