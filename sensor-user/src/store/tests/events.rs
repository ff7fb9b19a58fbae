//! Events are found by what they went on in, newest first, and no others are looked at.

use rusqlite::{Connection, params_from_iter};

use super::super::forget::ENDED;
use super::super::notices::COUNT_OF_DAY;
use super::super::read::event::By;
use super::super::read::notice;
use super::super::schema::bring_up_to_date;
use super::*;

/// Begins and ends in minutes, of two sources on two sensors; many begin at once.
fn planted() -> Vec<Event> {
    let of = |number: i64| {
        let (begin, length) = (number * 37 % 500 * 60, number * number % 97 * 60);
        Event {
            kind: if number % 5 == 0 { EventKind::Victim } else { EventKind::Scan },
            start: at(HOUR + begin),
            end: at(HOUR + begin + length),
            sensor: if number % 3 == 0 { "a" } else { "b" }.to_owned(),
            source: Some(Source::V4(if number % 2 == 0 { A } else { B })),
            packets: 1,
            detail: json!({ "number": number }),
        }
    };
    (0..600).map(of).collect()
}

#[test]
fn what_went_on_in_a_time_is_found_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let (mut database, _) = open(&settings(folder.path()));
    let feed = Feed::new(&folder.path().join(DATABASE), Arc::default());
    let mut writing = writing(1, "a", &[observation(A, 23, HOUR)]);
    // One of the same kind, begin, sensor and source replaces the one before.
    let mut known = std::collections::BTreeMap::new();
    for event in planted() {
        known.insert((event.kind, event.start, event.sensor.clone(), event.source), event.clone());
        feed.event(event);
    }
    writing.batch.events = feed.take().events;
    writing.batch.names = vec!["a".to_owned(), "b".to_owned()];
    database.write(&mut writing, at(HOUR)).unwrap();
    let reader = Reader::new(&folder.path().join(DATABASE));
    let minutes = [(0, 600), (100, 101), (100, 200), (490, 600), (590, 600), (-60, 0), (30, 30)];
    for (from, to) in minutes {
        for (sensor, source) in [(None, None), (Some("a"), None), (None, Some(A)), (Some("b"), Some(B))] {
            for most in [3, 40, usize::MAX] {
                let [from, to] = [from, to].map(|minute| at(HOUR + minute * 60));
                let source = source.map(Source::V4);
                let ask = Ask { sensor: sensor.map(str::to_owned), most, ..Ask::of(from, to) };
                let found = reader.events(EventKind::Scan, source, &ask).unwrap();
                let is_it = |event: &&Event| {
                    event.kind == EventKind::Scan
                        && event.start < ask.to
                        && event.end >= ask.from
                        && sensor.is_none_or(|sensor| event.sensor == sensor)
                        && source.is_none_or(|source| event.source == Some(source))
                };
                let mut expected: Vec<_> = known.values().filter(is_it).map(|event| event.start).collect();
                expected.sort_by_key(|&start| std::cmp::Reverse(start));
                expected.truncate(most);
                let found: Vec<_> = found.iter().map(|event| event.start).collect();
                assert_eq!(found, expected, "{from} to {to}, {sensor:?}, {source:?}, {most}");
            }
        }
    }
}

/// Questions that are asked again and again, and what is done with each write, read no table from end to end.
#[test]
fn what_is_asked_often_looks_at_little() {
    let mut connection = Connection::open_in_memory().unwrap();
    bring_up_to_date(&mut connection, Path::new(DATABASE)).unwrap();
    let queries = [
        (notice::query(true), "INDEX notice_not_sent"),
        (notice::query(false), "PRIMARY KEY"),
        (COUNT_OF_DAY.to_owned(), "COVERING INDEX notice_by_packets"),
        (notice::heaviest(), "INDEX notice_by_packets"),
        (ENDED.to_owned(), "INDEX event_by_end"),
        (By::Source.query(), "INDEX event_by_source"),
        (By::Begin.query(), "PRIMARY KEY"),
        (By::End.query(), "INDEX event_by_end"),
    ];
    for (query, index) in queries {
        let plan = format!("EXPLAIN QUERY PLAN {query}");
        let mut plan = connection.prepare(&plan).unwrap();
        let nothing = vec![None::<i64>; plan.parameter_count()];
        let steps = plan.query_map(params_from_iter(nothing), |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<_> = steps.map(Result::unwrap).collect();
        assert!(steps[0].starts_with("SEARCH") && steps[0].contains(index), "{query}: {steps:?}");
        assert!(steps.iter().all(|step| !step.starts_with("SCAN")), "{query}: {steps:?}");
    }
}
