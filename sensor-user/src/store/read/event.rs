//! Questions about events: scans, victims.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::params;

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
        self.read(|connection| {
            let sensor = ask.sensor.as_ref().map(|name| sensor(connection, name)).transpose()?;
            let mut query = connection.prepare(
                "SELECT start, until, name, source, packets, detail FROM event JOIN sensor ON number = sensor
                 WHERE kind = ?1 AND start < ?2 AND until >= ?3 AND (?4 IS NULL OR sensor = ?4)
                     AND (?5 IS NULL OR source = ?5)
                 ORDER BY start DESC, source LIMIT ?6",
            )?;
            let values = params![
                kind as i64,
                ask.to.as_millisecond(),
                ask.from.as_millisecond(),
                sensor,
                of.map(blob),
                i64::try_from(ask.most()).unwrap_or(i64::MAX)
            ];
            let rows = query.query_map(values, |row| {
                let time = |column| {
                    row.get(column).map(|time| Timestamp::from_millisecond(time).unwrap_or_default())
                };
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
            })?;
            rows.collect()
        })
    }
}
