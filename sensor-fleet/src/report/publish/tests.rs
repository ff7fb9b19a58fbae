use std::collections::BTreeSet;
use std::path::Path;

use rstest::rstest;

use super::aliases::{letters, made_up};
use super::*;
use crate::report::fixture;
use crate::report::write::{files, write};
use crate::vocabulary::service::Service;

mod prober;

fn public(report: &Report) -> Report {
    publishable(report, &fixture::spread(report), &PublishOptions::default()).unwrap()
}

fn published() -> Report {
    public(&fixture::report())
}

#[test]
fn no_file_of_a_published_report_has_the_name_of_a_sensor() {
    let dir = tempfile::tempdir().unwrap();
    let of = |report: &Report| {
        let files = write(report, dir.path()).unwrap();
        let texts =
            files.iter().map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned());
        texts.collect::<String>()
    };
    let (house, public) = (of(&fixture::report()), of(&published()));
    for (name, _) in fixture::SENSORS {
        // The odd name is written in as many ways as there are forms.
        let name = if name.contains('<') { "=1|2" } else { name };
        assert!(house.contains(name), "{name} would never be found");
        assert!(!public.contains(name), "{name} is in a file");
    }
}

/// What stands where in the JSON of the report for the house, and of the published one.
const TABLE: &[(&str, &str, &str)] = &[
    ("/sensors/0/name", "\"tokyo-dc3\"", "\"japan-A\""),
    ("/sensors/3/name", "\"frankfurt-a7\"", "\"overseas-A\""),
    ("/sensors/0/region", "\"japan\"", "\"japan\""),
    ("/period/from", "\"2023-10-01\"", "\"2023-10-01\""),
    ("/period/zone", "\"Asia/Tokyo\"", "\"Asia/Tokyo\""),
    ("/totals/packets", "2061749", "1040000"),
    ("/totals/previous_packets", "1861749", "988000"),
    ("/totals/unranked", "251234", "0"),
    ("/totals/sensor_days", "535.25", "535.0"),
    ("/top/0/packets", "712345", "263000"),
    ("/top/0/share", "0.34550519971150706", "0.252"),
    ("/top/0/previous_rank", "1", "1"),
    ("/curves/0/days/91", "1916.0", "45300.0"),
    ("/curves/0/days/70", "null", "0.0"),
    ("/monthly/2/home/packets", "398000", "522000"),
    ("/monthly/2/home/per_sensor_day", "4279.569892473119", "5620.0"),
    ("/monthly/2/regions/japan/sensor_days", "93.0", "93.0"),
    ("/rose/0/now", "396.7", "492.0"),
    // 0.002 packets per sensor and day were one packet.
    ("/fell/0/now", "101.2", "0.0"),
    ("/fell/0/before", "190.4", "31.7"),
    // So were 0.004: two.
    ("/new/1", "{\"before\":0.0,\"now\":0.004,\"service\":\"31337/TCP\"}", ""),
    ("/surges/0/sensors/0/sensor", "\"tokyo-dc3\"", "\"\""),
    ("/surges/0/sensors/0/region", "\"japan\"", "\"japan\""),
    ("/surges/0/sensors/0/p", "3.2e-9", "3e-9"),
    // The surge of one network is among the others, the latest of all. Of these, one sensor saw the second, and two the last.
    ("/surges_of_one/0/service", "\"2323/TCP\"", ""),
    ("/surges/0/service", "\"37215/TCP\"", "\"2323/TCP\""),
    ("/surges/1/service", "\"31337/TCP\"", "\"37215/TCP\""),
    ("/surges/2/service", "\"5060/UDP\"", "\"5060/UDP\""),
    ("/surges/3/service", "\"4719/TCP\"", ""),
    ("/surges/1/sensors/0/packets", "4321", "1230"),
    // Who made it is not told.
    ("/surges_of_one/0/origin/one/name", "\"203.0.113.0/24\"", ""),
    ("/surges/0/origin/packets", "123456", ""),
    ("/surges/1/origin", "null", "null"),
    ("/sources/systems/0/holder", "\"Example Net\"", ""),
    (
        "/notes/0",
        "\"1 of 6 sensors observed less than nine tenths of the period.\"",
        "\"1 of 6 sensors observed less than nine tenths of the period.\"",
    ),
    ("/notes/1", "", "\"Sensors have aliases, and their order tells nothing.\""),
    ("/publication", "", "{\"digits\":3,\"sensors\":3,\"threshold\":10}"),
];

