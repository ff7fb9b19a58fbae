//! What is removed because it is old: hour by hour, the oldest first.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Transaction, params};

use super::counting::{HOUR, MINUTE};
use super::event::EventKind;
use super::flow::hour_of;

/// How long counts by the minute are kept.
const MINUTES: SignedDuration = SignedDuration::from_hours(48);

/// Events of a kind that ended before then.
pub(super) const ENDED: &str = "DELETE FROM event INDEXED BY event_by_end WHERE kind = ?1 AND until < ?2";

/// The first hour that is not older than it may be.
pub(super) fn oldest_hour(now: Timestamp, max_age: Duration) -> i64 {
    let age = SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX);
    hour_of(now.checked_sub(age).unwrap_or(Timestamp::MIN)).0
}

/// The oldest hour of which something is kept.
pub(super) fn oldest(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    // Of each table in the order of its key, so that no more than its first row is looked at.
    let query = "SELECT min(hour) FROM (
        SELECT (SELECT hour FROM hour ORDER BY hour LIMIT 1) AS hour
        UNION ALL SELECT (SELECT time FROM total WHERE step = 3600 ORDER BY time LIMIT 1) / 3600
        UNION ALL SELECT (SELECT start FROM windows ORDER BY start LIMIT 1) / 3600
        UNION ALL SELECT (SELECT day FROM notice ORDER BY day LIMIT 1) * 24 + 23
        UNION ALL SELECT (SELECT day FROM notice_over ORDER BY day LIMIT 1) * 24 + 23)";
    connection.query_row(query, [], |row| row.get(0))
}

/// Removes the oldest hour, if it is before this one; says whether it was. An hour at once, so that the log stays small.
pub(super) fn older(transaction: &Transaction<'_>, until: i64) -> rusqlite::Result<bool> {
    let Some(oldest) = oldest(transaction)?.filter(|&oldest| oldest < until) else { return Ok(false) };
    let until = oldest + 1;
    for table in ["flow", "seen", "hour"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE hour < ?1"), [until])?;
    }
    for table in ["count", "total"] {
        for step in [MINUTE, HOUR] {
            let delete = format!("DELETE FROM {table} WHERE step = ?1 AND time < ?2");
            transaction.execute(&delete, params![step, until * HOUR])?;
        }
    }
    transaction.execute("DELETE FROM windows WHERE start < ?1", [until * HOUR])?;
    // A day goes with its last hour.
    for table in ["notice", "notice_over"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE day < ?1 / 24"), [until])?;
    }
    for kind in EventKind::ALL {
        transaction.execute(ENDED, params![kind as i64, until * HOUR * 1_000])?;
    }
    Ok(true)
}

/// Removes counts by the minute that are older than they may be.
pub(super) fn minutes(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    let until = now.checked_sub(MINUTES).unwrap_or(Timestamp::MIN).as_second();
    for table in ["count", "total"] {
        let delete = format!("DELETE FROM {table} WHERE step = ?1 AND time < ?2");
        transaction.execute(&delete, params![MINUTE, until])?;
    }
    Ok(())
}
