//! Notices from packets to what is told, with a store in between, and who tells them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::Value;

use super::*;
use crate::config::{Config, Input, Members, Notices, NumberedSensor, SensorNumber, Store};
use crate::sources::Register;
use crate::store::{Feed, Keeper, Schedule};

const OURS: &str = "interfaces = [\"eth0\"]\n[[sensor]]\nname = \"secret-1\"\nalias = \"A\"\nprefixes = [\"198.51.100.0/24\"]\n\
    [evidence]\n[[constituency]]\nname = \"ours\"\nprefixes = [\"203.0.113.0/24\", \"198.51.100.0/24\"]\n";

/// A store with whatever notices are made by.
struct Scene {
    folder: tempfile::TempDir,
    keeper: Keeper,
    book: Book,
    sink: Box<dyn crate::sources::Sink>,
}

impl Scene {
    fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    fn at(folder: tempfile::TempDir) -> Self {
        let settings = Store { path: folder.path().to_owned(), ..Store::default() };
        let keeper = Keeper::start(&settings, Schedule::default(), Arc::default()).unwrap();
        let book = Book::default();
        let (config, sensors) = configure(&book, folder.path(), OURS, keeper.feed());
        let register = Register::new(&config.sources, &sensors).unwrap();
        let sink = book.sink(register);
        assert!(keeper.feed().is_open_within(Duration::from_mins(1)));
        Self { folder, keeper, book, sink }
    }

    /// Has seen a SYN with Mirai's mark from each of these, to an address of the sensor.
    fn see(&mut self, sources: &[&str]) {
        for source in sources {
            let (packet, frame) = mirai(source.parse().unwrap());
            self.sink.constituents(&packet, &frame);
        }
        self.sink.tick(Timestamp::now());
    }

    fn told(&self, ask: &AskNotices, mut claim: Option<&mut Claim>) -> Vec<Event> {
        let (mut after, mut events) = (None, Vec::new());
        loop {
            let chunk = self.book.ask(ask, after, claim.as_deref_mut()).unwrap();
            for line in chunk.lines {
                if let Line::Notice(event) = line {
                    events.push(*event);
                }
            }
            after = chunk.next;
            if after.is_none() {
                return events;
            }
        }
    }

    fn all(&self) -> Vec<Event> {
        self.told(&AskNotices::default(), None)
    }

    fn log(&self, path: &Path) -> (Logger, Arc<LogStats>) {
        let settings = Notices {
            log: Some(path.to_owned()),
            log_max_size: 1 << 20,
            template: None,
            template_file: None,
        };
        let stats = Arc::<LogStats>::default();
        (Logger::start(&settings, &self.book, &stats).unwrap().unwrap(), stats)
    }

    fn end(self) -> tempfile::TempDir {
        self.sink.end();
        assert!(self.keeper.stop(Duration::from_mins(1)).is_ok());
        self.folder
    }
}

/// Has a book go by this configuration.
fn configure(book: &Book, folder: &Path, text: &str, feed: Feed) -> (Config, [NumberedSensor; 1]) {
    let path = folder.join("sensor.toml");
    fs::write(&path, text).unwrap();
    let config = Config::load(Input { file: Some(path), ..Input::default() }).unwrap();
    let sensors = [NumberedSensor { number: SensorNumber(0), sensor: config.sensors[0].clone() }];
    let members = [Members { name: "ours".to_owned(), prefixes: config.constituencies[0].prefixes.clone() }];
    book.configure(&config, &members, &sensors, Some(feed));
    (config, sensors)
}

fn mirai(source: std::net::Ipv4Addr) -> (crate::sources::Observation, Vec<u8>) {
    let packet = crate::store::observation(source, 23, Timestamp::now().as_second());
    let sensor = [198, 51, 100, 7];
    let ip = [0x45, 0, 0, 40, 0x12, 0x34, 0, 0, 57, 6, 0xab, 0xcd];
    let tcp = [0x9c, 0x40, 0, 23, 198, 51, 100, 7, 0, 0, 0, 0, 0x50, 2, 4, 0, 0xbe, 0xef, 0, 0];
    let frame = [&[2; 12][..], &[8, 0], &ip, &source.octets(), &sensor, &tcp].concat();
    (crate::sources::Observation { is_constituents: true, ..packet }, frame)
}

