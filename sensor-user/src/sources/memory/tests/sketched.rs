//! Sketches of answers: of all sources that are asked for, whether they have a row or not; or why there is none.

use jiff::SignedDuration;
use rstest::rstest;
use sensor_common::hyperloglog::HyperLogLog;

use super::super::super::answer::{Line, SketchLine};
use super::super::super::sketch::{Sketch, SketchKey};
use super::stored::Kept;
use super::*;
use crate::sources::Span;
use crate::store;

/// As many rows as there may be.
const ALL: u32 = 10_000;
/// So little memory that most of a thousand sources are not followed.
const LITTLE: u64 = 2 << 20;

fn ask(slot: Option<&str>) -> Ask {
    Ask { slot: slot.map(str::to_owned), limit: ALL, ..Ask::default() }
}

/// The sketch of an answer, or why it has none; there is one of the two.
fn sketch(answer: &[Line]) -> Result<SketchLine, String> {
    let told = answer.iter().find_map(|line| match line {
        Line::Sketch(sketch) => Some(Ok(sketch.clone())),
        Line::NoSketch(none) => Some(Err(none.trouble.clone())),
        _ => None,
    });
    told.expect("it has a sketch, or says why not")
}

/// How many sources sketches have together.
fn together(sketches: &[SketchLine]) -> f64 {
    let mut all = HyperLogLog::<12>::new();
    for sketch in sketches {
        assert_eq!((&sketch.key, sketch.precision), (&sketches[0].key, 12));
        let register = |at: usize| u8::from_str_radix(&sketch.registers[2 * at..2 * at + 2], 16).unwrap();
        all.merge_registers(&(0..sketch.registers.len() / 2).map(register).collect::<Vec<_>>());
    }
    all.estimate()
}

/// Six standard errors.
fn assert_near(estimate: f64, truth: f64) {
    assert!((estimate - truth).abs() <= 6.0 * 0.016_25 * truth, "{estimate}, not about {truth}");
}

/// Sources of the network 203.0.0.0/16, each with a SYN to a port.
fn syns(time: Timestamp, sources: std::ops::Range<u32>, port: u16) -> Vec<Observation> {
    sources.map(|source| syn(time, source, 1, port)).collect()
}

/// Two sensors of which each saw some of the other's, with stores of their own.
#[rstest]
#[case::all(64 << 20, None, 3_500.0)]
#[case::of_a_port(64 << 20, Some("23/tcp"), 3_000.0)]
#[case::all_where_few_are_followed(LITTLE, None, 3_500.0)]
#[case::of_a_port_where_few_are_followed(LITTLE, Some("23/tcp"), 3_000.0)]
fn sketches_have_who_is_not_followed(#[case] memory: u64, #[case] slot: Option<&str>, #[case] truth: f64) {
    let now = Timestamp::now();
    let of_sensor = |sources: std::ops::Range<u32>| {
        let kept = Kept::new();
        let settings = Sources { memory, ..kept.with_key("key", '1') };
        let register = Register::new(&settings, &sensors()).unwrap();
        register.keep_in(Some(kept.feed()));
        let packets = [syns(now, sources, 23), syns(now, 5_000..5_500, 80)].concat();
        observe(&register, &packets);
        kept.feed().observe(&packets);
        kept.settle();
        let answer = register.sources(&ask(slot)).unwrap();
        let error = answer.iter().find_map(|line| match line {
            Line::Total(total) => Some(total.row_error),
            _ => None,
        });
        assert_eq!(error.unwrap() > 0, memory == LITTLE, "not all are followed");
        sketch(&answer).unwrap()
    };
    assert_near(together(&[of_sensor(0..2_000), of_sensor(1_000..3_000)]), truth);
}

#[test]
fn what_is_missing_for_a_sketch_is_said() {
    let (kept, now) = (Kept::new(), Timestamp::now());
    let settings = Sources { memory: LITTLE, ..kept.with_key("key", '1') };
    let without = Sources { sketch_key_file: None, ..settings.clone() };
    let packets = syns(now, 0..1_000, 23);
    let register = Register::new(&without, &sensors()).unwrap();
    observe(&register, &packets);
    let says = |slot, words: &str| {
        let trouble = sketch(&register.sources(&ask(slot)).unwrap()).unwrap_err();
        assert!(trouble.contains(words), "{trouble}");
    };
    says(None, "as `sketch_key_file` in [sources]");
    register.configure(&settings, &sensors());
    says(None, "was not there all that time");
    says(Some("23/tcp"), "add [store]");
    // Who takes a few rows is told of those alone.
    let answer = register.sources(&Ask { limit: ALL - 1, ..ask(None) }).unwrap();
    assert!(!answer.iter().any(|line| matches!(line, Line::Sketch(_) | Line::NoSketch(_))));
}

/// Sources that the store has as a sum are in the sketch of their hour.
#[test]
fn what_is_stored_as_a_sum_is_in_the_sketch_of_its_hour() {
    let kept = Kept::new();
    let settings = kept.with_key("key", '1');
    let key = SketchKey::read(settings.sketch_key_file.as_deref().unwrap()).unwrap();
    let then = Timestamp::now() - SignedDuration::from_hours(72);
    let start = Span::Hour.start(then);
    let packets = syns(then, 0..1_000, 23);
    let window = |key: Option<&SketchKey>| {
        let sketch = key.map(|key| {
            let mut sketch = Sketch::new(key);
            for seen in syns(then, 0..1_500, 23) {
                sketch.add(key.hash(seen.source));
            }
            sketch.stored()
        });
        kept.feed().window(store::Window {
            length: 3_600,
            start: Timestamp::from_second(start).unwrap(),
            sensor: "a".to_owned(),
            slot: None,
            packets: 1_500,
            sources: 1_500,
            exact: false,
            sketch: sketch.unwrap_or_default(),
        });
        kept.settle();
    };
    kept.feed().observe(&packets);
    window(Some(&key));
    let register = Register::new(&settings, &sensors()).unwrap();
    register.keep_in(Some(kept.feed()));
    let of_then = |slot| {
        let ask = Ask { from: Some(then), to: Some(then + SignedDuration::from_secs(1)), ..ask(slot) };
        sketch(&register.sources(&ask).unwrap())
    };
    assert_near(together(&[of_then(None).unwrap()]), 1_000.0);
    let database = rusqlite::Connection::open(kept.folder.path().join("sensor.db")).unwrap();
    let insert =
        "INSERT INTO flow SELECT ?1, number, -1, x'', -1, 500, 30000, 0, 0 FROM sensor WHERE name = 'a'";
    assert_eq!(database.execute(insert, [start / 3_600]).unwrap(), 1);
    assert_near(together(&[of_then(None).unwrap()]), 1_500.0);
    let trouble = of_then(Some("23/tcp")).unwrap_err();
    assert!(trouble.contains("stored as a sum alone"), "{trouble}");
    window(None);
    let trouble = of_then(None).unwrap_err();
    assert!(trouble.contains("was not there all that time"), "{trouble}");
}
