//! What stands in the store's way: a full disk, a damaged database, one of a newer version, one that is held.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use sensor_common::layout::SlotKind;
use sensor_harness::disk::SmallDisk;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use sensor_tests::observed;
use sensor_user::config::Store;
use sensor_user::sources::Observation;
use sensor_user::store::{Ask, DATABASE, Database, Feed, Keeper, Reader, Schedule, Stats, TopSources};

/// A store that is written to all the time.
pub(crate) const SCHEDULE: Schedule =
    Schedule { every: Duration::from_millis(10), again: Duration::from_millis(10) };

pub(crate) fn settings(path: &Path) -> Store {
    Store { path: path.to_owned(), ..Store::default() }
}

/// A store that is kept, its feed, and what it says of itself.
pub(crate) fn keep(settings: &Store) -> Result<(Keeper, Feed, Arc<Stats>)> {
    let stats = Arc::new(Stats::default());
    let keeper = Keeper::start(settings, SCHEDULE, Arc::clone(&stats))?;
    let feed = keeper.feed();
    feed.sensors(&[observed::sensor("a")], None);
    Ok((keeper, feed, stats))
}

/// A packet from an address, seen now.
pub(crate) fn packet(from: u32) -> Observation {
    let packet = observed::packet(Timestamp::now(), Ipv4Addr::from(from), SlotKind::Udp(53));
    Observation { length: 90, ..packet }
}

/// Waits until what was fed so far is committed: the second write from now has begun after it.
pub(crate) fn settle(stats: &Stats) -> Result<()> {
    let before = stats.written();
    until(|| Ok(stats.written() >= before + 2), || "nothing is written".to_owned())
}

/// All sources that are stored.
pub(crate) fn stored(folder: &Path) -> Result<TopSources> {
    let now = Timestamp::now();
    let hour = SignedDuration::from_hours(1);
    let ask = Ask { most: 100_000, ..Ask::of(now - hour, now + hour) };
    Reader::new(&folder.join(DATABASE)).sources(&ask)
}

#[test]
fn a_full_disk_costs_nothing_once_there_is_room() -> Result<()> {
    needs_root!();
    let disk = SmallDisk::new("1m")?;
    let folder = disk.path().join("store");
    let (keeper, feed, stats) = keep(&settings(&folder))?;
    feed.observe(&[packet(0)]);
    settle(&stats)?;
    let mut sent = 1;
    // No faster than it is written: what waits has a bound, beyond which it is not kept apart.
    let said = loop {
        let observations: Vec<_> = (sent..sent + 500).map(packet).collect();
        feed.observe(&observations);
        sent += 500;
        let before = stats.written();
        until(|| Ok(stats.fails() || stats.written() >= before + 2), || "nothing is written".to_owned())?;
        if let Some(said) = stats.trouble() {
            break said;
        }
    };
    assert!(said.contains("its disk is full") && said.contains("make room"), "{said}");
    disk.grow("64m")?;
    until(|| Ok(!stats.fails()), || "it fails on".to_owned())?;
    settle(&stats)?;
    assert!(keeper.stop(Duration::from_mins(1)).is_ok());
    let found = stored(&folder)?;
    let packets: Vec<_> = found.rows.iter().map(|row| row.packets).collect();
    assert_eq!((packets.len(), packets.iter().max()), (sent as usize, Some(&1)), "all, and each once");
    Ok(())
}

/// What is done to a store, and what is then said of it.
fn after(spoil: impl Fn(&Path) -> Result<()>) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let settings = settings(folder.path());
    let (keeper, feed, stats) = keep(&settings)?;
    let observations: Vec<_> = (0..2_000).map(packet).collect();
    feed.observe(&observations);
    settle(&stats)?;
    assert!(keeper.stop(Duration::from_mins(1)).is_ok());
    spoil(folder.path())?;
    let (keeper, _, stats) = keep(&settings)?;
    until(|| Ok(stats.fails()), || "it works".to_owned())?;
    // Others go on, and it ends when it is to.
    assert!(keeper.stop(Duration::from_mins(1)).is_ok());
    let error = Database::open(&settings, &Arc::default()).err().context("it opens")?;
    Ok(format!("{error:#}"))
}