fn addresses(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.address.to_string()).collect()
}

fn ids(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let id = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap()["extra.notice"].as_str().unwrap().to_owned()
    };
    text.lines().map(id).collect()
}

fn until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_mins(1), "it does not come about");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_is_seen_of_a_source_is_one_event_a_day() {
    let mut scene = Scene::new();
    scene.see(&["203.0.113.9", "203.0.113.9", "203.0.113.10"]);
    scene.keeper.feed().write_notices(Duration::from_mins(1)).unwrap();
    // An address of the sensor's own is nobody's to be told, whoever it is forged by; one of nobody's neither.
    scene.see(&["203.0.113.9", "198.51.100.9", "192.0.2.1"]);
    let events = scene.all();
    assert_eq!(addresses(&events), ["203.0.113.9", "203.0.113.10"]);
    let event = &events[0];
    assert_eq!((event.packets, event.is_mirai(), event.sent), (3, true, None));
    assert_eq!((event.sensors.as_slice(), event.constituency.as_str()), (&["A".to_owned()][..], "ours"));
    assert_eq!((event.slots[0].slot.as_str(), event.slots[0].packets), ("23/tcp", 3));
    let packet = event.packet.as_ref().unwrap();
    assert_eq!((packet.source_port, packet.destination_port), (Some(40_000), Some(23)));
    assert_eq!(packet.destination, None);
    assert!(packet.bytes.contains("cb007109"), "{packet:?}");
    let text = serde_json::to_string(&events).unwrap();
    for secret in ["c6336407", "198.51.100.7", "secret-1"] {
        assert!(!text.contains(secret), "{text}");
    }
    let asked = scene.told(&AskNotices { with_sensor_address: true, ..AskNotices::default() }, None);
    let packet = asked[0].packet.as_ref().unwrap();
    assert_eq!(packet.destination, "198.51.100.7".parse().ok());
    assert_eq!(packet.bytes.matches("c6336407").count(), 2, "the address, and Mirai's mark");
    scene.end();
}

/// A name that was told before there was an alias is told no more.
#[test]
fn an_alias_holds_for_what_was_seen_before() {
    let mut scene = Scene::new();
    let nameless = OURS.replace("alias = \"A\"\n", "");
    configure(&scene.book, scene.folder.path(), &nameless, scene.keeper.feed());
    scene.see(&["203.0.113.9", "203.0.113.10"]);
    scene.keeper.feed().write_notices(Duration::from_mins(1)).unwrap();
    assert_eq!(scene.all()[0].sensors, ["secret-1"]);
    configure(&scene.book, scene.folder.path(), OURS, scene.keeper.feed());
    scene.see(&["203.0.113.9"]);
    for event in scene.all() {
        assert_eq!(event.sensors, ["A"], "{}", event.address);
    }
    scene.end();
}

#[test]
fn questions_choose_among_them() {
    let mut scene = Scene::new();
    scene.see(&["203.0.113.9"]);
    let ask = |ask: AskNotices| scene.told(&ask, None).len();
    let default = AskNotices::default;
    let now = Timestamp::now();
    let hour = jiff::SignedDuration::from_hours(1);
    assert_eq!(ask(AskNotices { from: Some(now - hour), to: Some(now + hour), ..default() }), 1);
    assert_eq!(ask(AskNotices { from: Some(now + hour), ..default() }), 0);
    assert_eq!(ask(AskNotices { to: Some(now - hour), ..default() }), 0);
    assert_eq!(ask(AskNotices { about: Some(crate::store::About::Victim), ..default() }), 0);
    assert_eq!(ask(AskNotices { constituency: Some("ours".to_owned()), ..default() }), 1);
    let unknown = AskNotices { constituency: Some("theirs".to_owned()), ..default() };
    let error = scene.book.ask(&unknown, None, None).unwrap_err();
    assert!(crate::obstacle::WrongUse::is_behind(&error));
    assert!(error.to_string().contains("there is no constituency \"theirs\": the configuration has ours"));
    scene.end();
}

