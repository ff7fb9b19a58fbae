use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::civil::date;
use jiff::tz::TimeZone;
use rstest::rstest;

use super::*;
use crate::report::model::{Level, SurgeKind, SurgeOnSensor};
use crate::vocabulary::verdict::SurgeVerdict;

/// A surge of 23/TCP on two sensors, on the 10th and 11th of May in Japan.
fn surge() -> Surge {
    let on = |sensor: &str| SurgeOnSensor {
        sensor: sensor.to_owned(),
        region: "japan".to_owned(),
        packets: 100,
        baseline: 10.0,
        p: 1e-9,
        around: Vec::new(),
    };
    Surge {
        service: Service::from_labels("tcp", "23").unwrap(),
        kind: SurgeKind::Surge,
        from: date(2026, 5, 10),
        to: date(2026, 5, 11),
        continues: false,
        level: Level::Sensor,
        peak: date(2026, 5, 10),
        verdict: SurgeVerdict::Mixed,
        judged: 3,
        sensors: vec![on("a"), on("b")],
        origin: None,
        lead: 0,
        cost: 0.001,
    }
}

fn days() -> Days {
    Days::new(date(2026, 5, 1), date(2026, 5, 31), &TimeZone::get("Asia/Tokyo").unwrap()).unwrap()
}

/// Writes an agent's file of an hour, such as `2026-05-10T08`: flows are sources, slots and packets.
pub(in crate::report) fn file(folder: &Path, sensor: &str, hour: &str, flows: &[(&str, &str, u64)]) {
    let begin = format!("{hour}:00:00Z");
    let mut text = String::new();
    for (source, slot, packets) in flows {
        let (port, protocol) =
            slot.split_once('/').map_or(("null", *slot), |(port, protocol)| (port, protocol));
        writeln!(
            text,
            r#"{{"hour":"{begin}","sensor":"{sensor}","source":"{source}","slot":"{slot}","protocol":"{protocol}","port":{port},"tool":null,"packets":{packets},"bytes":60,"first":"{begin}","last":"{begin}","summary":null}}"#
        )
        .unwrap();
    }
    writeln!(
        text,
        r#"{{"hour":"{begin}","sensor":"{sensor}","source":null,"slot":"summary","protocol":null,"port":null,"tool":null,"packets":null,"bytes":null,"first":null,"last":null,"summary":{{"observed":0,"missed":0,"sources":0,"exact":true}}}}"#
    )
    .unwrap();
    let name = format!("flows-{sensor}-{}Z.jsonl.gz", hour.replace('-', ""));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    fs::write(folder.join(name), gzip.finish().unwrap()).unwrap();
}

fn told(folder: &Path) -> (Surge, Untold) {
    let mut surges = [surge()];
    let untold = tell(folder, &days(), ["a", "b", "c"].into_iter(), &mut surges).unwrap();
    let [surge] = surges;
    (surge, untold)
}

