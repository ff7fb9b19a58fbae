use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rstest::rstest;
use sensor_common::layout::{Malformed, SeriesKey, SeriesRecord, Slot};

use crate::config::{
    Export, MaxPorts, Members, NumberedConstituency, NumberedSensor, Port, Sensor, SensorNumber, Transport,
};
use crate::counters::select::FORGET;
use crate::counters::{MemoryStore, SeriesStore, Slots, Snapshot, SnapshotBuilder};
use crate::export::{AttachStatus, Exporter, FAMILIES, SOURCE_FAMILIES, Scraper};
use crate::kernel::AttachedMode;

const SECOND: Duration = Duration::from_secs(1);

/// A store that outlives its exporter.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<MemoryStore>>);

impl SeriesStore for Shared {
    fn load(&self) -> anyhow::Result<Vec<(SeriesKey, SeriesRecord)>> {
        self.0.lock().unwrap().load()
    }

    fn set(&mut self, key: SeriesKey, record: SeriesRecord) -> anyhow::Result<()> {
        self.0.lock().unwrap().set(key, record)
    }

    fn remove(&mut self, key: SeriesKey) -> anyhow::Result<()> {
        self.0.lock().unwrap().remove(key)
    }
}

fn export() -> Export {
    Export {
        ports: vec![Port { transport: Transport::Tcp, number: 23 }],
        max_ports: MaxPorts::AtMost(NonZeroU32::new(10).unwrap()),
    }
}

fn sensors(names: &[&str], numbers: &[u32]) -> Vec<NumberedSensor> {
    let sensor = |(name, &number): (&&str, &u32)| NumberedSensor {
        number: SensorNumber(number),
        sensor: Sensor {
            name: (*name).into(),
            region: "japan".into(),
            alias: None,
            prefixes: vec!["198.51.100.7/32".parse().unwrap()],
        },
    };
    names.iter().zip(numbers).map(sensor).collect()
}

fn exporter(names: &[&str]) -> Exporter {
    let numbers: Vec<_> = (0..).take(names.len()).collect();
    Exporter::new(&sensors(names, &numbers), &export(), Box::new(MemoryStore::default())).unwrap()
}

/// An exporter that has seen the counters at 0, as it does on a host where no agent ran before.
fn started(names: &[&str], now: Instant) -> Exporter {
    let mut exporter = exporter(names);
    exporter.observe(now, snapshot(&vec![&[][..]; names.len()]), SECOND);
    exporter
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
        AttachStatus { interface: "eth0".into(), mode: Some(AttachedMode::Native), egress: true },
        AttachStatus { interface: "eth1".into(), mode: None, egress: false },
    ]
}

