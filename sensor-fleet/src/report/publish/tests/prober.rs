//! Somebody sends to addresses that may have sensors, to each on a port of its own, and reads what is published.

use std::collections::BTreeSet;

use clap::Parser as _;
use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use rstest::rstest;

use super::super::super::arguments::ReportArgs;
use super::super::super::history::{Counts, Observer};
use super::super::super::known::Known;
use super::super::super::model::Notices;
use super::super::super::moves::Moved;
use super::super::super::period::{Asked, Plan};
use super::super::super::write;
use crate::report::Gathering;
use crate::report::fixture::service;
use crate::report::origin::tests::file;
use crate::vocabulary::service::Service;

/// What everybody sends, to every address about the same.
const USUAL: [(&str, u64); 14] = [
    ("23/TCP", 9_000),
    ("22/TCP", 4_000),
    ("6379/TCP", 3_000),
    ("8080/TCP", 2_500),
    ("80/TCP", 2_000),
    ("ICMP", 1_500),
    ("443/TCP", 1_200),
    ("3389/TCP", 1_000),
    ("445/TCP", 900),
    ("37215/TCP", 700),
    ("53/UDP", 300),
    ("5060/UDP", 250),
    ("1433/TCP", 200),
    ("8443/TCP", 150),
];

/// The sensors' regions: the home region, which has a row of its own, is the smallest of those that may be shown.
const REGIONS: [&str; 9] =
    ["japan", "japan", "japan", "europe", "europe", "europe", "europe", "asia", "asia"];

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    report: ReportArgs,
}

/// A probe: to which address, which port, on which day of the plan from the end, and how many packets.
#[derive(Clone)]
struct Probe {
    sensor: usize,
    port: &'static str,
    days: std::ops::Range<usize>,
    packets: u64,
}

/// Days of each quarter.
const QUARTER: usize = 92;

/// What is written, by name.
type Files = Vec<(String, Vec<u8>)>;

/// The published files of a quarter.
fn published(sensors: usize, probes: &[Probe], strays: u64, language: &str) -> Files {
    written(&["--publish", "--language", language], sensors, probes, strays)
}

/// The files of a quarter; `strays` are what everybody's scans leave at every port now and then.
fn written(more: &[&str], sensors: usize, probes: &[Probe], strays: u64) -> Files {
    let arguments = ["report", "--prometheus", "http://localhost", "--quarter", "2023Q4", "--home", "japan"];
    let arguments = arguments.iter().chain(&["--output", "nowhere"]).chain(more);
    let arguments = Arguments::parse_from(arguments).report;
    let plan =
        Plan::new(Asked::Quarter("2023Q4".parse().unwrap()), &TimeZone::UTC, 28, Timestamp::MAX).unwrap();
    let days = plan.days.dates.len();
    let mut gathering = Gathering::new(&plan, &arguments, i64::MAX / 2, Moved::new());
    for (at, region) in REGIONS.iter().enumerate().take(sensors) {
        let level = |packets: u64, day: usize| {
            let noise = (day * 7_919 + at * 104_729 + usize::try_from(packets).unwrap() * 31) % 97;
            let worm = if packets == 700 && (days - 40..days - 30).contains(&day) { 9 } else { 1 };
            packets * worm * (80 + noise as u64 * 40 / 97) / 100
        };
        let mut services: Vec<(Service, Vec<Option<u64>>)> = USUAL
            .iter()
            .map(|(shown, packets)| {
                (service(shown), (0..days).map(|day| Some(level(*packets, day))).collect())
            })
            .collect();
        let ports: BTreeSet<&str> = probes.iter().map(|probe| probe.port).collect();
        for port in ports {
            let of = |day: usize| {
                let sent = probes
                    .iter()
                    .filter(|it| it.port == port && it.sensor == at && it.days.contains(&(days - 1 - day)));
                let strays = if (day + at).is_multiple_of(30) { strays } else { 0 };
                sent.map(|probe| probe.packets).sum::<u64>() + strays
            };
            let counts: Vec<u64> = (0..days).map(of).collect();
            if counts.iter().any(|count| *count > 0) {
                services.push((service(port), counts.into_iter().map(Some).collect()));
            }
        }
        let all: Vec<u64> =
            (0..days).map(|day| services.iter().filter_map(|(_, counts)| counts[day]).sum()).collect();
        let observer = Observer {
            name: format!("secret-{at}"),
            region: (*region).to_owned(),
            observed: vec![1.0; days],
        };
        gathering.add(&observer, Counts { services, all, unranked: vec![0; days] }, &Known::default());
    }
    let constituencies = [("secret-constituency".to_owned(), probes.len() as u64)].into();
    let notices = Notices { days: probes.len(), constituencies };
    let report = gathering.report(None, notices).unwrap();
    let files = write::files(&report).unwrap().into_iter();
    files.map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

fn is_picture(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension == "png")
}

