//! A day of a /24's traffic through the store: what it takes, and how long questions take.
//!
//! `cargo test --release --package sensor-user --lib -- --ignored --nocapture a_day_of_a_network` prints the figures of
//! `docs/store.md`.

mod made;

use std::collections::HashMap;
use std::time::Instant;

use sensor_harness::engines::{Engine, questions};

use self::made::{QUARTERS, SCANS, Traffic, VICTIMS, begun, by_quarter, lists};
use super::*;
use crate::counters::names::slot_name;
use crate::sources::answer::Line;
use crate::sources::{self, AskEvents, AskSource, By, Register};

/// Packets of a second.
const RATE: i64 = 20;
/// Seconds of a day.
const DAY: i64 = 86_400;

/// CPU time of this thread, in seconds.
fn cpu() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills in the time, which lives as long as the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap()).as_secs_f64()
}

/// How many files by the hour there are, and how many bytes they have.
fn files(folder: &Path) -> (usize, u64) {
    let files = fs::read_dir(folder.join(FLOWS)).unwrap().flatten();
    files.fold((0, 0), |(count, size), file| (count + 1, size + file.metadata().unwrap().len()))
}

/// The hundred sources that sent most.
fn most(sums: &HashMap<Source, u64>) -> Vec<(u64, Source)> {
    let mut sums: Vec<_> = sums.iter().map(|(source, packets)| (*packets, *source)).collect();
    sums.sort_by(|(a, b), (c, d)| c.cmp(a).then(b.cmp(d)));
    sums.truncate(100);
    sums
}

fn timed<T>(what: &str, question: impl Fn() -> T) -> T {
    let start = Instant::now();
    let answer = question();
    println!("{what}: {:.3} s", start.elapsed().as_secs_f64());
    answer
}

