//! Files for engines that hold a fleet's years: the flows of a full hour of a sensor, JSON lines, gzip.
//!
//! A file is written once, beside its place, and then moved there: who reads it never sees half of one. Should the store
//! learn more of its hour, it is written anew.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use sensor_common::layout::SlotKind;
use sensor_common::layout::side::Tool;
use serde::Serialize;

use super::counting::HOUR;
use super::flow::{REST, count, hour_of, slot, source, time_of, tool};
use super::place::FILE_MODE;
use super::trouble::in_words;
use crate::counters::names;
use crate::sources::{SketchParts, Source};

const PREFIX: &str = "flows-";
const SUFFIX: &str = ".jsonl.gz";
const PARTIAL: &str = ".partial";
/// So long after its end an hour is full: what was seen in it is written by then.
const SETTLED: SignedDuration = SignedDuration::from_mins(2);
/// Why a window has no sketch.
const NO_SKETCH: &str = "no sketch_key_file of [sources] was there for the whole hour, or the store could not be read at a start in it";
/// Sources that a file names one by one in its last line, at most.
const MOST_NAMED: usize = 256;
/// Bytes of a sensor's name in a file's, at most.
const MOST_NAME: usize = 150;

/// A line of a file: a flow, or in the end what is known of the whole hour, with the same keys.
#[derive(Debug, Serialize)]
struct Line<'a> {
    hour: Timestamp,
    sensor: &'a str,
    source: Option<Source>,
    slot: Cow<'a, str>,
    protocol: Option<Cow<'a, str>>,
    port: Option<u16>,
    tool: Option<&'a str>,
    packets: Option<u64>,
    bytes: Option<u64>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    summary: Option<Summary>,
}

/// The last line's own: how many sources there were, and the sketch of the window for who has those of others.
#[derive(Debug, Serialize)]
struct Summary {
    length: u32,
    observed: u64,
    missed: u64,
    sources: u64,
    exact: bool,
    /// All of them, where they are few.
    set: Option<Vec<Source>>,
    /// The registers of a `HyperLogLog`, a byte each, in hexadecimal.
    sketch: Option<String>,
    /// The binary logarithm of their number.
    sketch_precision: Option<u8>,
    /// Tells the key that it was made with from others, in hexadecimal.
    sketch_key: Option<String>,
    /// Why there is no sketch.
    no_sketch: Option<&'static str>,
}

/// An hour that is full and has no file: the hour, the sensor's number and its name.
pub(super) fn due(connection: &Connection, now: Timestamp) -> rusqlite::Result<Option<(i64, i64, String)>> {
    let until = hour_of(now.checked_sub(SETTLED).unwrap_or(now)).0;
    let query = "SELECT hour, sensor, name FROM hour JOIN sensor ON number = sensor
        WHERE filed = 0 AND hour < ?1 ORDER BY hour LIMIT 1";
    connection.query_row(query, [until], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
}

/// Notes that an hour has its file.
pub(super) fn filed(transaction: &Transaction<'_>, hour: i64, sensor: i64) -> rusqlite::Result<()> {
    let update = "UPDATE hour SET filed = 1 WHERE hour = ?1 AND sensor = ?2";
    transaction.execute(update, [hour, sensor]).map(drop)
}

/// Writes the file of an hour of a sensor.
///
/// # Errors
/// The disk is full or fails, or the database does.
pub(super) fn write(
    connection: &Connection,
    database: &Path,
    folder: &Path,
    hour: i64,
    sensor: i64,
    name: &str,
) -> Result<()> {
    let path = folder.join(file_name(name, hour));
    let mut partial = path.clone().into_os_string();
    partial.push(PARTIAL);
    let partial = PathBuf::from(partial);
    let failed = || {
        let path = path.display();
        format!("cannot write {path}: make room on its disk, and let the agent write to its folder")
    };
    let begin = || {
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(true).mode(FILE_MODE).open(&partial)?;
        Ok::<_, io::Error>(GzEncoder::new(BufWriter::new(file), Compression::default()))
    };
    let mut file = begin().with_context(failed)?;
    let done = flows(connection, database, hour, sensor, name, &mut file).and_then(|()| {
        let file = file.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&partial, &path)?;
        Ok(File::open(folder)?.sync_all()?)
    });
    let done = done.with_context(failed);
    if done.is_err() {
        drop(fs::remove_file(&partial));
    }
    done
}

