//! Of files that real stores have written.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use sensor_common::hyperloglog::HyperLogLog;
use sensor_common::layout::SlotKind;
use sensor_harness::engines::Engine;
use sensor_harness::namespace::Namespace;
use sensor_harness::pace::until;
use sensor_harness::skip::Missing;
use sensor_harness::{needs, workspace};
use sensor_tests::observed;
use sensor_user::config::Store;
use sensor_user::sources::{Observation, Source};
use sensor_user::store::{Keeper, Schedule, Stats, Window};
use serde_json::Value;
use tempfile::TempDir;

use super::{Answer, Known, Sent, asked, truth};

const SENSORS: [&str; 3] = ["japan-1", "japan-2", "overseas-1"];
/// More than a set of all sources has: sketches are needed.
const SOURCES: u32 = 3_000;
const HOUR: i64 = 3_600;

/// Files of two hours of three sensors, and what was sent.
struct Files {
    folder: TempDir,
    sent: Vec<Sent>,
    /// The begin of the first hour.
    first: Timestamp,
    network: Namespace,
}

impl Files {
    fn new() -> Result<Self> {
        let sent = truth(7, SENSORS.len(), SOURCES);
        let first = (Timestamp::now().as_second() / HOUR - 4) * HOUR;
        let files = Self {
            folder: tempfile::tempdir()?,
            sent,
            first: Timestamp::from_second(first)?,
            network: Namespace::new()?,
        };
        for sensor in 0..SENSORS.len() {
            files.store(sensor)?;
        }
        Ok(files)
    }

    /// Has a store of its own write what a sensor saw, and copies its files.
    fn store(&self, sensor: usize) -> Result<()> {
        let (name, folder) = (SENSORS[sensor], tempfile::tempdir()?);
        let settings = Store { path: folder.path().to_owned(), ..Store::default() };
        let stats = Arc::new(Stats::default());
        let often = Duration::from_millis(10);
        let keeper = Keeper::start(&settings, Schedule { every: often, again: often }, Arc::clone(&stats))?;
        let feed = keeper.feed();
        feed.sensors(&[observed::sensor(name)], None);
        let seen: Vec<_> = self.sent.iter().filter(|sent| sent.sensor == sensor).collect();
        let mut observations = Vec::new();
        for sent in &seen {
            // Each in one hour or in both.
            for copy in 0..sent.packets {
                let hour = (u64::from(sent.source) + copy) % 2;
                let time = self.first + SignedDuration::from_secs(HOUR * i64::try_from(hour)? + 60);
                observations.push(observed::packet(time, sent.source.into(), SlotKind::Tcp(sent.port)));
            }
        }
        for hour in 0..2 {
            let start = self.first + SignedDuration::from_secs(HOUR * hour);
            let within =
                |it: &&Observation| it.time >= start && it.time < start + SignedDuration::from_secs(HOUR);
            let sources: Vec<Source> = observations.iter().filter(within).map(|it| it.source).collect();
            feed.window(window(name, start, &sources));
        }
        for piece in observations.chunks(10_000) {
            feed.observe(piece);
        }
        let before = stats.written();
        until(|| Ok(stats.written() >= before + 2), || "nothing is written".to_owned())?;
        let flows = folder.path().join("flows");
        let written = || fs::read_dir(&flows).map(|files| files.flatten().count());
        until(|| Ok(written()? == 2), || format!("{:?}", written()))?;
        ensure!(keeper.stop(Duration::from_mins(1)).is_ok(), "the store does not end");
        let copies = self.folder.path().join("flows");
        fs::create_dir_all(&copies)?;
        for file in fs::read_dir(&flows)? {
            let file = file?;
            fs::copy(file.path(), copies.join(file.file_name()))?;
        }
        Ok(())
    }

    fn ask(&self, arguments: &[&str]) -> Result<Answer> {
        let (folder, from) = (self.folder.path().display().to_string(), self.first.to_string());
        let to = (self.first + SignedDuration::from_secs(2 * HOUR)).to_string();
        Answer::to(&self.network, &[&["--files", &folder, "--from", &from, "--to", &to], arguments].concat())
    }

    /// A file of a sensor.
    fn file(&self, sensor: usize) -> Result<PathBuf> {
        let files = fs::read_dir(self.folder.path().join("flows"))?;
        let of = format!("flows-{}-", SENSORS[sensor]);
        let mut paths: Vec<_> = files.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
        paths.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&of)));
        paths.sort();
        paths.into_iter().next().context("no file")
    }
}