#[test]
#[ignore = "takes minutes where it is not optimised: it measures"]
fn a_day_of_a_network_is_stored_and_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (mut database, stats) = open(&settings(folder.path()));
    let feed = Feed::new(&folder.path().join(DATABASE), Arc::clone(&stats));
    let sensor = Sensor { name: "a".to_owned(), region: String::new(), alias: None, prefixes: Vec::new() };
    let sensors = [NumberedSensor { number: SensorNumber(0), sensor }];
    feed.sensors(&sensors, None);
    let mut traffic = Traffic::new();
    let mut counting = counting::Counting::default();
    let (mut slots, mut truth) = (Slots::default(), HashMap::<(Source, SlotKind), u64>::new());
    let start = HOUR - 8 * 3_600;
    let (mut spent, mut longest) = (0.0, 0.0_f64);
    for minute in 0..=DAY / 60 {
        let now = start + 60 * minute;
        feed.counts(at(now), [("a", &slots)].into_iter());
        let before = cpu();
        let growth = feed
            .take_samples()
            .into_iter()
            .flat_map(|sample| counting.grow(sample, |name| database.known(name)).unwrap())
            .collect();
        let batch = feed.take();
        database.write(&mut Writing { number: minute + 1, batch, growth, summed_up: 0 }, at(now)).unwrap();
        database.tidy(at(now), true, &|| true).unwrap();
        let took = cpu() - before;
        (spent, longest) = (spent + took, longest.max(took));
        if minute < DAY / 60 {
            for event in begun(minute, now) {
                feed.event(event);
            }
            let packets: Vec<_> = (0..60 * RATE).map(|number| traffic.packet(now + number / RATE)).collect();
            let before = cpu();
            feed.observe(&packets);
            spent += cpu() - before;
            for packet in packets {
                slots.add(packet.slot.into(), 1, packet.length.into());
                *truth.entry((packet.source, packet.slot)).or_default() += 1;
            }
        }
    }
    database.tidy(at(start + DAY + 120), true, &|| true).unwrap();
    let (count, size) = files(folder.path());
    println!(
        "{} packets of {} sources",
        DAY * RATE,
        truth.keys().map(|key| key.0).collect::<HashSet<_>>().len()
    );
    println!("{} rows, {} bytes on disk, of which {size} in {count} files", stats.rows(), stats.bytes());
    assert_eq!(count, 24);
    println!("{spent:.1} s of CPU, the longest minute {longest:.3} s");

    let mut by_source: HashMap<Source, u64> = HashMap::new();
    let mut by_slot: HashMap<u32, u64> = HashMap::new();
    for (&(source, slot), packets) in &truth {
        *by_source.entry(source).or_default() += packets;
        *by_slot.entry(Slot::from(slot).index()).or_default() += packets;
    }
    let (busiest, of_busiest) = by_slot.into_iter().max_by_key(|(_, packets)| *packets).unwrap();
    let busiest = Slot::describe(busiest).unwrap();
    let of_port = truth.iter().filter(|((_, slot), _)| *slot == busiest);
    let of_port: HashMap<Source, u64> = of_port.map(|(&(source, _), &packets)| (source, packets)).collect();
    let told =
        |found: &TopSources| -> Vec<_> { found.rows.iter().map(|row| (row.packets, row.source)).collect() };
    let reader = Reader::new(&folder.path().join(DATABASE));
    let ask = Ask::of(at(start), at(start + DAY));
    let found = timed("the top 100 sources of the day", || reader.sources(&ask).unwrap());
    assert_eq!(told(&found), most(&by_source));
    assert_eq!(found.basis.sources, by_source.len() as u64);
    let port = Ask { slot: Some(busiest), ..ask.clone() };
    let found = timed("of the busiest port", || reader.sources(&port).unwrap());
    assert_eq!((told(&found), found.basis.packets), (most(&of_port), of_busiest));
    let tool = Ask { tool: Some(Tool::Mirai), ..ask.clone() };
    timed("of one tool", || reader.sources(&tool).unwrap());
    let hour = Ask::of(at(start + DAY - 3_600), at(start + DAY));
    timed("of one hour", || reader.sources(&hour).unwrap());
    let (heaviest, packets) = (most(&by_source)[0].1, most(&by_source)[0].0);
    let all = Ask { most: 100_000, ..ask.clone() };
    let (rows, basis) =
        timed("all that the heaviest did", || reader.source(heaviest.prefix(), &all).unwrap());
    assert_eq!((basis.packets, rows.iter().map(|row| row.packets).sum::<u64>()), (packets, packets));
    let (what, _) = timed("by slot", || reader.what(heaviest, &all).unwrap());
    assert_eq!(what.iter().map(|what| what.packets).sum::<u64>(), packets);
    timed("all of a /24", || reader.source(heaviest.network(), &all).unwrap());
    let newest = timed("the newest scans", || reader.events(EventKind::Scan, None, &ask).unwrap());
    assert_eq!(newest.len(), ask.most);
    let counted = timed("a port by the minute", || counted(&reader, Some(busiest), Step::Minute, start));
    assert_eq!(counted, of_busiest);
    let all_counted = timed("all by the hour", || self::counted(&reader, None, Step::Hour, start));
    assert_eq!(all_counted, (DAY * RATE).unsigned_abs());
    let lists_folder = tempfile::tempdir().unwrap();
    let register = Register::new(&lists(lists_folder.path()), &sensors).unwrap();
    register.keep_in(Some(feed));
    people_ask_where_from(&register, start, by_quarter(&by_source));
    people_ask_for_events(&register, start);
    let (by_source, of_port) = (most(&by_source), most(&of_port));
    people_ask(&register, start, (&by_source, &of_port), busiest);
    timed("all that a start reads of a day", || reader.hours("a", &all, |_| {}).unwrap());
    the_files_say_the_same(folder.path(), &register, start, (busiest, heaviest));
}

/// Packets that the store says were counted that day.
fn counted(reader: &Reader, of: Option<SlotKind>, step: Step, start: i64) -> u64 {
    let slots = of.map(Slot::from).map(|slot| slot.index()..=slot.index());
    let ask = AskCounted { sensor: Some("a"), slots, step, from: at(start), to: at(start + DAY) };
    reader.counts(&ask).unwrap().1.iter().map(|count| count.packets).sum()
}