/// The texts of files, without the pictures.
fn text(files: &[(String, Vec<u8>)]) -> String {
    let texts = files.iter().filter(|(name, _)| !is_picture(name));
    texts.map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect()
}

fn probe(sensor: usize, port: &'static str, days: std::ops::Range<usize>, packets: u64) -> Probe {
    Probe { sensor, port, days, packets }
}

/// The files are the same, byte for byte, whether a probe arrived at a sensor or at an address without one.
#[rstest]
#[case::a_day(probe(0, "51515/TCP", 10..11, 600))]
#[case::each_day(probe(1, "51515/TCP", 0..QUARTER, 600))]
#[case::loud(probe(8, "51515/TCP", 0..QUARTER, 10_000_000))]
#[case::before_too(probe(4, "51515/TCP", 0..2 * QUARTER, 600))]
#[case::only_before(probe(4, "51515/TCP", QUARTER..2 * QUARTER, 5_000))]
#[case::the_last_of_its_region(probe(7, "51515/TCP", 40..60, 100_000))]
fn a_probe_leaves_no_trace(#[case] probe: Probe) {
    let quiet = published(9, &[], 0, "en");
    let probed = published(9, std::slice::from_ref(&probe), 0, "en");
    assert!(quiet == probed, "{:?}", differing(&quiet, &probed));
}

/// The first lines that differ, by file.
fn differing(quiet: &Files, probed: &Files) -> Vec<String> {
    let pairs = quiet.iter().zip(probed).filter(|((name, _), _)| !is_picture(name));
    let lines = pairs.filter_map(|((name, quiet), (_, probed))| {
        let (quiet, probed) = (String::from_utf8_lossy(quiet), String::from_utf8_lossy(probed));
        let (quiet, probed) = quiet.lines().zip(probed.lines()).find(|(quiet, probed)| quiet != probed)?;
        Some(format!("{name}: {quiet} / {probed}"))
    });
    lines.collect()
}

/// Two sensors are no three either, nor are strays behind a probe of one.
#[rstest]
#[case::two(&[probe(0, "51515/TCP", 0..90, 600), probe(5, "51515/TCP", 0..90, 700)], 0)]
#[case::strays(&[probe(0, "51515/TCP", 0..90, 600)], 3)]
#[case::many(&[
    probe(0, "50001/TCP", 5..6, 900), probe(1, "50002/TCP", 5..6, 900), probe(2, "50003/TCP", 5..6, 900),
    probe(3, "50004/TCP", 5..6, 900), probe(4, "50005/TCP", 5..6, 900), probe(7, "50006/TCP", 5..6, 900),
], 0)]
fn no_port_that_was_probed_is_found(#[case] probes: &[Probe], #[case] strays: u64) {
    for language in ["en", "ja"] {
        let text = text(&published(9, probes, strays, language));
        for probe in probes {
            let (number, _) = probe.port.split_once('/').unwrap();
            let port = format!("{number}/TCP");
            let seen: Vec<&str> =
                text.lines().filter(|line| line.contains(&port) && !line.contains("changes")).collect();
            // What a few strays on every sensor make of a port may be told, the probe behind them not.
            assert!(strays > 0 || seen.is_empty(), "{port}: {seen:?}");
        }
        assert!(!text.contains("secret-"), "a name is told");
    }
    if strays > 0 {
        let unprobed: Vec<Probe> = probes.iter().map(|it| Probe { packets: 0, ..it.clone() }).collect();
        let (quiet, probed) = (published(9, &unprobed, strays, "en"), published(9, probes, strays, "en"));
        assert!(quiet == probed, "{:?}", differing(&quiet, &probed));
    }
}

