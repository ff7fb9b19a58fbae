//! Files by the hour in other people's engines: the questions of the document give there what the store says.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use sensor_common::layout::SlotKind;
use sensor_harness::engines::{Engine, questions};
use sensor_harness::needs;
use sensor_harness::pace::until;
use sensor_harness::skip::Missing;
use sensor_user::sources::Observation;
use sensor_user::store::{Ask, DATABASE, FlowRow, Reader};

use crate::trouble::{keep, packet, settings, settle};

/// What was sent two and three hours ago: sources that send more the lower their number, to the more ports.
fn observations() -> Vec<Observation> {
    let slots = [SlotKind::Tcp(23), SlotKind::Udp(53), SlotKind::Icmp(8, 0), SlotKind::Tcp(80)];
    let now = Timestamp::now();
    let mut observations = Vec::new();
    for number in 0..500_u32 {
        for copy in 0..=2_000 / (number + 1) {
            let slot = slots[(copy % (number % 4 + 1)) as usize];
            let time = now - SignedDuration::from_hours(2 + i64::from(copy % 2));
            observations.push(Observation { time, slot, ..packet(0xcb00_7109 + number) });
        }
    }
    let six = Observation { source: "2001:db8:1:2::/64".parse().expect("a source"), ..observations[0] };
    observations.push(six);
    observations
}

/// Waits for the files of all hours, which are full.
fn written(folder: &Path) -> Result<()> {
    let files = || fs::read_dir(folder.join("flows")).map(|files| files.flatten().count());
    until(|| Ok(files()? == 2), || format!("{:?}", files()))
}

#[test]
fn duckdb_reads_files_as_they_are() -> Result<()> {
    check(Engine::duckdb(), "'flows/*.jsonl.gz'")
}

#[test]
fn clickhouse_reads_files_as_they_are() -> Result<()> {
    check(Engine::clickhouse(), "file('flows/*.jsonl.gz', JSONEachRow)")
}

fn check(engine: Result<Engine, Missing>, files: &str) -> Result<()> {
    let engine = needs!(engine);
    let folder = tempfile::tempdir()?;
    let (keeper, feed, stats) = keep(&settings(folder.path()))?;
    let observations = observations();
    feed.observe(&observations);
    settle(&stats)?;
    written(folder.path())?;
    assert!(keeper.stop(Duration::from_mins(1)).is_ok());
    let reader = Reader::new(&folder.path().join(DATABASE));
    let now = Timestamp::now();
    let ask = Ask { most: 10, ..Ask::of(now - SignedDuration::from_hours(4), now) };
    let [most, one, ports] = &questions()?.map(|question| question.replace("'flows/*.jsonl.gz'", files));

    let found = engine.query(folder.path(), most)?;
    let known = reader.sources(&Ask { slot: Some(SlotKind::Tcp(23)), ..ask.clone() })?;
    let expected: Vec<_> = known
        .rows
        .iter()
        .map(|row| [row.source.to_string(), row.packets.to_string(), row.bytes.to_string(), "1".to_owned()])
        .collect();
    ensure!(found == expected && found.len() == 10, "{most}: {found:?}, not {expected:?}");

    let found = engine.query(folder.path(), one)?;
    let all = Ask { most: 1_000, ..ask.clone() };
    let (rows, _) = reader.source("203.0.113.9".parse()?, &all)?;
    let row = |row: &[String]| {
        let number = |at: usize| row.get(at).and_then(|text| text.parse().ok()).unwrap_or(0_u64);
        (row[0][..13].replace('T', " "), row[2].clone(), number(4), number(5))
    };
    let mut found: Vec<_> = found.iter().map(|columns| row(columns)).collect();
    let hour = |row: &FlowRow| row.hour.to_string()[..13].replace('T', " ");
    let slot = |kind| sensor_user::counters::names::slot_name(kind);
    let mut expected: Vec<_> =
        rows.iter().map(|row| (hour(row), slot(row.slot), row.packets, row.bytes)).collect();
    found.sort();
    expected.sort();
    ensure!(found == expected && found.len() > 1, "{one}: {found:?}, not {expected:?}");

    let found = engine.query(folder.path(), ports)?;
    ensure!(found.len() == 4, "{ports}: {found:?}");
    for row in &found {
        let kind = [SlotKind::Tcp(23), SlotKind::Udp(53), SlotKind::Icmp(8, 0), SlotKind::Tcp(80)]
            .into_iter()
            .find(|&kind| slot(kind) == row[0])
            .with_context(|| format!("{row:?}"))?;
        let known = reader.sources(&Ask { slot: Some(kind), ..ask.clone() })?.basis;
        ensure!(row[1..] == [known.sources.to_string(), known.packets.to_string()], "{row:?}, not {known:?}");
    }

    let all = format!("SELECT sum(packets) FROM {files}");
    let sum = engine.query(folder.path(), &all)?;
    ensure!(sum == [[observations.len().to_string()]], "the last line is no flow: {sum:?}");
    let summary = format!("SELECT count(*) FROM {files} WHERE slot = 'summary' AND source IS NULL");
    ensure!(engine.query(folder.path(), &summary)? == [["2"]], "each file has a summary");
    Ok(())
}