#[test]
fn a_notice_is_sent_once_whoever_else_asks_meanwhile() {
    let mut scene = Scene::new();
    let many: Vec<_> = (0..1_300).map(|number| format!("203.0.113.{}", number % 250)).collect();
    scene.see(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let ask = AskNotices { claim: true, ..AskNotices::default() };
    let (mut one, mut other) = (scene.book.claim(), scene.book.claim());
    assert_eq!(scene.told(&ask, Some(&mut one)).len(), 250);
    assert_eq!(scene.told(&ask, Some(&mut other)).len(), 0, "they are told just now");
    // Who has not got them has them again.
    drop(one);
    assert_eq!(scene.told(&ask, Some(&mut other)).len(), 250);
    assert_eq!(other.sent().unwrap(), 250);
    let mut late = scene.book.claim();
    assert_eq!(scene.told(&ask, Some(&mut late)).len(), 0);
    // The day goes on, and what was told is not told anew, over a restart.
    scene.see(&["203.0.113.9", "203.0.113.251"]);
    drop(late);
    let scene = Scene::at(scene.end());
    let mut again = scene.book.claim();
    assert_eq!(addresses(&scene.told(&ask, Some(&mut again))), ["203.0.113.251"]);
    let sent = scene.all().iter().filter(|event| event.sent.is_some()).count();
    assert_eq!(sent, 250);
    drop(again);
    scene.end();
}

/// Who claims and marks at the same time as others tells each notice once.
#[test]
fn who_races_tells_each_once() {
    let mut scene = Scene::new();
    let many: Vec<_> = (0..200).map(|number| format!("203.0.113.{number}")).collect();
    scene.see(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let ask = AskNotices { claim: true, ..AskNotices::default() };
    let book = &scene.book;
    let told: Vec<String> = thread::scope(|scope| {
        let tell = || {
            let mut told = Vec::new();
            for _ in 0..5 {
                let mut claim = book.claim();
                told.extend(addresses(&told_by(book, &ask, &mut claim)));
                claim.sent().unwrap();
            }
            told
        };
        let tellers: Vec<_> = (0..4).map(|_| scope.spawn(tell)).collect();
        tellers.into_iter().flat_map(|teller| teller.join().unwrap()).collect()
    });
    scene.end();
    assert_eq!((told.len(), told.iter().collect::<BTreeSet<_>>().len()), (200, 200));
}

fn told_by(book: &Book, ask: &AskNotices, claim: &mut Claim) -> Vec<Event> {
    let chunk = book.ask(ask, None, Some(claim)).unwrap();
    let event = |line| if let Line::Notice(event) = line { Some(*event) } else { None };
    chunk.lines.into_iter().filter_map(event).collect()
}

#[test]
fn a_line_is_in_the_log_once() {
    let mut scene = Scene::new();
    let path = scene.folder.path().join("log");
    scene.see(&["203.0.113.9"]);
    let (log, _) = scene.log(&path);
    until(|| ids(&path).len() == 1);
    scene.see(&["203.0.113.9", "203.0.113.10"]);
    until(|| ids(&path).len() == 2);
    assert!(log.stop(Duration::from_mins(1)));
    assert!(scene.all().iter().all(|event| event.sent.is_some()));
    // As if the agent had been killed after it wrote the line, and before the store knew.
    scene.see(&["203.0.113.11"]);
    let event = scene.all().into_iter().find(|event| event.sent.is_none()).unwrap();
    let line = intelmq::line(&event, Timestamp::now());
    fs::write(&path, fs::read_to_string(&path).unwrap() + &line).unwrap();
    let (log, stats) = scene.log(&path);
    until(|| scene.all().iter().all(|event| event.sent.is_some()));
    assert!(log.stop(Duration::from_mins(1)));
    assert_eq!((ids(&path).len(), stats.written()), (3, 0));
    scene.end();
}

#[test]
fn what_the_log_cannot_take_waits_for_it() {
    let mut scene = Scene::new();
    let path = scene.folder.path().join("not-there/log");
    scene.see(&["203.0.113.9"]);
    let (log, stats) = scene.log(&path);
    until(|| stats.trouble().is_some_and(|why| why.contains("cannot write the event log")));
    assert_eq!(scene.all()[0].sent, None);
    fs::create_dir(path.parent().unwrap()).unwrap();
    until(|| stats.trouble().is_none() && ids(&path).len() == 1);
    assert!(scene.all()[0].sent.is_some());
    assert!(log.stop(Duration::from_mins(1)));
    scene.end();
}

#[test]
fn every_form_says_what_the_event_says() {
    let mut scene = Scene::new();
    scene.see(&["203.0.113.9"]);
    let events = scene.all();
    let zone = Offset::constant(9);
    let fields = intelmq::fields(&events[0], events[0].first);
    let of = |name: &str| fields[name].as_str().unwrap().to_owned();
    assert_eq!(of("classification.type"), "infected-system");
    assert_eq!((of("malware.name"), of("source.ip")), ("mirai".to_owned(), "203.0.113.9".to_owned()));
    assert_eq!(of("feed.name"), "A");
    for name in ["time.source", "time.observation", "extra.last"] {
        assert!(of(name).ends_with("+00:00"), "{name}: {}", of(name));
    }
    let (head, row) = (shadowserver::head(), shadowserver::line(&events[0]));
    let cells = |line: &str| line.trim_end().split(',').map(str::to_owned).collect::<Vec<_>>();
    let named: std::collections::BTreeMap<_, _> = cells(&head).into_iter().zip(cells(&row)).collect();
    assert_eq!(cells(&head).len(), cells(&row).len());
    for (column, value) in [
        ("protocol", "tcp"),
        ("src_ip", "203.0.113.9"),
        ("src_port", "40000"),
        ("dst_port", "23"),
        ("dst_ip", ""),
        ("infection", "mirai"),
        ("tag", "mirai"),
        ("count", "1"),
    ] {
        assert_eq!(named[column], value, "{column}");
    }
    assert!(named["timestamp"].len() == 19 && !named["timestamp"].contains('T'));
    let over = [Over { day: events[0].day, constituency: "ours".to_owned(), packets: 7 }];
    let mail = text::mails(template::DEFAULT, &events, &over, zone).unwrap();
    for words in
        ["responsible for ours", "203.0.113.9", "23/tcp", "mirai", "+09:00", "7 more packets", "\nnone\n"]
    {
        assert!(mail.contains(words), "{words}: {mail}");
    }
    assert!(!mail.contains('{') && !mail.contains("secret-1"));
    // Its packet is that of the other forms, in lines that mails take.
    let bytes = &events[0].packet.as_ref().unwrap().bytes;
    let (line, rest) = bytes.split_at(64);
    assert!(rest.len() <= 64 && mail.contains(&format!(" 60 bytes\n{line}\n{rest}\n\n")), "{bytes}: {mail}");
    assert_eq!(text::mails("{constituency}", &[], &[], zone), Ok(String::new()));
    let hidden = Packet { bytes: String::new(), ..events[0].packet.clone().unwrap() };
    for (packet, end) in [(Some(hidden), " 60 bytes\n-"), (None, "203.0.113.9\n-")] {
        let without = [Event { packet, ..events[0].clone() }];
        assert!(text::mails("{packet}", &without, &[], zone).unwrap().ends_with(end), "{end}");
    }
    let attacked = [Event { about: crate::store::About::Victim, packet: None, ..events[0].clone() }];
    assert_eq!(text::mails("{packet}", &attacked, &[], zone).unwrap(), "none");
    scene.end();
}