#[test]
fn what_leaves_the_house_is_this() {
    let house = serde_json::to_value(fixture::report()).unwrap();
    let public = serde_json::to_value(published()).unwrap();
    let at = |value: &serde_json::Value, pointer: &str| {
        value.pointer(pointer).map(ToString::to_string).unwrap_or_default()
    };
    let wrong = TABLE.iter().flat_map(|(pointer, before, after)| {
        let pairs = [("for the house", &house, before), ("published", &public, after)];
        pairs.map(|(of, value, expected)| (of, *pointer, at(value, pointer), *expected))
    });
    let wrong: Vec<_> = wrong.filter(|(.., found, expected)| found != expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn gaps_and_small_counts_stay() {
    let public = published();
    assert!(public.sensors.iter().all(|sensor| sensor.gaps.is_empty()));
    let outage = public.sensors.iter().find(|sensor| sensor.coverage < 0.9).unwrap();
    assert_eq!((outage.coverage, outage.observed_days), (0.82, 75.0));
    let quiet = public.sensors.iter().find(|sensor| sensor.top.iter().any(|row| row.packets == 13)).unwrap();
    assert!(quiet.top.iter().all(|row| row.packets >= 10), "13 packets may be told, 4 not");
}

/// Else somebody could send a port's first packets to one address, and look for the port.
#[test]
fn the_tail_of_changes_stays() {
    let mut report = fixture::report();
    let list = |from: u16, change: fn(Service, f64) -> Change| -> Vec<Change> {
        (0..30)
            .map(|at| change(fixture::service(&format!("{}/TCP", from + at)), 900.0 - f64::from(at)))
            .collect()
    };
    report.rose = list(10_000, |service, now| Change { service, now, before: 1.0 });
    report.fell = list(20_000, |service, before| Change { service, now: 1.0, before });
    report.new = list(30_000, |service, now| Change { service, now, before: 0.0 });
    let public = public(&report);
    for (changes, last) in [(&public.rose, 10_009), (&public.fell, 20_009), (&public.new, 30_009)] {
        assert_eq!(changes.len(), 10);
        assert_eq!(changes[9].service.to_string(), format!("{last}/TCP"));
    }
}

#[test]
fn notes_stay_whatever_sensors_are_called() {
    let mut report = fixture::report();
    report.sensors[0].name = "1".to_owned();
    report.sensors[1].name = "a".to_owned();
    let public = public(&report);
    assert!(public.notes.starts_with(&report.notes), "{:?}", public.notes);
}

#[test]
fn aliases_do_not_depend_on_the_order_of_sensors_and_do_not_follow_the_alphabet() {
    let report = fixture::fleet(90);
    let mut turned = report.clone();
    turned.sensors.reverse();
    let aliases = made_up(&report);
    assert_eq!(aliases, made_up(&turned));

    let distinct: BTreeSet<_> = aliases.values().collect();
    assert_eq!(distinct.len(), 90);
    // In the order of names, a random order of 60 goes up about every other time; the alphabet's always.
    let ranks: Vec<_> = aliases
        .iter()
        .filter(|(name, _)| name.starts_with("overseas"))
        .map(|(_, alias)| (alias.len(), alias))
        .collect();
    let up = ranks.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((15..45).contains(&up), "{up} of 59");
}

#[test]
fn an_alias_is_nobodys_name() {
    let mut report = fixture::report();
    report.sensors[0].name = "japan-A".to_owned();
    let public = public(&report);
    let names: Vec<_> = public.sensors.iter().map(|sensor| sensor.name.as_str()).collect();
    assert_eq!(names, ["japan-B", "japan-C", "japan-D", "overseas-A", "overseas-B", "overseas-C"]);
}

#[rstest]
#[case(0, "A")]
#[case(25, "Z")]
#[case(26, "AA")]
#[case(701, "ZZ")]
#[case(702, "AAA")]
fn letters_go_on_after_z(#[case] at: usize, #[case] shown: &str) {
    assert_eq!(letters(at), shown);
}

#[rstest]
#[case::withheld(9, 0)]
#[case::least(10, 10)]
#[case::exact(999, 999)]
#[case::down(1_234, 1_230)]
#[case::up(1_235, 1_240)]
#[case::carried(9_996, 10_000)]
#[case::largest(u64::MAX, 18_400_000_000_000_000_000)]
fn counts_are_coarse(#[case] packets: u64, #[case] coarse: u64) {
    assert_eq!(Coarse { threshold: 10, digits: 3 }.count(packets), coarse);
}

/// Who made a surge is for one sensor to say, and so moves no byte.
#[test]
fn who_made_a_surge_moves_nothing() {
    let set_apart = fixture::report();
    let mut among = set_apart.clone();
    among.surges.append(&mut among.surges_of_one);
    let mut untold = among.clone();
    untold.surges.iter_mut().for_each(|surge| surge.origin = None);
    let mut all_apart = set_apart.clone();
    all_apart.surges_of_one.append(&mut all_apart.surges);
    let expected = files(&public(&untold)).unwrap();
    for (what, report) in [("set apart", set_apart), ("among others", among), ("all apart", all_apart)] {
        assert!(files(&public(&report)).unwrap() == expected, "{what}");
    }
}

fn given(pairs: &[(&str, &str)]) -> PublishOptions {
    let pairs = pairs.iter().map(|(name, alias)| ((*name).to_owned(), (*alias).to_owned()));
    PublishOptions { aliases: Some(pairs.collect()), ..PublishOptions::default() }
}

const ALIASES: [(&str, &str); 6] = [
    ("tokyo-dc3", "one"),
    ("osaka-edge", "two"),
    ("sapporo-lab", "three"),
    ("frankfurt-a7", "four"),
    ("santiago-b2", "five"),
    ("<b>=1|2,\"x\"", "six"),
];

#[test]
fn given_aliases_are_used() {
    let public =
        publishable(&fixture::report(), &fixture::spread(&fixture::report()), &given(&ALIASES)).unwrap();
    let names: BTreeSet<_> = public.sensors.iter().map(|sensor| sensor.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["one", "two", "three", "four", "five", "six"]));
}

#[rstest]
#[case::lacking(&ALIASES[1..], "the sensor \"tokyo-dc3\" has no alias: add a line \"tokyo-dc3\" = \"…\"")]
#[case::several_lacking(&ALIASES[2..], "has no alias, nor have 1 more")]
#[case::twice(&[&ALIASES[..5], &[("<b>=1|2,\"x\"", "one")]].concat(), "have the same alias, \"one\"")]
#[case::empty(&[&ALIASES[..5], &[("<b>=1|2,\"x\"", " ")]].concat(), "is empty: write one")]
#[case::a_name(&[&ALIASES[..5], &[("<b>=1|2,\"x\"", "osaka-edge")]].concat(), "is the name of a sensor: choose another")]
fn aliases_that_do_not_fit_are_refused(#[case] aliases: &[(&str, &str)], #[case] error: &str) {
    let refused = publishable(&fixture::report(), &fixture::spread(&fixture::report()), &given(aliases))
        .unwrap_err()
        .to_string();
    assert!(refused.contains(error), "{refused}");
}

#[rstest]
#[case::good("\"japan-1\" = \"a\"\nx = \"b\"\n", None)]
#[case::number("a = \"b\"\n\"japan-1\" = 3\n", Some("aliases.toml:2: "))]
#[case::no_toml("japan-1,a\n", Some("aliases.toml:1: "))]
fn a_file_of_aliases_is_read(#[case] text: &str, #[case] error: Option<&str>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("aliases.toml");
    std::fs::write(&path, text).unwrap();
    match (read_aliases(&path), error) {
        (Ok(aliases), None) => assert_eq!(aliases.len(), 2),
        (Err(refused), Some(error)) => assert!(refused.to_string().contains(error), "{refused}"),
        (read, _) => panic!("{read:?}"),
    }
}

#[test]
fn a_file_of_aliases_that_is_not_there_is_named() {
    let error = format!("{:#}", read_aliases(Path::new("/nowhere/aliases.toml")).unwrap_err());
    assert!(error.contains("/nowhere/aliases.toml"), "{error}");
}
