use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
    time::{Duration, Instant},
};

use prometheus::Registry;
use sensor_common::layout::{Malformed, Slot};

use crate::{
    config::{Export, MaxPorts, Port, Sensor, Transport},
    counters::{Slots, Snapshot, SnapshotBuilder},
    export::{AttachStatus, Exporter, FAMILIES, Scraper},
    kernel::AttachedMode,
};

const SECOND: Duration = Duration::from_secs(1);

fn exporter(names: &[&str]) -> Exporter {
    let sensor = |name: &&str| Sensor { name: (*name).into(), region: "japan".into(), prefixes: Vec::new() };
    let export = Export {
        ports: vec![Port { transport: Transport::Tcp, number: 23 }],
        max_ports: MaxPorts::AtMost(NonZeroU32::new(10).unwrap()),
    };
    Exporter::new(&names.iter().map(sensor).collect::<Vec<_>>(), &export)
}

fn snapshot(sensors: &[&[(Slot, u64)]]) -> Snapshot {
    let mut snapshot = SnapshotBuilder::new(0).finish();
    snapshot.sensors = sensors
        .iter()
        .map(|counted| {
            let mut slots = Slots::default();
            for &(slot, packets) in *counted {
                slots.add(slot, packets, packets * 60);
            }
            slots
        })
        .collect();
    snapshot
}

fn scraper() -> Scraper {
    Scraper::new([127, 0, 0, 1].into(), None)
}

fn attached() -> [AttachStatus; 2] {
    [
        AttachStatus { interface: "eth0".into(), mode: Some(AttachedMode::Native) },
        AttachStatus { interface: "eth1".into(), mode: None },
    ]
}

/// Series and values of a page; no series may be there twice.
fn parse(page: &str) -> HashMap<&str, &str> {
    let mut values = HashMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert_eq!(values.insert(series, value), None, "{series} is there twice");
    }
    values
}

#[test]
fn before_the_first_drain_there_is_no_page() {
    let mut exporter = exporter(&["a"]);
    assert!(exporter.page(Instant::now(), &attached(), scraper()).is_err());
    assert!(exporter.slots().is_err());
}

#[test]
fn a_page_says_what_was_counted() {
    let mut exporter = exporter(&["a", "b"]);
    let counted: [&[_]; 2] = [
        &[
            (Slot::tcp(23), 5),
            (Slot::tcp(80), 7),
            (Slot::udp(53), 11),
            (Slot::icmp(8, 0), 13),
            (Slot::protocol_v6(47), 17),
            (Slot::malformed(Malformed::Ipv4Version), 19),
        ],
        &[(Slot::tcp(23), (1 << 53) - 1)],
    ];
    exporter.observe(Instant::now(), snapshot(&counted), SECOND / 2000);
    exporter.drain_failed();
    let page = exporter.page(Instant::now(), &attached(), scraper()).unwrap();
    let values = parse(&page);
    for (series, value) in [
        (r#"sensor_packets_total{sensor="a",protocol="tcp",port="23"}"#, "5"),
        (r#"sensor_bytes_total{sensor="a",protocol="tcp",port="23"}"#, "300"),
        (r#"sensor_packets_total{sensor="a",protocol="tcp",port="other"}"#, "7"),
        (r#"sensor_packets_total{sensor="a",protocol="udp",port="other"}"#, "11"),
        (r#"sensor_packets_total{sensor="a",protocol="icmp",port=""}"#, "13"),
        (r#"sensor_packets_total{sensor="a",protocol="gre",port=""}"#, "17"),
        (r#"sensor_packets_total{sensor="a",protocol="udp",port="fragment"}"#, "0"),
        (r#"sensor_packets_total{sensor="a",protocol="malformed",port=""}"#, "19"),
        (r#"sensor_packets_total{sensor="b",protocol="tcp",port="23"}"#, "9007199254740991"),
        (r#"sensor_withdrawn_packets{sensor="a",protocol="udp"}"#, "0"),
        (r#"sensor_icmp_packets_total{sensor="a",protocol="icmp",type="8",code="0"}"#, "13"),
        (r#"sensor_malformed_packets_total{sensor="a",reason="ipv4_version"}"#, "19"),
        (r#"sensor_passed_packets_total{reason="non_ip"}"#, "0"),
        (r#"sensor_info{sensor="b",region="japan"}"#, "1"),
        (r#"sensor_xdp_attached{interface="eth0",mode="native"}"#, "1"),
        (r#"sensor_xdp_attached{interface="eth0",mode="generic"}"#, "0"),
        (r#"sensor_xdp_attached{interface="eth1",mode="native"}"#, "0"),
        (r#"sensor_exported_ports{sensor="a"}"#, "1"),
        ("sensor_drain_duration_seconds_count", "1"),
        (r#"sensor_drain_duration_seconds_bucket{le="0.0005"}"#, "1"),
        ("sensor_drain_failures_total", "1"),
        (r#"sensor_http_closed_connections_total{reason="slow"}"#, "0"),
    ] {
        assert_eq!(values.get(series), Some(&value), "{series}\n{page}");
    }
    let total: u64 = values
        .iter()
        .filter(|(series, _)| series.starts_with(r#"sensor_packets_total{sensor="a""#))
        .map(|(_, value)| value.parse::<u64>().unwrap())
        .sum();
    assert_eq!(total, 5 + 7 + 11 + 13 + 17 + 19);
}

#[test]
fn the_page_has_the_listed_families_and_no_others() {
    let mut exporter = exporter(&["a"]);
    exporter.observe(Instant::now(), snapshot(&[&[]]), SECOND);
    let page = exporter.page(Instant::now(), &attached(), scraper()).unwrap();
    let typed: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split(' ').next().unwrap())
        .filter(|name| !name.starts_with("process_"))
        .collect();
    let listed: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(typed, listed);
    assert!(page.contains("\nprocess_resident_memory_bytes "));

    for series in parse(&page).into_keys() {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let Some(family) = FAMILIES.iter().find(|family| family.name == name) else { continue };
        let labels: Vec<_> = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).collect();
        assert_eq!(labels, family.labels, "{series}");
    }
}

#[test]
fn help_texts_are_sentences() {
    let names: HashSet<_> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), FAMILIES.len());
    for family in FAMILIES {
        assert!(family.help.ends_with('.') && family.help.starts_with(char::is_uppercase), "{family:?}");
    }
}

#[test]
fn a_registry_takes_the_collector() {
    let mut exporter = exporter(&["a"]);
    exporter.observe(Instant::now(), snapshot(&[&[(Slot::tcp(23), 1)]]), SECOND);
    let registry = Registry::new();
    registry.register(Box::new(exporter)).unwrap();
    assert!(registry.gather().iter().any(|family| family.name() == "sensor_packets_total"));
}

#[test]
fn serving_a_page_is_what_opens_its_series() {
    let start = Instant::now();
    let mut exporter = exporter(&["a"]);
    let mut packets = 0;
    let mut page = String::new();
    for bucket in 0..4 {
        packets += 5;
        let now = start + bucket * crate::counters::select::BUCKET;
        exporter.observe(now, snapshot(&[&[(Slot::tcp(80), packets)]]), SECOND);
        page = exporter.page(now, &attached(), scraper()).unwrap();
    }
    // Seen in the first two buckets, on the page at the end of the second, and open after it.
    let values = parse(&page);
    assert_eq!(values[r#"sensor_packets_total{sensor="a",protocol="tcp",port="80"}"#], "5");
    assert_eq!(values[r#"sensor_packets_total{sensor="a",protocol="tcp",port="other"}"#], "15");
}