/// Sources with their packets, the heaviest first.
type Ranking = [(u64, Source)];

/// The questions of `docs/store.md` give in DuckDB, of the day's files as they are, what `sensor sources` and `sensor source` give:
/// about the busiest port, the heaviest source, and all ports.
fn the_files_say_the_same(folder: &Path, register: &Register, start: i64, about: (SlotKind, Source)) {
    let (busiest, heaviest) = about;
    let duckdb = Engine::duckdb().unwrap();
    let query = |what: &str, question: &str| timed(what, || duckdb.query(folder, question).unwrap());
    let [most, one, ports] = questions().unwrap();
    let (from, to) = (Some(at(start)), Some(at(start + DAY)));
    let ask = sources::Ask { from, to, ..sources::Ask::default() };
    let of_port = |slot: String| {
        let ask = sources::Ask { slot: Some(slot), limit: 10, ..ask.clone() };
        register.sources(&ask).unwrap()
    };

    let found = query("DuckDB: who sent most to a port", &most.replace("23/tcp", &slot_name(busiest)));
    let row = |line| match line {
        Line::Source(row) => Some((row.source, row.packets.to_string())),
        _ => None,
    };
    let told: Vec<_> = of_port(slot_name(busiest)).into_iter().filter_map(row).collect();
    // The commands do not say bytes of a port: the database does.
    let port = Ask { slot: Some(busiest), most: 10, ..Ask::of(at(start), at(start + DAY)) };
    let stored = Reader::new(&folder.join(DATABASE)).sources(&port).unwrap().rows;
    let stored: Vec<_> = stored
        .iter()
        .map(|row| [row.source.to_string(), row.packets.to_string(), row.bytes.to_string(), "1".to_owned()])
        .collect();
    assert_eq!(found, stored);
    let found: Vec<_> = found.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!((found.len(), &found), (10, &told));

    let found = query("DuckDB: what a source did", &one.replace("203.0.113.9", &heaviest.to_string()));
    let answer = register.source(&AskSource { source: heaviest, from, to }).unwrap();
    let mut rows = answer.into_iter().filter_map(|line| match line {
        Line::Did(did) => did.row,
        _ => None,
    });
    let (row, more) = (rows.next().unwrap(), rows.next());
    assert!(more.is_none());
    let did = row.did.unwrap();
    let sum = |counted: usize, of: &dyn Fn(&[String]) -> bool| -> u64 {
        found.iter().filter(|row| of(row)).map(|row| row[counted].parse::<u64>().unwrap()).sum()
    };
    let (slot, tool, packets, bytes) = (2, 3, 4, 5);
    assert_eq!((sum(packets, &|_| true), sum(bytes, &|_| true)), (row.packets, did.bytes));
    for to in &did.ports {
        assert_eq!(sum(packets, &|row| row[slot] == to.slot), to.packets, "{}", to.slot);
    }
    let is_named = |row: &[String]| did.ports.iter().any(|to| to.slot == row[slot]);
    assert_eq!(sum(packets, &|row| !is_named(row)), did.elsewhere);
    assert!(!did.tools.is_empty() && did.elsewhere > 0);
    for by in &did.tools {
        assert_eq!(sum(packets, &|row| row[tool] == by.name), by.packets, "{}", by.name);
    }

    let found = query("DuckDB: which ports most sources send to", &ports);
    assert_eq!(found.len(), 10);
    let by_sources = sources::Ask { by: By::Port, order_by_sources: true, limit: 10, ..ask.clone() };
    let to_a_port = |line| if let Line::Part(row) = line { Some(row) } else { None };
    let what = "sensor sources --by port --order-by-sources";
    let told = timed(what, || register.sources(&by_sources).unwrap());
    let mut told: Vec<_> = told.into_iter().filter_map(to_a_port).collect();
    // Of ports with as many sources the question goes by their names.
    told.sort_by(|a, b| b.sources.count.cmp(&a.sources.count).then_with(|| a.of.cmp(&b.of)));
    let told: Vec<_> = told
        .into_iter()
        .map(|row| [row.of, row.sources.count.to_string(), row.packets.to_string()])
        .collect();
    assert_eq!(found, told);
    for row in found {
        let total = of_port(row[0].clone()).into_iter().find_map(|line| match line {
            Line::Total(total) => Some(total),
            _ => None,
        });
        let total = total.unwrap();
        assert!(total.sources.exact);
        assert_eq!(row[1..], [total.sources.count.to_string(), total.packets.to_string()], "{row:?}");
    }
}