/// What sources sent to 23/TCP.
type Flows<'a> = &'a [(&'a str, u64)];

/// Who made a surge of 23/TCP on so many sensors, by files of so many of its 48 hours of each.
fn made(on: &[(Flows<'_>, i64)]) -> Option<Maker> {
    let mut surge = surge();
    let named = |at: usize| SurgeOnSensor { sensor: format!("s{at}"), ..surge.sensors[0].clone() };
    surge.sensors = (0..on.len()).map(named).collect();
    let mut surges = [surge];
    let days = days();
    let mut search = Search::new(&surges, &days);
    let (begin, _) = days.span(9);
    for (at, (flows, hours)) in on.iter().enumerate() {
        let row = |(source, packets): &(&str, u64)| {
            let (source, port) = source.split_once(' ').unwrap_or((*source, "23"));
            (Service::from_labels("tcp", port).unwrap(), source.parse::<Source>().unwrap(), *packets)
        };
        let rows: Vec<_> = flows.iter().map(row).collect();
        for hour in 0..*hours {
            search.add(&format!("s{at}"), begin + hour * HOUR, if hour == 0 { &rows[..] } else { &[] });
        }
    }
    search.tell(&mut surges);
    let [surge] = surges;
    surge.origin.unwrap().one
}

#[rstest]
#[case::one_source(&[("203.0.113.9", 93), ("198.51.100.1", 7)], Some(("203.0.113.9", "", 0.93)))]
#[case::one_network(&[("203.0.113.9", 40), ("203.0.113.10", 40), ("198.51.100.1", 20)], Some(("203.0.113.0/24", "/24", 0.8)))]
#[case::one_of_ipv6(&[("2001:db8:1:2::/64", 30), ("2001:db8:1:3::/64", 30), ("198.51.100.1", 1)], Some(("2001:db8:1::/48", "/48", 60.0 / 61.0)))]
#[case::many(&[("203.0.113.9", 1), ("198.51.100.1", 1), ("192.0.2.1", 1)], None)]
#[case::half(&[("203.0.113.9", 5), ("198.51.100.1", 5)], Some(("198.51.100.1", "", 0.5)))]
#[case::other_ports_are_not_its(&[("203.0.113.9 80", 900), ("198.51.100.1", 1)], Some(("198.51.100.1", "", 1.0)))]
fn who_made_it(#[case] flows: Flows<'_>, #[case] expected: Option<(&str, &'static str, f64)>) {
    let one = made(&[(flows, 48)]);
    let one = one.as_ref().map(|one| (one.name.as_str(), one.length, one.share));
    assert_eq!(one, expected);
}

const ONE: Flows<'static> = &[("203.0.113.9", 90), ("198.51.100.1", 10)];
const OTHER: Flows<'static> = &[("192.0.2.7", 80), ("198.51.100.1", 20)];
const MANY: Flows<'static> = &[("203.0.113.9", 30), ("198.51.100.1", 30), ("192.0.2.1", 30)];
/// All packets of other sensors are few beside these.
const LOUD: Flows<'static> = &[("192.0.2.7", 1_000_000), ("203.0.113.9", 90)];
const NONE: Flows<'static> = &[];

/// Each sensor counts the same, however loud a source is on one.
#[rstest]
#[case::on_both(&[(ONE, 48), (ONE, 48)], Some(("203.0.113.9", 0.9, 2)))]
#[case::on_half_is_not_on_most(&[(ONE, 48), (MANY, 48)], None)]
#[case::on_two_of_three(&[(ONE, 48), (MANY, 48), (ONE, 48)], Some(("203.0.113.9", 0.9, 2)))]
#[case::on_three_of_four(&[(ONE, 48), (MANY, 48), (ONE, 48), (ONE, 48)], Some(("203.0.113.9", 0.9, 3)))]
#[case::loud_on_one(&[(LOUD, 48), (MANY, 48), (MANY, 48)], None)]
#[case::beside_a_louder(&[(ONE, 48), (LOUD, 48), (ONE, 48), (ONE, 48)], Some(("203.0.113.9", 0.9, 3)))]
#[case::another_on_each(&[(ONE, 48), (OTHER, 48)], None)]
#[case::a_tenth_of_the_hours_may_lack(&[(ONE, 44)], Some(("203.0.113.9", 0.9, 1)))]
#[case::more_may_not(&[(ONE, 43)], None)]
#[case::who_does_not_tell_is_one_that_saw_it(&[(ONE, 48), (NONE, 0)], None)]
fn one_made_what_most_sensors_saw(
    #[case] on: &[(Flows<'_>, i64)],
    #[case] expected: Option<(&str, f64, usize)>,
) {
    let one = made(on);
    assert_eq!(one.as_ref().map(|one| (one.name.as_str(), one.share, one.sensors)), expected);
}

/// Its days are those of the report's zone, its sensors those that saw it.
#[rstest]
#[case::before_its_first_midnight("a", "2026-05-09T14", false)]
#[case::its_first_hour("a", "2026-05-09T15", true)]
#[case::its_last_hour("b", "2026-05-11T14", true)]
#[case::after_its_last("b", "2026-05-11T15", false)]
#[case::on_another_sensor("c", "2026-05-10T08", false)]
#[case::on_one_that_the_report_does_not_know("d", "2026-05-10T08", false)]
fn only_its_own_hours_count(#[case] sensor: &str, #[case] hour: &str, #[case] counts: bool) {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), sensor, hour, &[("203.0.113.9", "23/tcp", 5)]);
    assert_eq!(told(folder.path()).0.origin.is_some(), counts);
}

#[test]
fn hours_add_up_and_copies_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let copies = folder.path().join("copies");
    fs::create_dir(&copies).unwrap();
    for place in [folder.path(), &copies] {
        file(place, "a", "2026-05-10T08", &[("203.0.113.9", "23/tcp", 5)]);
    }
    file(folder.path(), "b", "2026-05-10T08", &[("203.0.113.9", "23/tcp", 2), ("192.0.2.1", "23/tcp", 3)]);
    let origin = told(folder.path()).0.origin.unwrap();
    assert_eq!((origin.packets, origin.hours, origin.of_hours), (10, 2, 2 * 48));
    let source = origin.source.unwrap();
    assert_eq!((source.name.as_str(), source.share), ("203.0.113.9", 0.7));
}

#[test]
fn a_broken_file_is_named_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "a", "2026-05-10T08", &[("203.0.113.9", "23/tcp", 5)]);
    let path = folder.path().join("flows-b-20260510T08Z.jsonl.gz");
    fs::write(&path, "no gzip").unwrap();
    let (surge, untold) = told(folder.path());
    assert_eq!((surge.origin.map(|of| of.packets), untold.files), (Some(5), 1));
    assert_eq!(untold.broken.unwrap().0, path.display().to_string());
}

#[test]
fn a_folder_that_is_none_is_an_error() {
    let error = tell(Path::new("/nowhere"), &days(), std::iter::empty(), &mut []).unwrap_err();
    assert!(format!("{error:#}").contains("/nowhere: name a folder"));
}

/// A million sources that send one packet each do not hide the one that sends a thousandth more than that.
#[test]
fn many_sources_are_told_in_bounded_memory() {
    let mut look = Look::at(&surge(), &days());
    let service = surge().service;
    let rows: Vec<_> = (0..1_000_000_u32)
        .map(|at| (service.clone(), Source::V4(at.wrapping_mul(2_654_435_761).into()), 1))
        .chain(std::iter::once((service.clone(), "203.0.113.9".parse().unwrap(), 1_500_000)))
        .collect();
    look.add("a", look.from, &rows);
    let origin = look.origin().unwrap();
    let source = origin.source.unwrap();
    assert_eq!((origin.packets, source.name.as_str()), (2_500_000, "203.0.113.9"));
    assert!((0.599..=0.601).contains(&source.share), "{}", source.share);
}
