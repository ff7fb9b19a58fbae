//! The store as a whole, without an agent.

mod bounds;
mod day;
mod events;

use std::collections::HashSet;
use std::fs;
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::GzDecoder;
use jiff::Timestamp;
use sensor_common::layout::side::Tool;
use sensor_common::layout::{Slot, SlotKind};
use serde_json::{Value, json};

use super::database::Writing;
use super::feed::Batch;
use super::gather::Gathered;
use super::place::{DATABASE, FLOWS};
use super::*;
use crate::config::{NumberedSensor, Sensor, SensorNumber, Store};
use crate::counters::Slots;
use crate::sources::{Observation, Position, Source};

/// When the tests' hour begins: 2026-05-10T08:00:00Z.
const HOUR: i64 = 494_000 * 3_600;

/// A SYN from an address to a TCP port, so many seconds after 1970.
pub(crate) fn observation(from: Ipv4Addr, port: u16, seconds: i64) -> Observation {
    Observation {
        time: Timestamp::from_second(seconds).unwrap(),
        sensor: SensorNumber(0),
        source: Source::V4(from),
        address: from.into(),
        destination: Ipv4Addr::new(198, 51, 100, 7).into(),
        slot: SlotKind::Tcp(port),
        tool: Some(Tool::Mirai),
        kind: None,
        tuple: None,
        reply: None,
        is_constituents: false,
        length: 60,
        missed: 0,
        lost: 0,
        before: Timestamp::from_second(seconds).unwrap(),
    }
}

fn settings(path: &Path) -> Store {
    Store { path: path.to_owned(), ..Store::default() }
}

fn open(settings: &Store) -> (Database, Arc<Stats>) {
    let stats = Arc::default();
    (Database::open(settings, &stats).unwrap(), stats)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// What a sensor has observed, to be written under this number.
fn writing(number: i64, sensor: &str, observations: &[Observation]) -> Writing {
    let mut gathered = Gathered::default();
    for observation in observations {
        gathered.add(0, observation);
    }
    let batch = Batch { names: vec![sensor.to_owned()], gathered, ..Batch::default() };
    Writing { number, batch, ..Writing::default() }
}

fn day(sensor: Option<&str>) -> Ask {
    let ask = Ask::of(at(HOUR - 8 * 3_600), at(HOUR + 16 * 3_600));
    Ask { sensor: sensor.map(str::to_owned), ..ask }
}

const A: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
const B: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);

#[test]
fn what_is_written_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut database, stats) = open(&settings(folder.path()));
    let six = Observation {
        source: "2001:db8:1:2::/64".parse().unwrap(),
        slot: SlotKind::Udp(53),
        tool: None,
        missed: 4,
        ..observation(A, 0, HOUR + 3_600)
    };
    let first = [observation(A, 23, HOUR), observation(A, 23, HOUR + 5), observation(B, 80, HOUR + 9), six];
    database.write(&mut writing(1, "a", &first), at(HOUR + 60)).unwrap();
    database.write(&mut writing(2, "a", &[observation(A, 23, HOUR + 7)]), at(HOUR + 120)).unwrap();
    database.write(&mut writing(3, "b", &[observation(B, 23, HOUR + 8)]), at(HOUR + 180)).unwrap();
    let reader = Reader::new(&folder.path().join(DATABASE));
    let found = reader.sources(&day(None)).unwrap();
    let told: Vec<_> = found.rows.iter().map(|row| (row.source.to_string(), row.packets)).collect();
    let six = "2001:db8:1:2::/64".to_owned();
    assert_eq!(told, [(A.to_string(), 3), (B.to_string(), 2), (six, 1)]);
    let row = &found.rows[0];
    assert_eq!((row.bytes, row.first, row.last), (180, at(HOUR), at(HOUR + 7)));
    let what = What { slot: SlotKind::Tcp(23), tool: Some(Tool::Mirai), packets: 3 };
    assert_eq!(reader.what(row.source, &day(None)).unwrap(), (vec![what], 1));
    assert_eq!(reader.what(Source::V4(B), &day(Some("b"))).unwrap().1, 1);
    assert_eq!(reader.what(Source::V4(B), &day(None)).unwrap().1, 2);
    let Basis { sources, packets, observed, missed, rest, oldest, .. } = found.basis;
    assert_eq!((sources, packets, observed, missed, rest), (3, 6, 6, 4, 0));
    assert_eq!((oldest, found.basis.share()), (Some(at(HOUR)), 0.6));

    let ask = Ask { slot: Some(SlotKind::Tcp(23)), ..day(Some("a")) };
    let found = reader.sources(&ask).unwrap();
    assert_eq!(found.rows.iter().map(|row| row.packets).collect::<Vec<_>>(), [3]);
    let ask = Ask { tool: Some(Tool::Zmap), ..day(None) };
    assert_eq!(reader.sources(&ask).unwrap().rows, []);
    assert_eq!(reader.sources(&day(Some("nobody"))).unwrap().basis.observed, 0);
    let ask = Ask { most: 1, ..day(None) };
    let found = reader.sources(&ask).unwrap();
    assert_eq!((found.rows.len(), found.rows[0].packets, found.basis.sources), (1, 3, 3));
    // The hour of a time is part of what is asked for.
    let ask = Ask::of(at(HOUR + 1_800), at(HOUR + 1_801));
    assert_eq!(reader.sources(&ask).unwrap().basis.packets, 5);
    let ask = Ask::of(at(HOUR + 3_600), at(HOUR + 7_200));
    assert_eq!(reader.sources(&ask).unwrap().basis.packets, 1);

    let (rows, basis) = reader.source("203.0.113.8/29".parse().unwrap(), &day(None)).unwrap();
    let told: Vec<_> = rows.iter().map(|row| (&*row.sensor, row.source, row.slot, row.packets)).collect();
    let (a, b) = (Source::V4(A), Source::V4(B));
    let expected =
        [("a", a, SlotKind::Tcp(23), 3), ("a", b, SlotKind::Tcp(80), 1), ("b", b, SlotKind::Tcp(23), 1)];
    assert_eq!((told, basis.sources, basis.packets), (expected.to_vec(), 2, 5));
    let (rows, _) = reader.source("2001:db8:1:2:3::4/128".parse().unwrap(), &day(None)).unwrap();
    assert_eq!((rows.len(), rows[0].slot), (1, SlotKind::Udp(53)));
    assert_eq!(stats.rows(), 4);
    assert!(stats.bytes() > 40_000 && !stats.fails());
}

