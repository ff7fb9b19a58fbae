//! The database's tables, and how those of earlier versions become them.
//!
//! The version is in `user_version`. Each step of [`STEPS`] takes a database from the version that is its place in the
//! list to the next, in a transaction of its own; a version that was released never changes.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use rusqlite::Connection;

use super::trouble::in_words;

/// The version of databases that this agent writes.
pub const VERSION: usize = STEPS.len();

/// In each database of ours, so that it is told from another program's.
const APPLICATION: i64 = 0x53_4e_53_52;

const STEPS: [&str; 5] = [FIRST, SECOND, THIRD, FOURTH, FIFTH];

const FIRST: &str = "
CREATE TABLE sensor (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- In the order of time, so that what is written, read and removed together lies together.
CREATE TABLE flow (
    hour INTEGER NOT NULL,
    sensor INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    source BLOB NOT NULL,
    tool INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (hour, sensor, slot, source, tool)
) STRICT, WITHOUT ROWID;

CREATE INDEX flow_by_source ON flow (hour / 24, source);

-- Flows of a source and a tool in an hour, over all slots: much less, for questions that name no slot.
CREATE TABLE seen (
    hour INTEGER NOT NULL,
    sensor INTEGER NOT NULL,
    source BLOB NOT NULL,
    tool INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (hour, sensor, source, tool)
) STRICT, WITHOUT ROWID;

CREATE TABLE hour (
    hour INTEGER NOT NULL,
    sensor INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    observed INTEGER NOT NULL,
    missed INTEGER NOT NULL,
    filed INTEGER NOT NULL,
    PRIMARY KEY (hour, sensor)
) STRICT, WITHOUT ROWID;

CREATE INDEX hour_to_be_filed ON hour (hour) WHERE filed = 0;

CREATE TABLE count (
    step INTEGER NOT NULL,
    time INTEGER NOT NULL,
    sensor INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (step, time, sensor, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE total (
    step INTEGER NOT NULL,
    time INTEGER NOT NULL,
    sensor INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (step, time, sensor)
) STRICT, WITHOUT ROWID;

-- What the counters said when they were last looked at: counts go on from there.
CREATE TABLE counter (
    sensor INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (sensor, slot)
) STRICT, WITHOUT ROWID;

-- And when.
CREATE TABLE sampled (
    sensor INTEGER PRIMARY KEY,
    time INTEGER NOT NULL
) STRICT;

CREATE TABLE windows (
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    sensor INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    sources INTEGER NOT NULL,
    exact INTEGER NOT NULL,
    sketch BLOB NOT NULL,
    PRIMARY KEY (start, length, sensor, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    kind INTEGER NOT NULL,
    start INTEGER NOT NULL,
    sensor INTEGER NOT NULL,
    source BLOB NOT NULL,
    until INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (kind, start, sensor, source)
) STRICT, WITHOUT ROWID;

CREATE INDEX event_by_source ON event (source, start);

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For who looks with another program: times, addresses and names as they are written elsewhere.
CREATE VIEW flows AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', f.hour * 3600, 'unixepoch') AS hour,
    s.name AS sensor,
    CASE length(f.source)
        WHEN 4 THEN printf('%d.%d.%d.%d',
            16 * instr('123456789ABCDEF', substr(hex(f.source), 1, 1))
                + instr('123456789ABCDEF', substr(hex(f.source), 2, 1)),
            16 * instr('123456789ABCDEF', substr(hex(f.source), 3, 1))
                + instr('123456789ABCDEF', substr(hex(f.source), 4, 1)),
            16 * instr('123456789ABCDEF', substr(hex(f.source), 5, 1))
                + instr('123456789ABCDEF', substr(hex(f.source), 6, 1)),
            16 * instr('123456789ABCDEF', substr(hex(f.source), 7, 1))
                + instr('123456789ABCDEF', substr(hex(f.source), 8, 1)))
        WHEN 8 THEN lower(printf('%s:%s:%s:%s::/64',
            substr(hex(f.source), 1, 4), substr(hex(f.source), 5, 4),
            substr(hex(f.source), 9, 4), substr(hex(f.source), 13, 4)))
    END AS source,
    CASE
        WHEN f.slot < 0 THEN 'rest'
        WHEN f.slot < 65536 THEN 'tcp'
        WHEN f.slot < 131072 THEN 'udp'
        WHEN f.slot < 135168 THEN 'icmp'
        WHEN f.slot < 139264 THEN 'icmpv6'
        ELSE 'other'
    END AS protocol,
    CASE WHEN f.slot BETWEEN 0 AND 131071 THEN f.slot % 65536 END AS port,
    CASE f.tool
        WHEN 0 THEN 'mirai' WHEN 1 THEN 'masscan' WHEN 2 THEN 'zmap' WHEN 3 THEN 'unicornscan'
        WHEN 4 THEN 'zmap_likely' WHEN 5 THEN 'nmap_likely' WHEN 6 THEN 'other'
    END AS tool,
    f.packets,
    f.bytes,
    strftime('%Y-%m-%dT%H:%M:%fZ', f.hour * 3600 + f.first / 1000.0, 'unixepoch') AS first,
    strftime('%Y-%m-%dT%H:%M:%fZ', f.hour * 3600 + f.last / 1000.0, 'unixepoch') AS last
FROM flow AS f JOIN sensor AS s ON s.number = f.sensor;
";

const SECOND: &str = "
-- Whose the counters were when they were last looked at: others begin from 0. Empty if nobody knows.
ALTER TABLE sampled ADD COLUMN life TEXT NOT NULL DEFAULT '';

-- From when to when an hour was observed, in milliseconds of it: not at all where the one is behind the other.
ALTER TABLE hour ADD COLUMN since INTEGER NOT NULL DEFAULT 3600000;
ALTER TABLE hour ADD COLUMN until INTEGER NOT NULL DEFAULT 0;

-- How far records of evidence had come with what was written last, by sensor and CPU, and when that was: those between it
-- and the next one that comes were missed.
CREATE TABLE reached (
    sensor INTEGER NOT NULL,
    cpu INTEGER NOT NULL,
    life TEXT NOT NULL,
    number INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (sensor, cpu)
) STRICT, WITHOUT ROWID;
";

const THIRD: &str = "
-- Whether there was a time in the hour, between its since and its until, that nobody watched.
ALTER TABLE hour ADD COLUMN broken INTEGER NOT NULL DEFAULT 0;
";

const FOURTH: &str = "
-- What is to be told of an address of a constituency: one of a day, in days since 1970, about a source (1) or a victim (2).
-- In the order of time. Not sent yet where `sent` is NULL; times in milliseconds since 1970.
CREATE TABLE notice (
    day INTEGER NOT NULL,
    about INTEGER NOT NULL,
    source BLOB NOT NULL,
    constituency TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    detail TEXT NOT NULL,
    sample BLOB NOT NULL,
    sent INTEGER,
    PRIMARY KEY (day, about, source)
) STRICT, WITHOUT ROWID;

CREATE INDEX notice_not_sent ON notice (day) WHERE sent IS NULL;

-- Packets of addresses that there was no room for.
CREATE TABLE notice_over (
    day INTEGER NOT NULL,
    constituency TEXT NOT NULL,
    packets INTEGER NOT NULL,
    PRIMARY KEY (day, constituency)
) STRICT, WITHOUT ROWID;
";

const FIFTH: &str = "
-- What went on in a time, and what is too old, is found by when it ended.
CREATE INDEX event_by_end ON event (kind, until, start);

-- How many of a day there are, and which had most packets, is known without what the others say.
CREATE INDEX notice_by_packets ON notice (day, packets);
";

/// Brings a database to [`VERSION`].
///
/// # Errors
/// It is of a newer version or another program's, or cannot be written to.
pub(super) fn bring_up_to_date(connection: &mut Connection, path: &Path) -> Result<()> {
    migrate(connection, path, &STEPS)
}

/// Checks that a database is of [`VERSION`].
///
/// # Errors
/// It is of another.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<()> {
    let found = version(connection).map_err(|error| in_words(path, &error))?;
    if found != VERSION {
        bail!(
            "{} is of version {found}, and this agent reads {VERSION}: ask the agent that writes it",
            path.display()
        );
    }
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<()> {
    let failed = |error: rusqlite::Error| in_words(path, &error);
    let found = version(connection).map_err(failed)?;
    let newest = steps.len();
    if found > newest {
        return Err(anyhow!(
            "{} was written by a newer agent (version {found}, and this one knows {newest}): run that agent, or name \
             another [store] path",
            path.display()
        ));
    }
    let application: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(failed)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if application != APPLICATION && tables > 0 {
        bail!("{} is another program's database: name another [store] path", path.display());
    }
    for (version, step) in steps.iter().enumerate().skip(found) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction
            .execute_batch(step)
            .and_then(|()| transaction.pragma_update(None, "application_id", APPLICATION))
            .and_then(|()| {
                transaction.pragma_update(None, "user_version", i64::try_from(version + 1).unwrap_or(1))
            })
            .and_then(|()| transaction.commit())
            .map_err(failed)
            .with_context(|| format!("cannot bring the store from version {version} to {}", version + 1))?;
    }
    Ok(())
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: &str = "ALTER TABLE sensor ADD COLUMN region TEXT; UPDATE sensor SET region = 'x' || name;";

    fn text(connection: &Connection, query: &str) -> String {
        connection.query_row(query, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_older_database_becomes_the_newest_and_keeps_what_it_has() {
        let path = Path::new("s.db");
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, path, &[FIRST]).unwrap();
        connection
            .execute_batch("INSERT INTO sensor VALUES (1, 'a'); INSERT INTO sampled VALUES (1, 60)")
            .unwrap();
        assert!(check(&connection, path).is_err());
        bring_up_to_date(&mut connection, path).unwrap();
        bring_up_to_date(&mut connection, path).unwrap();
        assert!(check(&connection, path).is_ok());
        assert_eq!(text(&connection, "SELECT sensor || time || life FROM sampled"), "160");
        assert_eq!(text(&connection, "SELECT 'of ' || count(*) FROM notice"), "of 0");
        migrate(&mut connection, path, &[FIRST, SECOND, THIRD, FOURTH, FIFTH, NEXT]).unwrap();
        assert_eq!(text(&connection, "SELECT name || region FROM sensor"), "axa");
        let error = bring_up_to_date(&mut connection, path).unwrap_err().to_string();
        assert!(error.contains("was written by a newer agent (version 6, and this one knows 5)"), "{error}");
        assert!(check(&connection, path).is_err());
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before() {
        let path = Path::new("s.db");
        let mut connection = Connection::open_in_memory().unwrap();
        bring_up_to_date(&mut connection, path).unwrap();
        connection.execute("INSERT INTO sensor VALUES (1, 'a')", []).unwrap();
        let broken = "UPDATE sensor SET name = 'b'; SELECT nothing;";
        assert!(migrate(&mut connection, path, &[FIRST, SECOND, THIRD, FOURTH, FIFTH, broken]).is_err());
        assert_eq!(text(&connection, "SELECT name FROM sensor"), "a");
        assert!(check(&connection, path).is_ok());
    }

    #[test]
    fn another_programs_database_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE flow (mine)").unwrap();
        let error = bring_up_to_date(&mut connection, Path::new("s.db")).unwrap_err().to_string();
        assert!(error.contains("another program's database"), "{error}");
    }

    #[test]
    fn the_view_is_written_as_addresses_and_names_are() {
        use sensor_common::layout::Slot;
        use sensor_common::layout::side::Tool;

        let mut connection = Connection::open_in_memory().unwrap();
        bring_up_to_date(&mut connection, Path::new("s.db")).unwrap();
        connection
            .execute_batch(
                "INSERT INTO sensor VALUES (1, 'a');
                 INSERT INTO flow VALUES (494000, 1, 23, x'CB0071FF', 0, 3, 180, 1500, 61001);
                 INSERT INTO flow VALUES (494000, 1, 65589, x'20010DB800010002', -1, 1, 60, 0, 0);",
            )
            .unwrap();
        let row = "SELECT concat_ws(' ', hour, sensor, source, protocol, port, tool, packets, first, last) FROM flows \
                   WHERE protocol = ";
        assert_eq!(
            text(&connection, &format!("{row}'tcp'")),
            "2026-05-10T08:00:00Z a 203.0.113.255 tcp 23 mirai 3 2026-05-10T08:00:01.500Z 2026-05-10T08:01:01.001Z"
        );
        assert_eq!(
            text(&connection, &format!("{row}'udp'")),
            "2026-05-10T08:00:00Z a 2001:0db8:0001:0002::/64 udp 53 1 2026-05-10T08:00:00.000Z 2026-05-10T08:00:00.000Z"
        );
        // Numbers that the view spells out.
        for tool in Tool::ALL {
            assert!(FIRST.contains(&format!("WHEN {} THEN '{}'", *tool as u32, tool.label())));
        }
        for (first, protocol) in
            [(Slot::udp(0), "tcp"), (Slot::icmp(0, 0), "udp"), (Slot::icmpv6(0, 0), "icmp")]
        {
            assert!(FIRST.contains(&format!("WHEN f.slot < {} THEN '{protocol}'", first.index())));
        }
        let icmpv6 = Slot::protocol_v4(0).index();
        assert!(FIRST.contains(&format!("WHEN f.slot < {icmpv6} THEN 'icmpv6'")));
    }
}
