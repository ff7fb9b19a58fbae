//! Kills at random moments: the store opens, has all that was committed, and nothing twice.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use rusqlite::Connection;
use sensor_user::store::DATABASE;

use crate::trouble::{keep, packet, settings, settle, stored};

/// By which the test tells itself, started once more, where to write, and from which source on.
const FOLDER: &str = "SENSOR_TEST_STORE";
const FIRST: &str = "SENSOR_TEST_STORE_FIRST";

/// Packets of each source, which come at once.
const PACKETS: usize = 3;

/// Writes until it is killed; says which sources are committed.
#[test]
#[ignore = "a part of another test, which starts it"]
fn child() -> Result<()> {
    let Some(folder) = std::env::var_os(FOLDER) else { return Ok(()) };
    let mut source: u32 = std::env::var(FIRST)?.parse()?;
    let (_keeper, feed, stats) = keep(&settings(Path::new(&folder)))?;
    loop {
        for _ in 0..50 {
            source += 1;
            feed.observe(&[packet(source); PACKETS]);
        }
        settle(&stats)?;
        println!("committed {source}");
        std::io::stdout().flush()?;
    }
}

#[test]
fn what_was_committed_outlives_kills_and_is_there_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(17);
    let mut committed = Vec::new();
    for round in 0..10_u32 {
        let first = round << 20;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["killed::child", "--exact", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .env(FIRST, first.to_string())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().context("stdout is piped")?;
        let mut lines = BufReader::new(out).lines();
        let last = |line: &str| line.rsplit_once("committed ").and_then(|(_, last)| last.parse::<u32>().ok());
        let begun = lines.by_ref().map_while(Result::ok).find_map(|line| last(&line));
        thread::sleep(Duration::from_micros(random.random_range(0..60_000)));
        child.kill()?;
        child.wait()?;
        let last = lines.map_while(Result::ok).filter_map(|line| last(&line)).last().or(begun);
        committed.push((first, last.context("nothing was committed")?));
    }
    let (keeper, _, stats) = keep(&settings(folder.path()))?;
    settle(&stats)?;
    assert!(keeper.stop(Duration::from_mins(1)).is_ok());
    let found = stored(folder.path())?;
    for row in &found.rows {
        ensure!(row.packets == PACKETS as u64, "{row:?}: a source is there whole, and once");
    }
    let sources: std::collections::BTreeSet<u32> = found
        .rows
        .iter()
        .filter_map(|row| match row.source.first() {
            std::net::IpAddr::V4(address) => Some(address.to_bits()),
            std::net::IpAddr::V6(_) => None,
        })
        .collect();
    for (first, last) in committed {
        let there = sources.range(first + 1..=last).count();
        ensure!(there == (last - first) as usize, "{there} of {} sources", last - first);
    }
    let database = Connection::open(folder.path().join(DATABASE))?;
    let whole: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    assert_eq!(whole, "ok");
    Ok(())
}