#[test]
fn nothing_is_written_twice() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (mut database, _) = open(&settings);
    let mut once = writing(1, "a", &[observation(A, 23, HOUR)]);
    database.write(&mut once, at(HOUR)).unwrap();
    // As if it had been said to have failed.
    drop(database);
    let (mut database, _) = open(&settings);
    database.write(&mut once, at(HOUR)).unwrap();
    let found = Reader::new(&folder.path().join(DATABASE)).sources(&day(None)).unwrap();
    assert_eq!(found.basis.packets, 1);
}

#[test]
fn how_far_records_had_come_is_stored_with_what_they_told() {
    let folder = tempfile::tempdir().unwrap();
    let (mut database, _) = open(&settings(folder.path()));
    let feed = Feed::new(&folder.path().join(DATABASE), Arc::default());
    let sensor = Sensor { name: "a".to_owned(), region: String::new(), alias: None, prefixes: Vec::new() };
    let sensors = [NumberedSensor { number: SensorNumber(0), sensor }];
    feed.sensors(&sensors, Some("x"));
    let position = |cpu, number| Position { sensor: SensorNumber(0), cpu, number, skipped: 2, is_old: false };
    feed.observe(&[observation(A, 23, HOUR)]);
    feed.reached(&[position(0, 7), position(1, 8)]);
    feed.reached(&[position(0, 9), Position { sensor: SensorNumber(5), ..position(0, 1) }]);
    let batch = feed.take();
    database.write(&mut Writing { number: 1, batch, ..Writing::default() }, at(HOUR)).unwrap();
    database.write(&mut Writing { number: 2, batch: feed.take(), ..Writing::default() }, at(HOUR)).unwrap();
    let reader = feed.reader();
    let reached = |life, then| reader.reached(&sensors, life, at(then)).unwrap();
    assert_eq!(reached("x", HOUR), [position(0, 9), position(1, 8)]);
    assert_eq!(reached("y", HOUR), [], "others begin anew");
    assert!(reached("x", HOUR + 1).iter().all(|position| position.is_old), "that was long ago");
}

