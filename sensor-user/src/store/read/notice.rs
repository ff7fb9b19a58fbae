//! Questions about notices.

use std::ops::Range;

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Row, params};

use super::super::flow::{blob, count, source};
use super::super::notice::{About, NoticeKey, Noticed};
use super::super::notices::{COUNT_OF_DAY, read};
use super::Reader;
use crate::sources::Source;

/// What is asked of notices: all of it must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskNoticed {
    /// Last seen then or later.
    pub from: Option<Timestamp>,
    /// First seen before then.
    pub to: Option<Timestamp>,
    /// Of this constituency.
    pub constituency: Option<String>,
    /// About this.
    pub about: Option<About>,
    /// Not sent yet.
    pub unsent: bool,
}

/// A notice as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NoticeRow {
    /// Which.
    pub key: NoticeKey,
    /// What was seen.
    pub noticed: Noticed,
    /// When it was sent, if it was.
    pub sent: Option<Timestamp>,
}

/// Packets of a constituency and a day that are of no notice, since there were too many addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticedOver {
    /// The day in UTC, since 1970-01-01.
    pub day: i64,
    /// The constituency.
    pub constituency: String,
    /// How many.
    pub packets: u64,
}

/// Days before and after a time by which rows are chosen before they are looked at: attacks last.
const DAY_MS: i64 = 86_400_000;

impl Reader {
    /// So many notices at most, by day, what they are about, and source: those behind this one.
    ///
    /// # Errors
    /// The store cannot be read, or that takes too long.
    pub fn notices(&self, ask: &AskNoticed, after: Option<NoticeKey>, most: usize) -> Result<Vec<NoticeRow>> {
        let days = ask.days();
        let after = after.unwrap_or(NoticeKey { day: i64::MIN, about: About::Source, source: Source::V6(0) });
        self.read(|connection| {
            let mut query = connection.prepare(&query(ask.unsent))?;
            let rows = query.query_map(
                params![
                    after.day,
                    after.about as i64,
                    blob(after.source),
                    days.start,
                    days.end,
                    ask.from.map_or(i64::MIN, Timestamp::as_millisecond),
                    ask.to.map_or(i64::MAX, Timestamp::as_millisecond),
                    ask.constituency,
                    ask.about.map(|about| about as i64),
                    i64::try_from(most).unwrap_or(i64::MAX)
                ],
                row,
            )?;
            rows.filter_map(Result::transpose).collect()
        })
    }

    /// Notices of a day with most packets, and how many there are of it.
    ///
    /// # Errors
    /// As for [`Reader::notices`].
    pub fn heaviest_notices(&self, day: i64, most: usize) -> Result<(Vec<NoticeRow>, u64)> {
        self.read(|connection| {
            let mut query = connection.prepare(&heaviest())?;
            let rows = query.query_map(params![day, i64::try_from(most).unwrap_or(i64::MAX)], row)?;
            let rows = rows.filter_map(Result::transpose).collect::<Result<_, _>>()?;
            let of_day = connection.query_row(COUNT_OF_DAY, [day], |row| row.get(0))?;
            Ok((rows, count(of_day)))
        })
    }

    /// Packets that are of no notice.
    ///
    /// # Errors
    /// As for [`Reader::notices`].
    pub fn noticed_over(&self, ask: &AskNoticed) -> Result<Vec<NoticedOver>> {
        let days = ask.days();
        self.read(|connection| {
            let mut query = connection.prepare(
                "SELECT day, constituency, packets FROM notice_over
                 WHERE day >= ?1 AND day < ?2 AND (?3 IS NULL OR constituency = ?3) ORDER BY day, constituency",
            )?;
            let rows = query.query_map(params![days.start, days.end, ask.constituency], |row| {
                Ok(NoticedOver { day: row.get(0)?, constituency: row.get(1)?, packets: count(row.get(2)?) })
            })?;
            rows.collect()
        })
    }
}

/// What a notice is read of.
const COLUMNS: &str = "day, about, source, first, last, packets, detail, sample, sent";

/// Those of a day with most packets.
pub(in crate::store) fn heaviest() -> String {
    format!(
        "SELECT {COLUMNS} FROM notice INDEXED BY notice_by_packets WHERE day = ?1 ORDER BY packets DESC LIMIT ?2"
    )
}

/// What is asked of the database. Those that are sent become many, and are not looked at for the others.
pub(in crate::store) fn query(unsent: bool) -> String {
    let (index, sent) = if unsent { ("INDEXED BY notice_not_sent", "sent IS NULL") } else { ("", "TRUE") };
    format!(
        "SELECT {COLUMNS} FROM notice {index}
         WHERE (day, about, source) > (?1, ?2, ?3) AND day >= ?4 AND day < ?5
             AND last >= ?6 AND first < ?7 AND (?8 IS NULL OR constituency = ?8)
             AND (?9 IS NULL OR about = ?9) AND {sent}
         ORDER BY day, about, source LIMIT ?10"
    )
}

impl AskNoticed {
    /// The days that it is about.
    fn days(&self) -> Range<i64> {
        let day = |time: Timestamp| time.as_millisecond().div_euclid(DAY_MS);
        self.from.map_or(i64::MIN, day)..self.to.map_or(i64::MAX, |to| day(to) + 1)
    }
}

/// `None` of what no agent of ours has written.
fn row(row: &Row<'_>) -> rusqlite::Result<Option<NoticeRow>> {
    let about = row.get::<_, i64>(1)?;
    let about = About::ALL.into_iter().find(|known| *known as i64 == about);
    let (Some(about), Some(source)) = (about, source(row.get_ref(2)?.as_blob()?)) else { return Ok(None) };
    let key = NoticeKey { day: row.get(0)?, about, source };
    let mut noticed = read(row.get(3)?, row.get(4)?, row.get(5)?, &row.get::<_, String>(6)?)?;
    if let Some(sample) = &mut noticed.sample {
        sample.frame = row.get(7)?;
    }
    let sent: Option<i64> = row.get(8)?;
    let sent = sent.map(|sent| Timestamp::from_millisecond(sent).unwrap_or_default());
    Ok(Some(NoticeRow { key, noticed, sent }))
}