/// An hour with a sketch, as an agent makes it with a key that all share: here with a hash that they share.
fn window(sensor: &str, start: Timestamp, sources: &[Source]) -> Window {
    let mut registers = HyperLogLog::<12>::new();
    let mix = |number: u64| {
        let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ number >> 31
    };
    for source in sources {
        registers.add(mix(source.number().wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    }
    let head = 77_u64.to_be_bytes().into_iter().chain([12]);
    let sketch = head.chain(registers.registers().iter().copied()).collect();
    let (sensor, packets) = (sensor.to_owned(), sources.len() as u64);
    Window { length: 3_600, start, sensor, slot: None, packets, sources: 0, exact: false, sketch }
}

/// Rewrites the lines of a file.
fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<Value>)) -> Result<()> {
    let mut text = String::new();
    GzDecoder::new(File::open(path)?).read_to_string(&mut text)?;
    let mut lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    change(&mut lines);
    let mut file = GzEncoder::new(File::create(path)?, Compression::fast());
    lines.iter().try_for_each(|line| writeln!(file, "{line}"))?;
    file.finish()?;
    Ok(())
}

#[test]
fn what_all_rows_tell_is_exact() -> Result<()> {
    let files = Files::new()?;
    for (port, arguments) in
        [(None, &[][..]), (Some(23), &["--port", "23/tcp"]), (Some(8_080), &["--port", "8080/tcp"])]
    {
        let answer = files.ask(arguments)?;
        answer.is_exactly(&Known::of(&files.sent, port), false).with_context(|| format!("{arguments:?}"))?;
        let sensors: Vec<_> = answer.lines("sensor").iter().map(|it| it["sensor"].clone()).collect();
        ensure!(sensors == SENSORS, "{sensors:?}");
    }
    let nothing = files.ask(&["--port", "9/udp"])?;
    ensure!(nothing.count()? == 0 && nothing.lines("source").is_empty(), "{nothing:?}");
    Ok(())
}

#[test]
fn what_not_all_rows_tell_sketches_do_or_it_is_a_bound() -> Result<()> {
    let files = Files::new()?;
    let path = files.file(0)?;
    // As a store does that had no room: two thirds of its rows are one.
    rewrite(&path, |lines| {
        let last = lines.pop();
        let rest = lines.split_off(lines.len() / 3);
        let packets: u64 = rest.iter().filter_map(|line| line["packets"].as_u64()).sum();
        let mut row = rest[0].clone();
        for key in ["source", "port", "protocol", "tool"] {
            row[key] = Value::Null;
        }
        (row["slot"], row["packets"]) = ("rest".into(), packets.into());
        lines.push(row);
        lines.extend(last.map(|mut last| {
            (last["summary"]["exact"], last["summary"]["set"]) = (false.into(), Value::Null);
            last
        }));
    })?;
    let (all, port) = (Known::of(&files.sent, None), Known::of(&files.sent, Some(8_080)));
    let answer = files.ask(&[])?;
    let total = answer.total()?;
    ensure!(total["basis"] == "sketches" && total["at_least"] == false, "{total}");
    ensure!(total["packets"] == all.packets, "what is summed up is in the sum: {total}");
    let error = total["error"].as_f64().context("no error")?;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let off = answer.count()? as f64 / all.sources.len() as f64 - 1.0;
    ensure!(off.abs() < 4.0 * error && error < 0.017, "off by {off}: {total}");

    let answer = files.ask(&["--port", "8080/tcp"])?;
    let total = answer.total()?;
    ensure!(total["basis"] == "bound" && total["at_least"] == true, "{total}");
    let known = total["named"].as_u64().context("no number of named ones")?;
    ensure!(answer.count()? == known && known < port.sources.len() as u64, "{total}");

    // A sketch of another key does not go with the others.
    rewrite(&path, |lines| {
        let last = lines.len() - 1;
        lines[last]["summary"]["sketch_key"] = "00".into();
    })?;
    let answer = files.ask(&[])?;
    let total = answer.total()?;
    ensure!(total["basis"] == "bound" && total["at_least"] == true, "{total}");
    ensure!(answer.count()? <= all.sources.len() as u64, "{total}");
    let notes: String = answer.lines("sensor").iter().map(|sensor| sensor["notes"].to_string()).collect();
    ensure!(notes.contains("another key"), "{notes}");
    Ok(())
}

