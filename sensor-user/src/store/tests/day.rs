//! A day of a /24's traffic through the store: what it takes, and how long questions take.
//!
//! `cargo test --release --package sensor-user --lib -- --ignored --nocapture a_day_of_a_network` prints the figures of
//! `docs/store.md`.

use std::collections::HashMap;
use std::time::Instant;

use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Zipf};
use rand_xoshiro::Xoshiro256PlusPlus;
use sensor_common::layout::side::Tool;

use super::*;
use crate::config::Sources;
use crate::counters::names::slot_name;
use crate::sources::answer::Line;
use crate::sources::{self, AskSource, By, Register};

/// Packets of a second.
const RATE: i64 = 20;
/// Sources of the day: the first send most.
const SOURCES: f64 = 60_000.0;
/// Of them, those that send to any port; each of the others sends to one.
const SCANNERS: u32 = 300;
/// Seconds of a day.
const DAY: i64 = 86_400;

/// CPU time of this thread, in seconds.
fn cpu() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills in the time, which lives as long as the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap()).as_secs_f64()
}

/// Makes packets: few sources send most, few ports take most, and some scan all ports.
struct Traffic {
    random: Xoshiro256PlusPlus,
    sources: Zipf<f64>,
    ports: Zipf<f64>,
}

impl Traffic {
    fn new() -> Self {
        Self {
            random: Xoshiro256PlusPlus::seed_from_u64(24),
            sources: Zipf::new(SOURCES, 1.1).unwrap(),
            ports: Zipf::new(65_535.0, 1.0).unwrap(),
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ranks are small numbers")]
    fn packet(&mut self, second: i64) -> Observation {
        let rank = self.sources.sample(&mut self.random) as u32;
        // Ports in an order of their own, and addresses all over the Internet.
        let number = if rank <= SCANNERS {
            self.ports.sample(&mut self.random) as u32
        } else {
            let mut own = Xoshiro256PlusPlus::seed_from_u64(rank.into());
            self.ports.sample(&mut own) as u32
        };
        let port = (number.wrapping_mul(40_503) >> 3) as u16;
        let tool = Tool::ALL[rank as usize % Tool::ALL.len()];
        let time = at(second) + Duration::from_millis(self.random.random_range(0..1_000));
        let source = Ipv4Addr::from(rank.wrapping_mul(2_654_435_761));
        Observation { time, tool: Some(tool), ..observation(source, port, second) }
    }
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
    let files = fs::read_dir(folder.path().join(FLOWS)).unwrap().flatten();
    let (count, size) =
        files.fold((0, 0), |(count, size), file| (count + 1, size + file.metadata().unwrap().len()));
    println!(
        "{} packets of {} sources",
        DAY * RATE,
        truth.keys().map(|key| key.0).collect::<HashSet<_>>().len()
    );
    println!("{} rows, {} bytes on disk, of which {size} in {count} files", stats.rows(), stats.bytes());
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
    let most = |sums: &HashMap<Source, u64>| {
        let mut sums: Vec<_> = sums.iter().map(|(source, packets)| (*packets, *source)).collect();
        sums.sort_by(|(a, b), (c, d)| c.cmp(a).then(b.cmp(d)));
        sums.truncate(100);
        sums
    };
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
    timed("scans", || reader.events(EventKind::Scan, None, &ask).unwrap());
    let counted = timed("a port by the minute", || counted(&reader, Some(busiest), Step::Minute, start));
    assert_eq!(counted, of_busiest);
    let all_counted = timed("all by the hour", || self::counted(&reader, None, Step::Hour, start));
    assert_eq!(all_counted, (DAY * RATE).unsigned_abs());
    let register = Register::new(&Sources::default(), &sensors).unwrap();
    register.keep_in(Some(feed));
    let (by_source, of_port) = (most(&by_source), most(&of_port));
    people_ask(&register, start, (&by_source, &of_port), busiest);
    timed("all that a start reads of a day", || reader.hours("a", &all, |_| {}).unwrap());
}

/// Packets that the store says were counted that day.
fn counted(reader: &Reader, of: Option<SlotKind>, step: Step, start: i64) -> u64 {
    let slots = of.map(Slot::from).map(|slot| slot.index()..=slot.index());
    let ask = AskCounted { sensor: Some("a"), slots, step, from: at(start), to: at(start + DAY) };
    reader.counts(&ask).unwrap().1.iter().map(|count| count.packets).sum()
}

/// Sources with their packets, the heaviest first.
type Ranking = [(u64, Source)];

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
