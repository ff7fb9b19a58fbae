//! Kills at random moments, and of a full disk: the store opens, has all that was committed, and nothing twice.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use rusqlite::Connection;
use sensor_common::layout::{Counter, Slot};
use sensor_harness::disk::SmallDisk;
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use sensor_user::counters::SnapshotBuilder;
use sensor_user::store::{AskCounted, DATABASE, Feed, Reader, Step};

use crate::trouble::{keep, packet, settings, settle, stored};

/// By which the test tells itself, started once more, where to write, and from which source on.
const FOLDER: &str = "SENSOR_TEST_STORE";
const FIRST: &str = "SENSOR_TEST_STORE_FIRST";

/// Packets of each source, which come at once.
const PACKETS: usize = 3;
/// Sources between two samples of the counters.
const STEP: u32 = 50;
/// What is counted.
const SLOT: Slot = Slot::udp(53);

/// Writes until it is killed; says which sources are committed, and what is in the way.
#[test]
#[ignore = "a part of another test, which starts it"]
fn child() -> Result<()> {
    let Some(folder) = std::env::var_os(FOLDER) else { return Ok(()) };
    let mut source: u32 = std::env::var(FIRST)?.parse()?;
    let (_keeper, feed, stats) = keep(&settings(Path::new(&folder)))?;
    // The very first sample is what counts begin at.
    count(&feed, source);
    loop {
        for _ in 0..STEP {
            source += 1;
            feed.observe(&[packet(source); PACKETS]);
        }
        count(&feed, source);
        let before = stats.written();
        let is_written = || stats.written() >= before + 2;
        until(|| Ok(is_written() || stats.fails()), || "nothing is written".to_owned())?;
        if let Some(said) = stats.trouble().filter(|_| !is_written()) {
            say(&said)?;
        }
        until(|| Ok(is_written()), || format!("{:?}", stats.trouble()))?;
        say(&format!("committed {source}"))?;
    }
}

fn say(line: &str) -> Result<()> {
    println!("{line}");
    Ok(std::io::stdout().flush()?)
}

/// Samples counters that say so many packets: like the kernel's, they outlive whoever is killed.
fn count(feed: &Feed, packets: u32) {
    let mut counters = SnapshotBuilder::new(1);
    if let Some(page) = counters.pages(0, SLOT.page()).next() {
        let packets = u64::from(packets);
        page[SLOT.offset() as usize] = Counter { packets, bytes: 90 * packets };
    }
    let snapshot = counters.finish();
    feed.counts(Timestamp::now(), snapshot.sensors.iter().map(|slots| ("a", slots)));
}

/// Packets that the store says were counted.
fn counted(folder: &Path, step: Step) -> Result<u64> {
    let (now, hour) = (Timestamp::now(), SignedDuration::from_hours(1));
    let slots = Some(SLOT.index()..=SLOT.index());
    let ask = AskCounted { sensor: Some("a"), slots, step, from: now - hour * 2, to: now + hour };
    let (_, counted, _) = Reader::new(&folder.join(DATABASE)).counts(&ask)?;
    Ok(counted.iter().map(|count| count.packets).sum())
}

/// Has the child write, from this source on, and kills it so long after it has said this; the last source that it said is
/// committed.
fn kill(folder: &Path, first: u32, words: &str, later: Duration) -> Result<u32> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["killed::child", "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()?;
    let out = child.stdout.take().context("stdout is piped")?;
    let mut lines = BufReader::new(out).lines().map_while(Result::ok);
    let committed =
        |line: &str| line.rsplit_once("committed ").and_then(|(_, last)| last.parse::<u32>().ok());
    let (mut last, mut has_said) = (None, false);
    for line in lines.by_ref() {
        last = committed(&line).or(last);
        has_said = line.contains(words);
        if has_said {
            break;
        }
    }
    thread::sleep(later);
    child.kill()?;
    child.wait()?;
    ensure!(has_said, "it ended before it said {words:?}");
    let last = lines.filter_map(|line| committed(&line)).last().or(last);
    last.context("nothing was committed")
}

/// Whether all is there of sources that were committed, from behind the first to the last of each child, and nothing twice.
fn check(folder: &Path, committed: &[(u32, u32)]) -> Result<()> {
    let (keeper, feed, stats) = keep(&settings(folder))?;
    settle(&stats)?;
    // The counters said as much as the last child's last source, or what they said a step later.
    let (_, last) = committed.last().context("nobody was killed")?;
    for step in [Step::Minute, Step::Hour] {
        let packets = counted(folder, step)?;
        let range = u64::from(*last)..=u64::from(last + STEP);
        ensure!(range.contains(&packets), "{packets} were counted by the {step:?}, not {range:?}");
    }
    // From there they go on.
    let now = last + 2 * STEP;
    count(&feed, now);
    settle(&stats)?;
    assert!(keeper.stop(Duration::from_mins(1)).is_ok());
    for step in [Step::Minute, Step::Hour] {
        assert_eq!(counted(folder, step)?, u64::from(now), "{step:?}");
    }

    let found = stored(folder)?;
    for row in &found.rows {
        ensure!(row.packets == PACKETS as u64, "{row:?}: a source is there whole, and once");
    }
    let sources: BTreeSet<u32> = found
        .rows
        .iter()
        .filter_map(|row| match row.source.first() {
            IpAddr::V4(address) => Some(address.to_bits()),
            IpAddr::V6(_) => None,
        })
        .collect();
    for (first, last) in committed {
        let there = sources.range(first + 1..=*last).count();
        ensure!(there == (last - first) as usize, "{there} of {} sources", last - first);
    }
    let database = Connection::open(folder.join(DATABASE))?;
    let whole: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    assert_eq!(whole, "ok");
    Ok(())
}

#[test]
fn what_was_committed_outlives_kills_and_is_there_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(17);
    let mut killed = Vec::new();
    for round in 0..10_u32 {
        let first = round << 20;
        let later = Duration::from_micros(random.random_range(0..60_000));
        killed.push((first, kill(folder.path(), first, "committed ", later)?));
    }
    check(folder.path(), &killed)
}

#[test]
fn what_was_committed_outlives_a_kill_while_the_disk_is_full() -> Result<()> {
    needs_root!();
    let disk = SmallDisk::new("1m")?;
    let folder = disk.path().join("store");
    let last = kill(&folder, 0, "its disk is full", Duration::ZERO)?;
    disk.grow("64m")?;
    check(&folder, &[(0, last)])
}