#[test]
fn a_full_hour_has_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (mut database, _) = open(&settings(folder.path()));
    let six =
        Observation { source: "2001:db8:1:2::/64".parse().unwrap(), tool: None, ..observation(B, 80, HOUR) };
    let observations = [observation(A, 23, HOUR + 1), observation(A, 23, HOUR + 61), six];
    database.write(&mut writing(1, "a", &observations), at(HOUR + 3_500)).unwrap();
    let path = folder.path().join(FLOWS).join("flows-a-20260510T08Z.jsonl.gz");
    database.tidy(at(HOUR + 3_600 + 119), true, &|| true).unwrap();
    assert!(!path.exists(), "what was seen at the end may not be written yet");
    database.tidy(at(HOUR + 3_600 + 120), true, &|| true).unwrap();
    let read = || -> Vec<Value> {
        let mut text = String::new();
        GzDecoder::new(fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let hour = "2026-05-10T08:00:00Z";
    let a = json!({"hour": hour, "sensor": "a", "source": "203.0.113.9", "slot": "23/tcp", "protocol": "tcp",
        "port": 23, "tool": "mirai", "packets": 2, "bytes": 120, "first": "2026-05-10T08:00:01Z",
        "last": "2026-05-10T08:01:01Z", "summary": null});
    let b = json!({"hour": hour, "sensor": "a", "source": "2001:db8:1:2::/64", "slot": "80/tcp", "protocol": "tcp",
        "port": 80, "tool": null, "packets": 1, "bytes": 60, "first": hour, "last": hour, "summary": null});
    let window = json!({"length": 3600, "observed": 3, "missed": 0, "sources": 2, "exact": true,
        "set": ["2001:db8:1:2::/64", "203.0.113.9"], "sketch": null, "sketch_precision": null,
        "sketch_key": null, "no_sketch": "no sketch_key_file of [sources] was there for the whole hour, or the store could not be read at a start in it"});
    let last = |summary: &Value| {
        json!({"hour": hour, "sensor": "a", "source": null, "slot": "summary", "protocol": null, "port": null,
            "tool": null, "packets": null, "bytes": null, "first": null, "last": null, "summary": summary})
    };
    assert_eq!(read(), [a.clone(), b.clone(), last(&window)]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);

    // What comes late is in the file too, and so is a sketch.
    let sketch = [&[0; 7][..], &[0xa, 2], &[0, 255, 1, 16]].concat();
    let mut late = writing(2, "a", &[observation(A, 23, HOUR + 62)]);
    late.batch.windows.push(Window {
        length: 3_600,
        start: at(HOUR),
        sensor: "a".to_owned(),
        slot: None,
        packets: 4,
        sources: 2,
        exact: false,
        sketch,
    });
    database.write(&mut late, at(HOUR + 3_800)).unwrap();
    database.tidy(at(HOUR + 3_800), true, &|| true).unwrap();
    let lines = read();
    assert_eq!((lines.len(), &lines[0]["packets"]), (3, &json!(3)));
    let window = json!({"length": 3600, "observed": 4, "missed": 0, "sources": 2, "exact": true,
        "set": ["2001:db8:1:2::/64", "203.0.113.9"], "sketch": "00ff0110", "sketch_precision": 2,
        "sketch_key": "000000000000000a", "no_sketch": null});
    assert_eq!(lines[2], last(&window));
    // One that comes after its hour has its file is in it too.
    let window = |packets| Window { packets, ..late.batch.windows[0].clone() };
    for (number, packets) in [(3, 4), (4, 5)] {
        fs::remove_file(&path).unwrap();
        let batch = Batch { windows: vec![window(packets)], ..Batch::default() };
        database.write(&mut Writing { number, batch, ..Writing::default() }, at(HOUR + 3_900)).unwrap();
        database.tidy(at(HOUR + 3_900), true, &|| true).unwrap();
        assert_eq!(path.exists(), packets == 5, "only what is another one is written again");
        fs::write(&path, "").unwrap();
    }
    assert_eq!(fs::read_dir(folder.path().join(FLOWS)).unwrap().count(), 1);
}

#[test]
fn counts_go_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let mut slots = Slots::default();
    let mut number = 0;
    let mut sample =
        |database: &mut Database, counting: &mut counting::Counting, time: i64, slots: &Slots| {
            let feed = Feed::new(Path::new("nowhere"), Arc::default());
            feed.sensors(&[], Some(if time < HOUR + 10_000 { "a" } else { "b" }));
            assert!(feed.wants_counts(at(time)));
            feed.counts(at(time), [("a", slots)].into_iter());
            assert!(!feed.wants_counts(at(time)));
            let sample = feed.take_samples().pop().unwrap();
            let growth = counting.grow(sample, |name| database.known(name)).unwrap();
            number += 1;
            database.write(&mut Writing { number, growth, ..Writing::default() }, at(time)).unwrap();
        };
    let (mut database, _) = open(&settings);
    let mut counting = counting::Counting::default();
    slots.add(Slot::tcp(23), 100, 6_000);
    sample(&mut database, &mut counting, HOUR + 1, &slots);
    slots.add(Slot::tcp(23), 5, 300);
    slots.add(Slot::udp(53), 1, 90);
    sample(&mut database, &mut counting, HOUR + 62, &slots);
    slots.add(Slot::tcp(23), 2, 120);
    drop(database);
    let (mut database, _) = open(&settings);
    sample(&mut database, &mut counting::Counting::default(), HOUR + 121, &slots);
    slots.add(Slot::tcp(23), 7, 420);
    drop(database);
    // Two hours later.
    let (mut database, _) = open(&settings);
    sample(&mut database, &mut counting::Counting::default(), HOUR + 7_321, &slots);
    let reader = Reader::new(&folder.path().join(DATABASE));
    let range = (at(HOUR), at(HOUR + 10_000));
    let asked = |slots: Option<RangeInclusive<u32>>, step, (from, to)| {
        reader.counts(&AskCounted { sensor: Some("a"), slots, step, from, to }).unwrap()
    };
    let counts = |of: Option<Slot>, step| -> Vec<(i64, u64, u64)> {
        let (_, counts, _) = asked(of.map(|slot| slot.index()..=slot.index()), step, range);
        assert!(counts.iter().all(|it| it.sensor == "a" && it.more == 0));
        counts.iter().map(|it| (it.time.as_second() - HOUR, it.packets, it.bytes)).collect()
    };
    let telnet = Some(Slot::tcp(23));
    assert_eq!(counts(telnet, Step::Minute), [(0, 5, 300), (60, 2, 120), (7_260, 7, 420)]);
    assert_eq!(counts(telnet, Step::Hour), [(0, 7, 420), (7_200, 7, 420)]);
    assert_eq!(counts(None, Step::Hour), [(0, 8, 510), (7_200, 7, 420)]);
    assert_eq!(counts(Some(Slot::tcp(80)), Step::Hour), [(0, 0, 0), (7_200, 0, 0)]);
    let over_time = |name, of: Slot, step| -> Vec<(i64, Option<u64>)> {
        let slots = of.index()..=of.index();
        let times = reader.over_time(name, &slots, step, range).unwrap();
        times.into_iter().map(|(time, packets)| (time.as_second() - HOUR, packets)).collect()
    };
    for name in [Some("a"), None] {
        let minutes = over_time(name, Slot::tcp(23), Step::Minute);
        assert_eq!(minutes, [(0, Some(5)), (60, Some(2)), (7_260, Some(7))]);
        assert_eq!(over_time(name, Slot::tcp(80), Step::Hour), [(0, Some(0)), (7_200, Some(0))]);
    }
    assert_eq!(over_time(Some("c"), Slot::tcp(23), Step::Hour), []);
    let (oldest, all, gaps) = asked(Some(0..=Slot::udp(65_535).index()), Step::Hour, range);
    assert_eq!((oldest, all), (Some(at(HOUR)), asked(None, Step::Hour, range).1), "of all ports");
    let gaps: Vec<_> = gaps.iter().map(|gap| (gap.start, gap.end, gap.packets)).collect();
    assert_eq!(gaps, [(at(HOUR + 121), at(HOUR + 7_321), 7)]);
    // The host was booted: others count, and have counted more.
    drop(database);
    let (mut database, _) = open(&settings);
    slots.add(Slot::tcp(23), 100, 6_000);
    sample(&mut database, &mut counting::Counting::default(), HOUR + 10_870, &slots);
    let range = (at(HOUR + 10_800), at(HOUR + 14_400));
    let (_, counted, _) = asked(Some(23..=23), Step::Hour, range);
    assert_eq!(counted.iter().map(|it| it.packets).collect::<Vec<_>>(), [214]);
    // Minutes are kept for two days, hours longer.
    database.tidy(at(HOUR + 60 + 48 * 3_600), true, &|| true).unwrap();
    assert_eq!(counts(telnet, Step::Minute).len(), 2);
    assert_eq!(counts(telnet, Step::Hour).len(), 2);
}