#[test]
fn a_database_that_is_cut_short_is_left_as_it_is() -> Result<()> {
    let said = after(|folder| {
        let file = File::options().write(true).open(folder.join(DATABASE))?;
        file.set_len(file.metadata()?.len() / 2)?;
        Ok(())
    })?;
    assert!(said.contains("is damaged or no database") && said.contains("move it away"), "{said}");
    Ok(())
}

#[test]
fn what_is_no_database_is_left_as_it_is() -> Result<()> {
    let said = after(|folder| Ok(fs::write(folder.join(DATABASE), "notes ".repeat(10_000))?))?;
    assert!(said.contains("is damaged or no database") && said.contains("move it away"), "{said}");
    Ok(())
}

#[test]
fn a_newer_database_is_refused() -> Result<()> {
    let said = after(|folder| {
        Ok(Connection::open(folder.join(DATABASE))?.pragma_update(None, "user_version", 99)?)
    })?;
    assert!(said.contains("was written by a newer agent (version 99"), "{said}");
    Ok(())
}

#[test]
fn a_folder_that_cannot_be_made_is_told() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("file"), "")?;
    let error = Database::open(&settings(&folder.path().join("file/store")), &Arc::default());
    let error = format!("{:#}", error.err().context("it opens")?);
    assert!(error.contains("cannot make the folder") && error.contains("[store] path"), "{error}");
    Ok(())
}

#[test]
fn a_database_that_is_held_is_written_once_it_is_let_go() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let settings = settings(folder.path());
    let (keeper, feed, stats) = keep(&settings)?;
    feed.observe(&[packet(1)]);
    settle(&stats)?;
    let other = Connection::open(folder.path().join(DATABASE))?;
    other.execute_batch("BEGIN IMMEDIATE")?;
    feed.observe(&[packet(1)]);
    until(|| Ok(stats.fails()), || "it works".to_owned())?;
    feed.observe(&[packet(2)]);
    other.execute_batch("ROLLBACK")?;
    until(|| Ok(!stats.fails()), || "it fails on".to_owned())?;
    settle(&stats)?;
    assert!(keeper.stop(Duration::from_mins(1)).is_ok());
    let found = stored(folder.path())?;
    assert_eq!(found.rows.iter().map(|row| row.packets).collect::<Vec<_>>(), [2, 1]);
    Ok(())
}

#[test]
fn a_database_that_somebody_removes_is_begun_anew() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (keeper, feed, stats) = keep(&settings(folder.path()))?;
    feed.observe(&[packet(1)]);
    settle(&stats)?;
    fs::copy(folder.path().join("sensor.db-wal"), folder.path().join("log"))?;
    fs::remove_file(folder.path().join(DATABASE))?;
    until(|| Ok(folder.path().join(DATABASE).exists()), || format!("{:?}", stats.trouble()))?;
    assert!(keeper.stop(Duration::from_mins(1)).is_ok());
    // A log that was left is not taken for that of another database.
    fs::remove_file(folder.path().join(DATABASE))?;
    fs::rename(folder.path().join("log"), folder.path().join("sensor.db-wal"))?;
    let (keeper, feed, stats) = keep(&settings(folder.path()))?;
    feed.observe(&[packet(2)]);
    settle(&stats)?;
    assert!(keeper.stop(Duration::from_mins(1)).is_ok());
    assert_eq!(stored(folder.path())?.rows.len(), 1);
    Ok(())
}

#[test]
fn a_folder_that_somebody_removes_is_made_again() -> Result<()> {
    let root = tempfile::tempdir()?;
    let folder = root.path().join("store");
    let (keeper, feed, stats) = keep(&settings(&folder))?;
    feed.observe(&[packet(1)]);
    settle(&stats)?;
    fs::remove_dir_all(&folder)?;
    feed.observe(&[packet(2)]);
    until(
        || Ok(stored(&folder).is_ok_and(|found| found.rows.len() == 1)),
        || format!("{:?}", stored(&folder)),
    )?;
    assert!(keeper.stop(Duration::from_mins(1)).is_ok());
    Ok(())
}