/// The page, as it is served.
fn text(exporter: &mut Exporter, now: Instant) -> String {
    let page = exporter.page(now, &attached(), scraper()).unwrap();
    String::from_utf8(page.into()).unwrap()
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
fn a_drain_that_failed_is_on_a_page_without_counters() {
    let mut exporter = started(&["a"], Instant::now());
    exporter.observe(Instant::now(), snapshot(&[&[(Slot::tcp(23), 5)]]), SECOND / 2000);
    exporter.drain_failed();
    let page = exporter.page_without_counters(&attached()).unwrap();
    let page = std::str::from_utf8(&page).unwrap();
    let values = parse(page);
    for (series, value) in [
        ("sensor_drain_failures_total", "1"),
        (r#"sensor_xdp_attached{interface="eth0",mode="native"}"#, "1"),
        ("sensor_drain_duration_seconds_count", "2"),
    ] {
        assert_eq!(values.get(series), Some(&value), "{series}");
    }
    // Neither what may be out of date, nor what would have the sensor taken for one that observes.
    for family in ["sensor_packets_total", "sensor_passed_packets_total", "sensor_info"] {
        assert!(!page.contains(family), "{page}");
    }
}

#[test]
fn a_page_says_what_was_counted() {
    let mut exporter = started(&["a", "b"], Instant::now());
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
    let page = text(&mut exporter, Instant::now());
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
        (r#"sensor_egress_attached{interface="eth0"}"#, "1"),
        (r#"sensor_egress_attached{interface="eth1"}"#, "0"),
        (r#"sensor_exported_ports{sensor="a"}"#, "1"),
        ("sensor_drain_duration_seconds_count", "2"),
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

#[rstest]
#[case::every_address(&[], None)]
#[case::of_ipv4(&["198.51.100.0/24", "203.0.113.7/32", "2001:db8::/64"], Some("257"))]
#[case::of_ipv6_alone(&["2001:db8::/64"], Some("0"))]
fn monitored_addresses_are_those_of_the_prefixes(#[case] prefixes: &[&str], #[case] expected: Option<&str>) {
    let mut exporter = exporter(&["a"]);
    let mut sensors = sensors(&["a"], &[0]);
    sensors[0].sensor.prefixes = prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect();
    // By a reload, as by a start.
    exporter.reconfigure(&sensors, &export()).unwrap();
    exporter.observe(Instant::now(), snapshot(&[&[]]), SECOND);
    let page = text(&mut exporter, Instant::now());
    assert_eq!(parse(&page).get(r#"sensor_ipv4_addresses{sensor="a"}"#).copied(), expected);
}

#[test]
fn the_page_has_the_listed_families_and_no_others() {
    let mut exporter = exporter(&["a"]);
    let members = Members { name: "ours".to_owned(), prefixes: vec![] };
    exporter.tell_constituencies(&[NumberedConstituency { number: 3, members }]);
    exporter.observe(Instant::now(), snapshot(&[&[]]), SECOND);
    let page = text(&mut exporter, Instant::now());
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
    let all = || FAMILIES.iter().chain(&SOURCE_FAMILIES);
    let names: HashSet<_> = all().map(|family| family.name).collect();
    assert_eq!(names.len(), all().count());
    for family in all() {
        assert!(family.help.ends_with('.') && family.help.starts_with(char::is_uppercase), "{family:?}");
    }
}

#[test]
fn serving_a_page_is_what_opens_its_series() {
    let start = Instant::now();
    let mut exporter = started(&["a"], start);
    let mut packets = 0;
    let mut page = String::new();
    for bucket in 0..4 {
        packets += 5;
        let now = start + bucket * crate::counters::select::BUCKET;
        exporter.observe(now, snapshot(&[&[(Slot::tcp(80), packets)]]), SECOND);
        page = text(&mut exporter, now);
    }
    // Seen in the first two buckets, on the page at the end of the second, and open after it.
    let values = parse(&page);
    assert_eq!(values[r#"sensor_packets_total{sensor="a",protocol="tcp",port="80"}"#], "5");
    assert_eq!(values[r#"sensor_packets_total{sensor="a",protocol="tcp",port="other"}"#], "15");
}

/// Packets that the page has for each sensor's port 23 and for the rest of its TCP ports.
fn tcp(exporter: &mut Exporter, now: Instant, names: &[&str]) -> Vec<[Option<u64>; 2]> {
    let page = text(exporter, now);
    let values = parse(&page);
    let of = |name: &str, port: &str| {
        let series = format!(r#"sensor_packets_total{{sensor="{name}",protocol="tcp",port="{port}"}}"#);
        values.get(series.as_str()).map(|value| value.parse().unwrap())
    };
    names.iter().map(|name| [of(name, "23"), of(name, "other")]).collect()
}

/// Drains after which two of three sensors have a series 23 that doesn't say all that its slot has counted.
fn promoted(exporter: &mut Exporter, start: Instant) -> Vec<Vec<(Slot, u64)>> {
    let mut counted = vec![vec![(Slot::tcp(23), 5)], vec![(Slot::tcp(23), 7), (Slot::tcp(80), 100)], vec![]];
    for drain in 0..3 {
        let slots: Vec<_> = counted.iter().map(Vec::as_slice).collect();
        exporter.observe(start + drain * FORGET, snapshot(&slots), SECOND);
        text(exporter, start + drain * FORGET);
        counted[0][0].1 += 10;
        counted[1][0].1 += 20;
    }
    counted
}

#[test]
fn a_restart_finds_the_series_of_each_sensor_by_its_number() {
    let start = Instant::now();
    let store = Shared::default();
    let boxed = || Box::new(store.clone());
    let mut exporter = Exporter::new(&sensors(&["a", "b"], &[4, 2]), &export(), boxed()).unwrap();
    let counted = promoted(&mut exporter, start);
    let before = tcp(&mut exporter, start, &["a", "b"]);
    assert!(before[0][0] > Some(0) && before[1][0] > Some(0), "{before:?}");
    drop(exporter);

    let mut exporter = Exporter::new(&sensors(&["b", "c", "a"], &[2, 0, 4]), &export(), boxed()).unwrap();
    exporter.observe(start, snapshot(&[&counted[1], &[], &counted[0]]), SECOND);
    let [[a23, a_other], [b23, b_other]] = before[..] else { unreachable!() };
    assert_eq!(
        tcp(&mut exporter, start, &["a", "b", "c"]),
        [
            [a23.map(|packets| packets + 10), a_other],
            [b23.map(|packets| packets + 20), b_other],
            [Some(0), Some(0)],
        ]
    );
    drop(exporter);

    // Without a, and with its number given to d once there was an agent without it.
    let mut exporter = Exporter::new(&sensors(&["b"], &[2]), &export(), boxed()).unwrap();
    exporter.observe(start, snapshot(&[&counted[1]]), SECOND);
    drop(exporter);
    let mut exporter = Exporter::new(&sensors(&["d", "b"], &[4, 2]), &export(), boxed()).unwrap();
    exporter.observe(start, snapshot(&[&[(Slot::tcp(23), 1)], &counted[1]]), SECOND);
    assert_eq!(
        tcp(&mut exporter, start, &["d", "b"]),
        [[Some(0), Some(1)], [b23.map(|packets| packets + 20), b_other],]
    );
}

#[test]
fn a_reload_keeps_the_sensors_that_stay_whatever_their_order() {
    let start = Instant::now();
    let store = Shared::default();
    let mut exporter =
        Exporter::new(&sensors(&["a", "b", "c"], &[0, 1, 2]), &export(), Box::new(store.clone())).unwrap();
    let mut counted = promoted(&mut exporter, start);
    let before = tcp(&mut exporter, start, &["a", "b"]);

    assert!(store.load().unwrap().iter().any(|(key, _)| key.sensor == 2));
    exporter.reconfigure(&sensors(&["d", "b", "a"], &[3, 1, 0]), &export()).unwrap();
    assert!(exporter.page(start, &attached(), scraper()).is_err(), "there is nothing of d yet");
    exporter.observe(start, snapshot(&[&[], &counted[1], &counted[0]]), SECOND);
    let [[a23, a_other], [b23, b_other]] = before[..] else { unreachable!() };
    let after = [[a23.map(|packets| packets + 10), a_other], [b23.map(|packets| packets + 20), b_other]];
    assert_eq!(tcp(&mut exporter, start, &["a", "b"]), after);
    assert_eq!(tcp(&mut exporter, start, &["c", "d"]), [[None, None], [Some(0), Some(0)]]);
    assert!(store.load().unwrap().iter().any(|(key, _)| key.sensor == 2), "c may come back");

    // Another name under a's number is another sensor.
    crate::counters::store::forget(&mut store.clone(), SensorNumber(0)).unwrap();
    exporter.reconfigure(&sensors(&["b", "e"], &[1, 0]), &export()).unwrap();
    counted[1][0].1 += 1;
    exporter.observe(start, snapshot(&[&counted[1], &[]]), SECOND);
    assert_eq!(
        tcp(&mut exporter, start, &["b", "e"]),
        [[b23.map(|packets| packets + 21), b_other], [Some(0), Some(0)]]
    );
}

#[test]
fn a_drain_gives_back_the_memory_of_the_one_before() {
    let mut exporter = exporter(&["a"]);
    assert!(exporter.observe(Instant::now(), snapshot(&[&[]]), SECOND).is_none());
    let spare = exporter.observe(Instant::now(), snapshot(&[&[(Slot::tcp(23), 1)]]), SECOND).unwrap();
    assert_eq!(spare.sensors[0].total().packets, 0);
}

#[test]
fn the_page_says_what_time_it_is() {
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let before = now();
    let page = text(&mut started(&["a"], Instant::now()), Instant::now());
    let values = parse(&page);
    let said: u64 = values["sensor_time_seconds"].parse().unwrap();
    assert!((before..=now()).contains(&said), "{said}, not {before}");
}