#[test]
fn windows_are_found_with_their_sketches() {
    let folder = tempfile::tempdir().unwrap();
    let (mut database, _) = open(&settings(folder.path()));
    let window = |sources, slot| Window {
        length: 86_400,
        start: at(HOUR - 8 * 3_600),
        sensor: "a".to_owned(),
        slot,
        packets: 10,
        sources,
        exact: true,
        sketch: vec![1, 2, 3],
    };
    let feed = Feed::new(Path::new("nowhere"), Arc::default());
    let telnet = Some(Slot::tcp(23));
    for window in [window(3, None), window(2, telnet), window(5, None)] {
        feed.window(window);
    }
    let batch = feed.take();
    database.write(&mut Writing { number: 1, batch, ..Writing::default() }, at(HOUR)).unwrap();
    let reader = Reader::new(&folder.path().join(DATABASE));
    let range = (at(HOUR - 9 * 3_600), at(HOUR));
    assert_eq!(reader.windows("a", None, 86_400, range).unwrap(), [window(5, None)]);
    assert_eq!(reader.windows("a", telnet, 86_400, range).unwrap(), [window(2, telnet)]);
    assert_eq!(reader.windows("a", telnet, 3_600, range).unwrap(), []);
}

#[test]
fn packets_without_room_are_counted_once_though_it_is_written_at_the_second_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Store { max_size: 1, ..settings(folder.path()) };
    let (mut database, stats) = open(&settings);
    let mut once = writing(1, "a", &[observation(A, 23, HOUR), observation(B, 23, HOUR)]);
    let other = rusqlite::Connection::open(folder.path().join(DATABASE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    database.write(&mut once, at(HOUR)).unwrap_err();
    other.execute_batch("ROLLBACK").unwrap();
    database.write(&mut once, at(HOUR)).unwrap();
    assert_eq!(stats.refused(Refused::Size), 2);
}

#[test]
fn a_database_that_was_replaced_is_not_written_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let (mut database, _) = open(&settings);
    database.write(&mut writing(1, "a", &[observation(A, 23, HOUR)]), at(HOUR)).unwrap();
    let path = folder.path().join(DATABASE);
    fs::copy(&path, folder.path().join("copy")).unwrap();
    fs::rename(folder.path().join("copy"), &path).unwrap();
    let error = database.write(&mut writing(2, "a", &[observation(A, 23, HOUR)]), at(HOUR)).unwrap_err();
    assert!(error.to_string().contains("somebody has removed or replaced"), "{error}");
}

