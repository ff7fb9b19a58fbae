//! What the store gives back: windows after a restart, and times that memory does not reach back to.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::SignedDuration;
use rstest::rstest;
use sensor_harness::mmdb::{country, mmdb, system};
use tempfile::TempDir;

use super::super::super::answer::Line;
use super::super::super::ask::AskEvents;
use super::super::super::sketch::{Sketch, SketchParts};
use super::*;
use crate::config::Store;
use crate::counters::names::slot_name;
use crate::sources::Span;
use crate::store::{Feed, Keeper, Schedule, Stats};

/// A store that is written to all the time.
pub(super) struct Kept {
    pub folder: TempDir,
    keeper: Keeper,
    stats: Arc<Stats>,
}

impl Kept {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Store { path: folder.path().to_owned(), ..Store::default() };
        let moment = Duration::from_millis(10);
        let stats = Arc::<Stats>::default();
        let keeper =
            Keeper::start(&settings, Schedule { every: moment, again: moment }, Arc::clone(&stats)).unwrap();
        keeper.feed().sensors(&sensors(), None);
        assert!(keeper.feed().is_open_within(Duration::from_mins(1)));
        Self { folder, keeper, stats }
    }

    pub(super) fn feed(&self) -> Feed {
        self.keeper.feed()
    }

    /// Waits until what has come is written: the second write from now has begun after it.
    pub(super) fn settle(&self) {
        let before = self.stats.written();
        while self.stats.written() < before + 2 {
            assert!(!self.stats.fails(), "{:?}", self.stats.trouble());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Settings with a key for sketches, of a file with this name; keys of other digits are others.
    pub(super) fn with_key(&self, name: &str, digit: char) -> Sources {
        let path = self.folder.path().join(name);
        let halves = [digit, 'f'].map(|digit| String::from_iter([digit; 32]));
        std::fs::write(&path, halves.concat()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        Sources { sketch_key_file: Some(path), ..Sources::default() }
    }

    /// A register of an agent that has just been started.
    fn register(&self) -> Register {
        let register = register(64 << 20);
        register.keep_in(Some(self.feed()));
        register
    }
}

/// Sources that send the more packets, to the more ports, the higher their number.
fn packets(time: Timestamp) -> Vec<Observation> {
    let of = |source: u32| {
        (0..source).map(move |copy| syn(time, source * 77, 1, u16::try_from(20 + copy % 12).unwrap()))
    };
    (1..40).flat_map(of).collect()
}

fn asks() -> [Ask; 4] {
    let ask = Ask { limit: 10_000, ..Ask::default() };
    let slot = Some("23/tcp".to_owned());
    [
        Ask { by: By::Network, ..ask.clone() },
        Ask { by: By::Port, order_by_sources: true, ..ask.clone() },
        Ask { slot, ..ask.clone() },
        ask,
    ]
}

#[test]
fn this_hour_and_day_go_on_after_a_restart() {
    let kept = Kept::new();
    let now = Timestamp::now();
    let packets = packets(now);
    let before = kept.register();
    observe(&before, &packets);
    kept.feed().attend(now);
    kept.feed().observe(&packets);
    kept.settle();
    let after = kept.register();
    after.restore(Duration::from_mins(1));
    observe(&before, &packets[..50]);
    observe(&after, &packets[..50]);
    for ask in asks() {
        let [before, after] = [&before, &after].map(|register| rows(register.sources(&ask).unwrap()));
        assert!(after == before && !after.is_empty(), "{ask:?}: {after:?}, not {before:?}");
    }
    let answer = after.sources(&Ask::default()).unwrap();
    let [Line::Window(window), ..] = &answer[..] else { panic!("{answer:?}") };
    assert_eq!((window.missed, window.summed_up), (0, 0));
    // Nobody else's are taken for it.
    let other = register(64 << 20);
    other.restore(Duration::from_mins(1));
    assert_eq!(rows(other.sources(&Ask::default()).unwrap()), []);
}

#[test]
fn an_hour_that_nobody_has_watched_is_watched_from_the_start_on() {
    let kept = Kept::new();
    let now = Timestamp::now();
    kept.feed().observe(&packets(now - SignedDuration::from_hours(1)));
    kept.settle();
    let register = kept.register();
    register.restore(Duration::from_mins(1));
    let memory = register.memory();
    let of_sensor = memory.sensors.values().next().unwrap();
    let windows: Vec<_> = of_sensor.windows(Span::Hour).both().collect();
    let [last, current] = &windows[..] else { panic!("{} windows", windows.len()) };
    assert_eq!((last.observed, current.observed), (780, 0));
    assert!(current.start == Span::Hour.start(now) && current.since >= now, "{}", current.since);
}

/// Memory has that hour in its day alone, with all that came in others.
#[test]
fn an_hour_that_memory_has_within_a_day_is_asked_of_the_store() {
    let kept = Kept::new();
    let register = kept.register();
    let hour = SignedDuration::from_hours(1);
    let day = Timestamp::from_second(Span::Day.start(Timestamp::now() - 48 * hour)).unwrap();
    let of_hour = |number: i32, source| {
        vec![syn(day + hour * number + SignedDuration::from_mins(30), source, 1, 23); 10]
    };
    for packets in [of_hour(8, 1), of_hour(10, 2), of_hour(11, 3), of_hour(12, 4)] {
        observe(&register, &packets);
        kept.feed().observe(&packets);
    }
    kept.settle();
    // Hours that are touched, and who sent something in them.
    for (from, to, many) in [(8, 9, 1), (8, 11, 2), (8, 13, 4), (11, 13, 2), (0, 24, 4)] {
        let ask = Ask { from: Some(day + hour * from), to: Some(day + hour * to), ..Ask::default() };
        let answer = register.sources(&ask).unwrap();
        let windows = answer.iter().filter_map(|line| match line {
            Line::Window(window) => Some((window.from, window.to)),
            _ => None,
        });
        for (begin, end) in windows {
            assert!(begin >= day + hour * from && end <= day + hour * to, "{from} to {to}: {begin} to {end}");
        }
        assert_eq!(rows(answer).len(), many, "{from} to {to}");
    }
}

#[test]
fn a_time_before_memory_is_asked_of_the_store() {
    let kept = Kept::new();
    let then = Timestamp::now() - SignedDuration::from_hours(72);
    let mut packets = packets(then);
    // Memory that reaches back so far tells the same.
    let memory = register(64 << 20);
    observe(&memory, &packets);
    packets.push(Observation { missed: 20, ..syn(then, 77, 1, 23) });
    observe(&memory, &packets[packets.len() - 1..]);
    kept.feed().observe(&packets);
    kept.settle();
    let register = kept.register();
    register.sink().tick(Timestamp::now());
    let hour = SignedDuration::from_hours(1);
    for ask in asks() {
        let expected = rows(memory.sources(&ask).unwrap());
        let ask = Ask { from: Some(then - hour), to: Some(then + hour), ..ask };
        let answer = register.sources(&ask).unwrap();
        let [Line::Window(window), Line::Rows(_), Line::Total(total), ..] = &answer[..] else {
            panic!("{answer:?}")
        };
        assert_eq!((window.observed, window.missed, window.sources), (781, 20, None));
        assert!(total.at_least && total.sources.exact && (window.share - 781.0 / 801.0).abs() < 1e-9);
        assert_eq!(rows(answer), expected, "{ask:?}");
    }
    assert_eq!(rows(register.sources(&Ask::default()).unwrap()), [], "nothing of it is of this hour");
    let ask = AskSource { source: packets[700].source, from: Some(then - hour), to: None };
    let answer = register.source(&ask).unwrap();
    let row = answer.iter().find_map(|line| match line {
        Line::Did(did) => did.row.as_ref(),
        _ => None,
    });
    let row = row.expect("it was there");
    let sent = packets.iter().filter(|packet| packet.source == ask.source).count() as u64;
    let did = row.did.as_ref().expect("it is known what it did");
    assert_eq!((row.packets, did.bytes, did.ports.len()), (sent, 60 * sent, 8));
    assert_eq!(did.elsewhere + did.ports.iter().map(|to| to.packets).sum::<u64>(), sent);
}

/// What memory cannot tell, the store does: also of this hour, and without a time.
#[rstest]
#[case::a_port_of_a_tool(By::Source, Some(23), true)]
#[case::networks_of_a_port(By::Network, Some(23), false)]
#[case::ports_of_a_tool(By::Port, None, true)]
#[case::one_port_of_a_tool(By::Port, Some(31), true)]
fn parts_that_memory_does_not_know_are_asked_of_the_store(
    #[case] by: By,
    #[case] port: Option<u16>,
    #[case] of_tool: bool,
) {
    let kept = Kept::new();
    let packets = packets(Timestamp::now());
    kept.feed().observe(&packets);
    kept.settle();
    let register = kept.register();
    observe(&register, &packets);
    let mut truth = BTreeMap::<String, u64>::new();
    for it in &packets {
        if port.is_none_or(|port| it.slot == SlotKind::Tcp(port))
            && (!of_tool || it.tool == Some(Tool::Mirai))
        {
            let of = match by {
                By::Source => it.source.to_string(),
                By::Network => it.source.network().to_string(),
                _ => slot_name(it.slot),
            };
            *truth.entry(of).or_default() += 1;
        }
    }
    let ask = Ask {
        slot: port.map(|port| format!("{port}/tcp")),
        tool: of_tool.then(|| Tool::Mirai.label().to_owned()),
        by,
        limit: 10_000,
        ..Ask::default()
    };
    for from in [None, Some(Timestamp::now() - SignedDuration::from_mins(1))] {
        let answer = register.sources(&Ask { from, ..ask.clone() }).unwrap();
        let found: BTreeMap<_, _> = rows(answer).into_iter().map(|(of, packets, _)| (of, packets)).collect();
        assert!(found == truth && !truth.is_empty(), "{found:?}, not {truth:?}");
    }
    register.keep_in(None);
    let error = register.sources(&ask).unwrap_err().to_string();
    assert!(error.contains("add [store]"), "{error}");
}

#[rstest]
#[case::all(None, &[("64496", 3, Some("Example")), ("64497", 1, None), ("unknown", 1, None)])]
#[case::of_a_country(Some("JP"), &[("64496", 3, Some("Example"))])]
fn the_store_tells_autonomous_systems_with_their_names(
    #[case] of: Option<&str>,
    #[case] expected: &[(&str, u64, Option<&str>)],
) {
    let kept = Kept::new();
    let file = |name: &str, bytes| {
        let path = kept.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Some(path)
    };
    let systems = [("203.0.0.0/24", system(64_496, "Example")), ("203.0.1.0/24", system(64_497, ""))];
    let settings = Sources {
        countries: file("countries", mmdb("Countries", &[("203.0.0.0/24", country("JP"))])),
        autonomous_systems: file("systems", mmdb("Systems", &systems)),
        ..Sources::default()
    };
    let register = Register::new(&settings, &sensors()).unwrap();
    register.keep_in(Some(kept.feed()));
    let then = Timestamp::now() - SignedDuration::from_hours(72);
    kept.feed().observe(&[1, 2, 3, 257, 600].map(|source| syn(then, source, 1, 23)));
    kept.settle();
    let country = of.map(|letters| letters.parse().unwrap());
    let answer = register.sources(&Ask { from: Some(then), by: By::As, country, ..Ask::default() }).unwrap();
    let found: Vec<_> = answer
        .iter()
        .filter_map(|line| if let Line::Part(row) = line { Some(row) } else { None })
        .map(|row| (row.of.as_str(), row.packets, row.as_name.as_deref()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn events_are_stored_and_found_after_a_restart() {
    let kept = Kept::new();
    let now = Timestamp::now();
    let before = kept.register();
    let scan: Vec<_> = (1..=20).map(|port| syn(now, 7, 1, port)).collect();
    observe(&before, &scan);
    before.sink().end();
    kept.settle();
    let after = kept.register();
    let scans = |ask: &AskEvents| {
        let answer = after.scans(ask).unwrap().into_iter();
        answer
            .filter_map(|line| if let Line::Scan(row) = line { Some(row.scan) } else { None })
            .collect::<Vec<_>>()
    };
    assert_eq!(scans(&AskEvents::default()), []);
    let from = Some(now - SignedDuration::from_hours(1));
    let found = scans(&AskEvents { from, ..AskEvents::default() });
    assert_eq!((found.len(), found[0].source, found[0].packets), (1, scan[0].source, 20));
    assert_eq!((found[0].ports.count, found[0].ongoing), (20, true));
    // Whoever has it in memory too tells it once.
    let ask = AskEvents { from, ..AskEvents::default() };
    assert_eq!(before.scans(&ask).unwrap().iter().filter(|line| matches!(line, Line::Scan(_))).count(), 1);
}

/// Sketches of one key go on after a restart, and those of another are none.
#[test]
fn windows_are_stored_with_sketches_that_a_restart_goes_on_with() {
    let kept = Kept::new();
    let (settings, other) = (kept.with_key("one", '1'), kept.with_key("other", '2'));
    let now = Timestamp::now();
    let packets: Vec<_> = (0..1_000).map(|source| syn(now, source, 1, 23)).collect();
    let begin = |settings: &Sources| {
        let register = Register::new(settings, &sensors()).unwrap();
        register.keep_in(Some(kept.feed()));
        register
    };
    let before = begin(&settings);
    observe(&before, &packets);
    kept.feed().observe(&packets);
    before.sink().end();
    kept.settle();
    let hour = Timestamp::from_second(Span::Hour.start(now)).unwrap();
    let range = (hour, hour + SignedDuration::from_secs(1));
    let stored = kept.feed().reader().windows("a", None, 3_600, range).unwrap();
    let [window] = &stored[..] else { panic!("{stored:?}") };
    let parts = SketchParts::of(&window.sketch).expect("there is a sketch");
    assert!(!window.exact && window.packets == 1_000 && parts.precision == 12);
    let sketch = |register: &Register| {
        let all = register.memory().all_windows();
        let current =
            all.into_iter().find(|(_, window)| window.span == Span::Hour && window.start == hour.as_second());
        current.and_then(|(_, window)| window.sketch.as_ref().map(Sketch::stored))
    };
    assert_eq!(sketch(&before).as_ref(), Some(&window.sketch));
    let after = begin(&settings);
    after.restore(Duration::from_mins(1));
    assert_eq!(sketch(&after).as_ref(), Some(&window.sketch));
    // Of a key that comes later no window has all sources; of one that was there from the start the store has them.
    after.configure(&other, &sensors());
    assert_eq!(sketch(&after), None);
    let others = begin(&other);
    others.restore(Duration::from_mins(1));
    let others = sketch(&others).expect("there is a sketch");
    assert_ne!(SketchParts::of(&others).unwrap().fingerprint, parts.fingerprint);
    assert_eq!(sketch(&kept.register()), None, "without a key none leaves the host");
    let unread = begin(&settings);
    unread.not_restored();
    observe(&unread, &packets[..9]);
    assert_eq!(sketch(&unread), None, "it would lack who was seen before");
}

#[test]
fn victims_of_this_hour_and_day_are_known_after_a_restart() {
    let kept = Kept::new();
    let begin = Timestamp::now() - SignedDuration::from_secs(119);
    let packets: Vec<_> =
        (0..120).map(|second| reply(begin + SignedDuration::from_secs(second), 7)).collect();
    let before = kept.register();
    observe(&before, &packets);
    kept.feed().observe(&packets);
    before.sink().end();
    kept.settle();
    let after = kept.register();
    after.restore(Duration::from_mins(1));
    let victims = |register: &Register| -> Vec<_> {
        let all = register.memory().all_windows().into_iter();
        let current = all.filter(|(_, window)| window.start == window.span.start(Timestamp::now()));
        current.map(|(_, window)| window.victims.count().count).collect()
    };
    assert_eq!((victims(&before), victims(&after)), (vec![1, 1], vec![1, 1]));
}