#[test]
fn broken_and_missing_hours_are_named() -> Result<()> {
    let files = Files::new()?;
    let (cut, missing) = (files.file(1)?, files.file(2)?);
    let bytes = fs::read(&cut)?;
    fs::write(&cut, &bytes[..bytes.len() / 2])?;
    fs::remove_file(&missing)?;
    let answer = files.ask(&["--port", "23/tcp"])?;
    let total = answer.total()?;
    ensure!(total["silent"] == 1 && total["at_least"] == true, "{total}");
    ensure!(answer.count()? < Known::of(&files.sent, Some(23)).sources.len() as u64, "{total}");
    let [silent] = &answer.lines("silent")[..] else { anyhow::bail!("{answer:?}") };
    ensure!(silent["who"] == cut.display().to_string(), "{silent}");
    let notes: Vec<_> = answer.lines("sensor").iter().map(|sensor| sensor["notes"].to_string()).collect();
    ensure!(
        notes[0] == "[]" && notes[1].contains("no file of 1 of 2") && notes[2].contains("no file of 1 of 2"),
        "{notes:?}"
    );

    let nowhere = asked(&files.network, &["--files", "/nowhere"])?;
    ensure!(nowhere.code == 1 && nowhere.stderr.lines().count() == 1, "{nowhere:?}");
    ensure!(nowhere.stderr.contains("name a folder"), "{nowhere:?}");
    Ok(())
}

#[test]
fn duckdb_gives_the_same() -> Result<()> {
    check(Engine::duckdb(), "'flows/*.jsonl.gz'")
}

#[test]
fn clickhouse_gives_the_same() -> Result<()> {
    check(Engine::clickhouse(), "file('flows/*.jsonl.gz', JSONEachRow)")
}

/// The document's questions give the truth.
fn check(engine: Result<Engine, Missing>, from: &str) -> Result<()> {
    let engine = needs!(engine);
    let files = Files::new()?;
    let page = fs::read_to_string(workspace().join("docs/fleet-sources.md"))?;
    let questions: Vec<_> = page
        .split("```sql\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        // A table is ClickHouse's own, and is filled as it stands.
        .map(|question| {
            let is_table = question.contains("file(");
            if is_table { question.to_owned() } else { question.replace("'flows/*.jsonl.gz'", from) }
        })
        .collect();
    let [most, by_sensors, only, basis, table] = &questions[..] else {
        anyhow::bail!("{} questions", questions.len())
    };
    let known = Known::of(&files.sent, Some(23));
    let folder = files.folder.path();

    let found = engine.query(folder, most)?;
    ensure!(found.len() == 10, "{found:?}");
    for row in &found {
        let source: std::net::Ipv4Addr = row[0].parse()?;
        let (packets, sensors) = known.sources.get(&source.to_bits()).context("nobody sent that")?;
        ensure!(row[1..] == [sensors.len().to_string(), packets.to_string()], "{row:?}");
        ensure!(sensors.len() == SENSORS.len(), "{row:?}: others were seen by all");
    }
    let expected: Vec<Vec<String>> = (1..=SENSORS.len())
        .map(|many| {
            let of: Vec<_> = known.sources.values().filter(|(_, sensors)| sensors.len() == many).collect();
            let packets: u64 = of.iter().map(|(packets, _)| packets).sum();
            [many as u64, of.len() as u64, packets].map(|number| number.to_string()).to_vec()
        })
        .collect();
    let found = engine.query(folder, by_sensors)?;
    ensure!(found == expected, "{found:?}, not {expected:?}");
    let mut expected: Vec<(u64, &str)> = (0..SENSORS.len())
        .map(|sensor| {
            let alone = |sensors: &std::collections::BTreeSet<usize>| sensors.iter().eq([&sensor]);
            (known.sources.values().filter(|(_, sensors)| alone(sensors)).count() as u64, SENSORS[sensor])
        })
        .collect();
    expected.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let expected: Vec<_> =
        expected.iter().map(|(many, name)| vec![(*name).to_owned(), many.to_string()]).collect();
    let found = engine.query(folder, only)?;
    ensure!(found == expected, "{found:?}, not {expected:?}");
    let expected: Vec<_> = (0..SENSORS.len())
        .map(|sensor| {
            let packets: u64 =
                files.sent.iter().filter(|sent| sent.sensor == sensor).map(|sent| sent.packets).sum();
            vec![SENSORS[sensor].to_owned(), "2".to_owned(), packets.to_string(), "0".to_owned()]
        })
        .collect();
    let found = engine.query(folder, basis)?;
    ensure!(found == expected, "{found:?}, not {expected:?}");
    if from.starts_with("file(") {
        let packets: u64 = files.sent.iter().map(|sent| sent.packets).sum();
        let found =
            engine.query(folder, &format!("{};\nSELECT sum(packets) FROM flows", table.trim_end()))?;
        ensure!(found == [[packets.to_string()]], "{found:?}, not {packets}");
    }
    Ok(())
}