#[test]
fn a_question_that_takes_too_long_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (mut database, _) = open(&settings(folder.path()));
    let observations: Vec<_> =
        (0..50_000).map(|number| observation(Ipv4Addr::from(number), 23, HOUR)).collect();
    database.write(&mut writing(1, "a", &observations), at(HOUR)).unwrap();
    let reader = Reader::new(&folder.path().join(DATABASE)).within(Duration::ZERO);
    let error = reader.sources(&day(None)).unwrap_err().to_string();
    assert!(error.contains("the answer takes too long"), "{error}");
}

#[test]
fn only_its_owner_and_group_may_read_it() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a").join("b");
    let settings = settings(&path);
    let (mut database, _) = open(&settings);
    database.write(&mut writing(1, "a", &[observation(A, 23, HOUR)]), at(HOUR)).unwrap();
    let mode = |name: &str| fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777;
    let modes = ["", FLOWS].map(mode);
    assert_eq!(modes, [0o750; 2]);
    assert_eq!(["sensor.db", "sensor.db-wal", "sensor.db-shm", "sensor.db.lock"].map(mode), [0o640; 4]);
    let error = Database::open(&settings, &Arc::default()).unwrap_err().to_string();
    assert!(error.contains("another agent keeps its store in"), "{error}");
    drop(database);
    drop(open(&settings));
}

/// A second restart knows of the break that the first was.
#[test]
fn an_hour_that_was_watched_with_a_break_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader::new(&folder.path().join(DATABASE));
    let sensor = |name: &str| NumberedSensor {
        number: SensorNumber(0),
        sensor: Sensor { name: name.to_owned(), region: String::new(), alias: None, prefixes: Vec::new() },
    };
    let mut number = 0;
    let mut write = |name: &str, feed: Feed| {
        number += 1;
        let batch = feed.take();
        let (mut database, _) = open(&settings(folder.path()));
        database.write(&mut Writing { number, batch, ..Writing::default() }, at(HOUR)).unwrap();
        let hours = reader.hours(name, &Ask::of(at(HOUR), at(HOUR + 1)), |_| {}).unwrap();
        hours[0].broken
    };
    let feed = |name: &str, times: RangeInclusive<i64>| {
        let feed = Feed::new(Path::new("nowhere"), Arc::default());
        feed.sensors(&[sensor(name)], None);
        times.for_each(|second| feed.attend(at(HOUR + second)));
        feed
    };
    assert!(!write("a", feed("a", 0..=600)));
    assert!(!write("a", feed("a", 660..=700)), "no longer than a break may be");
    assert!(write("a", feed("a", 1_000..=1_100)));
    assert!(write("a", feed("a", 1_101..=1_200)), "it stays so");
    let of_two = feed("b", 0..=10);
    of_two.attend(at(HOUR + 200));
    assert!(write("b", of_two), "a break before it was written");
    let doubted = feed("c", 0..=10);
    doubted.doubt(at(HOUR - 3_600), at(HOUR + 10));
    assert!(write("c", doubted));
}