/// Countries and autonomous systems have what their quarter has sent.
fn people_ask_where_from(register: &Register, start: i64, quarters: [u64; 4]) {
    let (from, to) = (Some(at(start)), Some(at(start + DAY)));
    let ask = |what: &str, by| -> HashMap<String, u64> {
        let ask = sources::Ask { from, to, by, ..sources::Ask::default() };
        let lines = timed(what, || register.sources(&ask).unwrap());
        let part = |line| if let Line::Part(row) = line { Some((row.of, row.packets)) } else { None };
        lines.into_iter().filter_map(part).collect()
    };
    let named = |name: fn((&str, &str, u32)) -> String| -> HashMap<String, u64> {
        let names = QUARTERS.map(name).into_iter().chain(["unknown".to_owned()]);
        names.zip(quarters).collect()
    };
    let countries = ask("sensor sources --by country", By::Country);
    assert_eq!(countries, named(|(_, letters, _)| letters.to_owned()));
    let systems = ask("sensor sources --by as", By::As);
    assert_eq!(systems, named(|(_, _, number)| number.to_string()));
}

/// All scans and victims of the day are told.
fn people_ask_for_events(register: &Register, start: i64) {
    let ask = AskEvents { from: Some(at(start)), to: Some(at(start + DAY)), ..AskEvents::default() };
    let of_day = |in_minute: u32| usize::try_from(DAY / 60).unwrap() * in_minute as usize;
    let scans = timed("sensor scans", || register.scans(&ask).unwrap());
    assert_eq!(scans.iter().filter(|line| matches!(line, Line::Scan(_))).count(), of_day(SCANS));
    let victims = timed("sensor victims", || register.victims(&ask).unwrap());
    assert_eq!(victims.iter().filter(|line| matches!(line, Line::Victim(_))).count(), of_day(VICTIMS));
}

/// As people ask it, of a time before all that is in memory.
fn people_ask(
    register: &Register,
    start: i64,
    (by_source, of_port): (&Ranking, &Ranking),
    busiest: SlotKind,
) {
    let (from, to) = (Some(at(start)), Some(at(start + DAY)));
    let told = |lines: Vec<Line>| -> Vec<(u64, String)> {
        let row = |line| match line {
            Line::Source(row) => Some((row.packets, row.source)),
            Line::Part(row) => Some((row.packets, row.of)),
            _ => None,
        };
        lines.into_iter().filter_map(row).collect()
    };
    let named = |most: &[(u64, Source)]| -> Vec<(u64, String)> {
        most.iter().map(|(packets, source)| (*packets, source.to_string())).collect()
    };
    let ask = |what: &str, by, slot: Option<SlotKind>| {
        let ask =
            sources::Ask { from, to, by, slot: slot.map(slot_name), limit: 100, ..sources::Ask::default() };
        timed(what, || told(register.sources(&ask).unwrap()))
    };
    assert_eq!(ask("sensor sources", By::Source, None), named(by_source));
    assert_eq!(ask("sensor sources --port", By::Source, Some(busiest)), named(of_port));
    ask("sensor sources --by network", By::Network, None);
    let ports = ask("sensor sources --by port", By::Port, None);
    assert_eq!(ports[0].1, slot_name(busiest));
    let source = AskSource { source: by_source[0].1, from, to };
    timed("sensor source", || register.source(&source).unwrap());
}
