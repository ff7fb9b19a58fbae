//! Notices in the database: what was seen of an address is added to what is there; which of them are sent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::flow::{blob, count, integer};
use super::notice::{About, NoticeKey, Noticed};

/// Sources and victims that are remembered of a day, at most.
pub(super) const MOST_OF_DAY: i64 = 100_000;
/// Bytes of notices that wait, at most.
const MOST_WAITING: usize = 16 << 20;
/// Days and constituencies of which it is known at once how many packets there was no room for.
const MOST_OVER: usize = 4_096;

/// How many of a day there are.
pub(super) const COUNT_OF_DAY: &str =
    "SELECT count(*) FROM notice INDEXED BY notice_by_packets WHERE day = ?1";

/// Packets that are of no notice, since there are too many addresses: by day and constituency.
pub(super) type Over = BTreeMap<(i64, String), u64>;

/// What waits to be written of notices.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    noticed: BTreeMap<NoticeKey, Noticed>,
    bytes: usize,
    over: Over,
    sent: BTreeMap<NoticeKey, Timestamp>,
}

/// What was done of it.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Notices that were begun, by constituency and what they are about.
    pub begun: BTreeMap<(String, About), u64>,
    /// Packets that are of none.
    pub over: u64,
}

impl Waiting {
    /// Adds what was seen of an address. Where there is no room for it, its packets are counted.
    pub(super) fn add(&mut self, key: NoticeKey, noticed: Noticed) {
        let weight = noticed.weight();
        if let Some(known) = self.noticed.get_mut(&key) {
            let before = known.weight();
            known.add(noticed);
            self.bytes = self.bytes - before + known.weight();
        } else if self.bytes + weight <= MOST_WAITING {
            self.bytes += weight;
            self.noticed.insert(key, noticed);
        } else {
            self.add_over(key.day, noticed.constituency, noticed.packets);
        }
    }

    /// Adds packets of addresses that nobody could remember.
    pub(super) fn add_over(&mut self, day: i64, constituency: String, packets: u64) {
        if self.over.len() < MOST_OVER {
            *self.over.entry((day, constituency)).or_default() += packets;
        }
    }

    /// Notes that a notice was sent.
    pub(super) fn sent(&mut self, key: NoticeKey, time: Timestamp) {
        self.sent.insert(key, time);
    }

    /// Whether there is something that was seen.
    pub(super) fn has_noticed(&self) -> bool {
        !self.noticed.is_empty()
    }
}

/// Writes them.
pub(super) fn write(transaction: &Transaction<'_>, waiting: &Waiting) -> rusqlite::Result<Done> {
    let mut done = Done::default();
    let mut over = waiting.over.clone();
    let mut of_days = BTreeMap::new();
    let mut count_day = transaction.prepare(COUNT_OF_DAY)?;
    let mut find = transaction.prepare(
        "SELECT first, last, packets, detail FROM notice WHERE day = ?1 AND about = ?2 AND source = ?3",
    )?;
    let mut change = transaction.prepare(
        "UPDATE notice SET first = ?4, last = ?5, packets = ?6, detail = ?7 WHERE day = ?1 AND about = ?2 AND source = ?3",
    )?;
    let mut insert = transaction.prepare(
        "INSERT INTO notice (day, about, source, first, last, packets, detail, constituency, sample, sent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL)",
    )?;
    for (key, noticed) in &waiting.noticed {
        let (about, source) = (key.about as i64, blob(key.source));
        let known = find
            .query_row(params![key.day, about, source], |row| {
                read(row.get(0)?, row.get(1)?, row.get(2)?, &row.get::<_, String>(3)?)
            })
            .optional()?;
        let is_known = known.is_some();
        let noticed = match known {
            Some(mut known) => {
                known.add(noticed.clone());
                known
            }
            None => noticed.clone(),
        };
        let (first, last) = (noticed.first.as_millisecond(), noticed.last.as_millisecond());
        let (packets, detail) = (integer(noticed.packets), text(&noticed)?);
        if is_known {
            change.execute(params![key.day, about, source, first, last, packets, detail])?;
            continue;
        }
        let of_day = match of_days.get_mut(&key.day) {
            Some(of_day) => of_day,
            None => {
                of_days.entry(key.day).or_insert(count_day.query_row([key.day], |row| row.get::<_, i64>(0))?)
            }
        };
        if *of_day >= MOST_OF_DAY {
            *over.entry((key.day, noticed.constituency)).or_default() += noticed.packets;
            continue;
        }
        *of_day += 1;
        let sample = noticed.sample.as_ref().map_or(&[][..], |sample| &sample.frame);
        let constituency = &noticed.constituency;
        insert.execute(params![
            key.day,
            about,
            source,
            first,
            last,
            packets,
            detail,
            constituency,
            sample
        ])?;
        *done.begun.entry((noticed.constituency, key.about)).or_default() += 1;
    }
    let mut add = transaction.prepare(
        "INSERT INTO notice_over VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET packets = packets + excluded.packets",
    )?;
    for ((day, constituency), packets) in over {
        add.execute(params![day, constituency, integer(packets)])?;
        done.over += packets;
    }
    let mut mark = transaction.prepare(
        "UPDATE notice SET sent = ?4 WHERE day = ?1 AND about = ?2 AND source = ?3 AND sent IS NULL",
    )?;
    for (key, time) in &waiting.sent {
        mark.execute(params![key.day, key.about as i64, blob(key.source), time.as_millisecond()])?;
    }
    Ok(done)
}

/// What is in a row, but for the bytes of the sample.
pub(super) fn read(first: i64, last: i64, packets: i64, detail: &str) -> rusqlite::Result<Noticed> {
    let mut noticed: Noticed = serde_json::from_str(detail).map_err(unreadable)?;
    let time = |milliseconds| Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    (noticed.first, noticed.last, noticed.packets) = (time(first), time(last), count(packets));
    Ok(noticed)
}

fn text(noticed: &Noticed) -> rusqlite::Result<String> {
    serde_json::to_string(noticed).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}