fn flows(
    connection: &Connection,
    database: &Path,
    hour: i64,
    sensor: i64,
    name: &str,
    file: &mut impl io::Write,
) -> Result<()> {
    let failed = |error: rusqlite::Error| in_words(database, &error);
    let mut query = connection
        .prepare(
            "SELECT slot, source, tool, packets, bytes, first, last FROM flow WHERE hour = ?1 AND sensor = ?2
             ORDER BY slot, source, tool",
        )
        .map_err(failed)?;
    let mut rows = query.query([hour, sensor]).map_err(failed)?;
    let mut put = |line: &Line<'_>| -> Result<()> {
        serde_json::to_writer(&mut *file, line)?;
        Ok(file.write_all(b"\n")?)
    };
    while let Some(row) = rows.next().map_err(failed)? {
        put(&Line::of(row, hour, name).map_err(failed)?)?;
    }
    let summary = Summary::of(connection, hour, sensor).map_err(failed)?;
    put(&Line {
        hour: time_of(hour, 0),
        sensor: name,
        source: None,
        slot: "summary".into(),
        protocol: None,
        port: None,
        tool: None,
        packets: None,
        bytes: None,
        first: None,
        last: None,
        summary: Some(summary),
    })
}

impl<'a> Line<'a> {
    fn of(row: &Row<'_>, hour: i64, sensor: &'a str) -> rusqlite::Result<Self> {
        let kind = slot(row.get(0)?);
        let within = |column| row.get(column).map(|within| Some(time_of(hour, within)));
        let number = |column| row.get(column).map(|number| Some(count(number)));
        Ok(Self {
            hour: time_of(hour, 0),
            sensor,
            source: source(row.get_ref(1)?.as_blob()?),
            slot: kind.map_or("rest".into(), |kind| names::slot_name(kind).into()),
            protocol: kind.map(protocol),
            port: kind.and_then(port),
            tool: tool(row.get(2)?).map(Tool::label),
            packets: number(3)?,
            bytes: number(4)?,
            first: within(5)?,
            last: within(6)?,
            summary: None,
        })
    }
}

impl Summary {
    fn of(connection: &Connection, hour: i64, sensor: i64) -> rusqlite::Result<Self> {
        let query = "SELECT observed, missed FROM hour WHERE hour = ?1 AND sensor = ?2";
        let (observed, missed) = connection
            .query_row(query, [hour, sensor], |row| Ok((count(row.get(0)?), count(row.get(1)?))))?;
        let length = u32::try_from(HOUR).unwrap_or_default();
        let query = "SELECT sources, sketch FROM windows
            WHERE start = ?1 AND length = ?2 AND sensor = ?3 AND slot = ?4";
        let window: Option<(i64, Vec<u8>)> = connection
            .query_row(query, params![hour * HOUR, length, sensor, REST], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let (in_window, stored) =
            window.map_or((0, Vec::new()), |(sources, sketch)| (count(sources), sketch));
        let mut query =
            connection.prepare("SELECT DISTINCT source FROM seen WHERE hour = ?1 AND sensor = ?2")?;
        let mut rows = query.query([hour, sensor])?;
        let (mut sources, mut set) = (0, Vec::new());
        while let Some(row) = rows.next()? {
            sources += 1;
            if set.len() < MOST_NAMED {
                set.extend(source(row.get_ref(0)?.as_blob()?));
            }
        }
        let query = "SELECT count(*) FROM flow WHERE hour = ?1 AND sensor = ?2 AND slot = ?3";
        let rest: i64 = connection.query_row(query, [hour, sensor, REST], |row| row.get(0))?;
        let exact = rest == 0;
        let set = (usize::try_from(sources) == Ok(set.len())).then_some(set);
        // The window has sources too that have no row of their own.
        let sources = if exact { sources } else { in_window.max(sources) };
        let sketch = SketchParts::of(&stored);
        Ok(Self {
            length,
            observed,
            missed,
            sources,
            exact,
            set,
            sketch: sketch.map(|sketch| sketch.hexadecimal()),
            sketch_precision: sketch.map(|sketch| sketch.precision),
            sketch_key: sketch.map(|sketch| sketch.key()),
            no_sketch: sketch.is_none().then_some(NO_SKETCH),
        })
    }
}

/// The protocol's name, or `malformed`.
pub(super) fn protocol(kind: SlotKind) -> Cow<'static, str> {
    match kind {
        SlotKind::Tcp(_) => "tcp".into(),
        SlotKind::Udp(_) => "udp".into(),
        SlotKind::Icmp(..) => "icmp".into(),
        SlotKind::Icmpv6(..) => "icmpv6".into(),
        SlotKind::ProtocolV4(number) | SlotKind::ProtocolV6(number) | SlotKind::Fragment(number) => {
            names::protocol(number)
        }
        SlotKind::Malformed(_) => "malformed".into(),
    }
}