/// One network makes the worm on five of nine sensors, as the agents' files tell, until a prober floods one of the five: in a
/// report for the house its surge is then in the other list.
#[test]
fn a_flood_does_not_decide_who_made_a_surge() {
    let folder = tempfile::tempdir().unwrap();
    // The worm's ten days, and some around them.
    let first = date(2023, 11, 19);
    let write = |sensor: usize, source: &str, packets: u64| {
        for day in first.series(1.day()).take(16) {
            for hour in 0..24 {
                let flows = [(source, "37215/tcp", packets), ("192.0.2.1", "37215/tcp", 1)];
                file(folder.path(), &format!("secret-{sensor}"), &format!("{day}T{hour:02}"), &flows);
            }
        }
    };
    let with_files = ["--files", folder.path().to_str().unwrap()];
    let house = || text(&written(&with_files, 9, &[], 0));
    let public = || written(&[&with_files[..], &["--publish"]].concat(), 9, &[], 0);
    let apart = "Surges of one source";

    let without_files = published(9, &[], 0, "en");
    (0..5).for_each(|sensor| write(sensor, "203.0.113.9", 200));
    assert!(house().contains(apart), "the files tell nothing");
    let quiet = public();
    write(2, "198.51.100.7", 1_000_000);
    assert!(!house().contains(apart), "the flood decides nothing");
    let flooded = public();
    for files in [&quiet, &flooded] {
        assert!(*files == without_files, "{:?}", differing(&without_files, files));
    }
}

/// With a sensor more or less, a report has a row more or less, and nothing of what the sensor alone saw.
#[test]
fn a_sensor_more_does_not_tell_its_address() {
    let probes = [probe(8, "51515/TCP", 0..90, 10_000), probe(3, "51516/TCP", 0..90, 10_000)];
    let (with, without) = (text(&published(9, &probes, 0, "en")), text(&published(8, &probes, 0, "en")));
    assert_eq!(
        (with.matches("asia-").count() > without.matches("asia-").count(), with == without),
        (true, false)
    );
    for text in [&with, &without] {
        assert!(!text.contains("51515") && !text.contains("51516"), "{text}");
    }
}

/// What would be told of a region with one or two sensors is that of these.
#[test]
fn a_region_of_two_is_in_no_row_and_in_no_difference() {
    let files = published(9, &[], 0, "en");
    let (_, json) = files.iter().find(|(name, _)| name == "report.json").unwrap();
    let report: serde_json::Value = serde_json::from_slice(json).unwrap();
    let months = report["monthly"].as_array().unwrap();
    assert_eq!(months.len(), 3);
    for month in months {
        let regions: Vec<&String> = month["regions"].as_object().unwrap().keys().collect();
        // Asia has two sensors: with it goes the smallest other, or all less the rest would be Asia's.
        assert_eq!(regions, ["japan"], "{month}");
        assert!(!month["home"].is_null() && !month["overseas"].is_null(), "{month}");
    }
    let surges = report["surges"].as_array().unwrap();
    assert!(!surges.is_empty(), "the worm on every sensor is there");
    assert!(surges.iter().all(|surge| surge["sensors"].as_array().unwrap().len() >= 3), "{surges:?}");
}

/// What the tests above would find in a report for the house.
#[test]
fn a_report_for_the_house_has_it() {
    let probes = [probe(8, "51515/TCP", 0..90, 10_000)];
    let text = text(&written(&[], 9, &probes, 0));
    assert!(text.contains("51515/TCP") && text.contains("secret-8"));
}