/// The port, where there is one.
pub(super) const fn port(kind: SlotKind) -> Option<u16> {
    match kind {
        SlotKind::Tcp(port) | SlotKind::Udp(port) => Some(port),
        _ => None,
    }
}

/// The name of the file of an hour of a sensor. A sensor's name that no file can have has a number in it that is made of
/// the whole name.
fn file_name(sensor: &str, hour: i64) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let name = if sensor.chars().all(is_plain) && sensor.len() <= MOST_NAME {
        sensor.to_owned()
    } else {
        let mut name: String =
            sensor.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
        while name.len() > MOST_NAME {
            name.pop();
        }
        format!("{name}-{:016x}", crate::socket::fnv1a(sensor.as_bytes()))
    };
    format!("{PREFIX}{name}-{}{SUFFIX}", time_of(hour, 0).strftime("%Y%m%dT%HZ"))
}

/// The hour that a file is of, by its name.
fn hour_of_file(name: &str) -> Option<i64> {
    let name = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let (_, time) = name.rsplit_once('-')?;
    let time = format!("{}0000+0000", time.strip_suffix('Z')?);
    Timestamp::strptime("%Y%m%dT%H%M%S%z", time).ok().map(|time| hour_of(time).0)
}

/// Files of hours in a folder, with their hours and sizes; none where it cannot be read.
fn files(folder: &Path) -> impl Iterator<Item = (i64, PathBuf, u64)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let hour = hour_of_file(entry.file_name().to_str()?)?;
        let size = entry.metadata().ok()?.len();
        Some((hour, entry.path(), size))
    })
}

/// Bytes of all files.
pub(super) fn bytes(folder: &Path) -> u64 {
    files(folder).map(|(_, _, size)| size).sum()
}

/// The oldest hour of which there is a file.
pub(super) fn oldest(folder: &Path) -> Option<i64> {
    files(folder).map(|(hour, ..)| hour).min()
}

/// Removes files of hours before this one.
///
/// # Errors
/// One cannot be removed.
pub(super) fn forget(folder: &Path, until: i64) -> Result<()> {
    for (_, path, _) in files(folder).filter(|(hour, ..)| *hour < until) {
        match fs::remove_file(&path) {
            // Somebody has moved it away meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.with_context(|| {
                format!("cannot remove {}: let the agent write to its folder", path.display())
            })?,
        }
    }
    Ok(())
}

/// Removes what an agent left that was killed while it wrote.
pub(super) fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        if name.to_str().and_then(|name| name.strip_suffix(PARTIAL)).and_then(hour_of_file).is_some() {
            drop(fs::remove_file(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::usual("japan-1", "flows-japan-1-20260510T08Z.jsonl.gz")]
    #[case::any_language("観測点", "flows-観測点-20260510T08Z.jsonl.gz")]
    #[case::no_file("a/b c", "flows-a_b_c-9ec6f9bc43112c30-20260510T08Z.jsonl.gz")]
    fn files_are_named_after_sensor_and_hour(#[case] sensor: &str, #[case] name: &str) {
        assert_eq!(file_name(sensor, 494_000), name);
        assert_eq!(hour_of_file(name), Some(494_000));
    }

    #[test]
    fn no_name_is_too_long_for_a_file() {
        let longest = "𝔸".repeat(64);
        assert!(file_name(&longest, 494_000).len() + PARTIAL.len() < 255);
        assert_ne!(file_name("a/b", 1), file_name("a_b", 1));
    }

    #[rstest]
    #[case("flows-a-20260510T08Z.jsonl.gz.partial")]
    #[case("flows-a-20261310T08Z.jsonl.gz")]
    #[case("notes.txt")]
    fn other_files_are_nobodys(#[case] name: &str) {
        assert_eq!(hour_of_file(name), None);
    }
}
