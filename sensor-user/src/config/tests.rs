//! Whole files, and what they are read as with and without flags.

use std::io::Write;
use std::path::Path;

use rstest::rstest;

use super::validate::settings;
use super::*;

mod mistakes;

fn load(content: &str, flags: Input) -> Result<Config, ConfigError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    Config::load(Input { file: Some(file.path().to_owned()), ..flags })
}

fn sensor(name: &str, region: &str, prefixes: &[&str]) -> Sensor {
    let prefixes = prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect();
    Sensor { name: name.to_owned(), region: region.to_owned(), alias: None, prefixes }
}

const EXAMPLE: &str = r#"
interfaces = ["eth0"]
listen = "127.0.0.1:19817"

[[sensor]]
name = "japan-1"
region = "japan"
prefixes = ["198.51.100.7/32", "2001:db8:7::/64"]

[export]
ports = ["23/tcp", "53/udp"]   # always a series of their own
max_ports = 500                # a sensor's series at most, these included; 0: every port
"#;

fn example() -> Config {
    Config {
        interfaces: vec!["eth0".to_owned()],
        listen: DEFAULT_LISTEN,
        hosts: vec![],
        drain_interval: DEFAULT_DRAIN_INTERVAL,
        mode: Mode::Auto,
        observe: false,
        kernel_log: KernelLog::Off,
        sensors: vec![sensor("japan-1", "japan", &["198.51.100.7/32", "2001:db8:7::/64"])],
        export: Export {
            ports: vec!["23/tcp".parse().unwrap(), "53/udp".parse().unwrap()],
            max_ports: MaxPorts::AtMost(DEFAULT_MAX_PORTS),
        },
        socket: None,
        page: Page::default(),
        allow: vec![],
        evidence: None,
        store: None,
        sources: Sources::default(),
        notices: None,
        constituencies: vec![],
    }
}

#[test]
fn the_example_is_read() {
    assert_eq!(load(EXAMPLE, Input::default()), Ok(example()));
}

const EVERY_KEY: &str = r#"
        interfaces = ["eth0", "eth1"]
        listen = "[::]:9000"
        hosts = ["sensor-1.example.net", "sensor_1."]
        drain_interval = "30s"
        mode = "generic"
        observe = true
        kernel_log = "debug"
        [[sensor]]
        name = "a"
        alias = "sensor 1"
        prefixes = ["192.0.2.1"]
        [[sensor]]
        name = "b"
        prefixes = ["0.0.0.0/1", "::/0"]
        [export]
        ports = []
        max_ports = 0
        [socket]
        path = "/run/sensor-2/s.sock"
        [page]
        path = "/run/sensor/p.sock"
        addresses_on_loopback = true
        [[allow]]
        from = ["203.0.113.0/24", "2001:db8:a::/48"]
        tcp = [22]
        udp = [161]
        icmp_echo = true
        [evidence]
        path = "/srv/evidence"
        budget = 100
        snap_length = 1514
        max_size = "64MiB"
        observe = true
        [store]
        path = "/srv/store"
        max_age = "36h"
        max_size = "64MiB"
        [sources]
        countries = "/srv/countries.mmdb"
        autonomous_systems = "/srv/systems.mmdb"
        known_scanners = "/srv/scanners.csv"
            sketch_key_file = "/srv/sketch.key"
        memory = "8MiB"
        max_labels = 7
        victim_packets = 5
        victim_time = "2m"
        victim_packets_per_minute = 10
        [notices]
        log = "/srv/notices.jsonl"
        log_max_size = "8MiB"
        template = "TEMPLATE"
        [[constituency]]
        name = "ours"
        prefixes = ["203.0.113.0/24", "2001:db8:a::/48"]
        as = [64496]
        countries = ["JP"]
    "#;

#[test]
fn every_key_is_read() {
    let mut template = tempfile::NamedTempFile::new().unwrap();
    template.write_all(b"To {constituency}").unwrap();
    let expected = Config {
        interfaces: vec!["eth0".to_owned(), "eth1".to_owned()],
        listen: "[::]:9000".parse().unwrap(),
        hosts: vec!["sensor-1.example.net".to_owned(), "sensor_1.".to_owned()],
        drain_interval: Duration::from_secs(30),
        mode: Mode::Generic,
        observe: true,
        kernel_log: KernelLog::Debug,
        sensors: vec![
            Sensor { alias: Some("sensor 1".to_owned()), ..sensor("a", "", &["192.0.2.1/32"]) },
            sensor("b", "", &["0.0.0.0/1", "::/0"]),
        ],
        export: Export { ports: vec![], max_ports: MaxPorts::All },
        socket: Some("/run/sensor-2/s.sock".into()),
        page: Page { path: Some("/run/sensor/p.sock".into()), addresses_on_loopback: true },
        allow: vec![Allow {
            from: vec!["203.0.113.0/24".parse().unwrap(), "2001:db8:a::/48".parse().unwrap()],
            tcp: vec![22],
            udp: vec![161],
            icmp_echo: true,
        }],
        evidence: Some(Evidence {
            path: "/srv/evidence".into(),
            budget: NonZeroU32::new(100).unwrap(),
            snap_length: 1514,
            max_size: 64 << 20,
            observe: true,
        }),
        store: Some(Store {
            path: "/srv/store".into(),
            max_age: Duration::from_hours(36),
            max_size: 64 << 20,
        }),
        sources: Sources {
            countries: Some("/srv/countries.mmdb".into()),
            autonomous_systems: Some("/srv/systems.mmdb".into()),
            known_scanners: Some("/srv/scanners.csv".into()),
            sketch_key_file: Some("/srv/sketch.key".into()),
            memory: 8 << 20,
            max_labels: 7,
            victims: VictimDefinition { packets: 5, time: Duration::from_mins(2), packets_per_minute: 10 },
        },
        notices: Some(Notices {
            log: Some("/srv/notices.jsonl".into()),
            log_max_size: 8 << 20,
            template: Some("To {constituency}".to_owned()),
            template_file: Some(template.path().to_owned()),
        }),
        constituencies: vec![Constituency {
            name: "ours".to_owned(),
            prefixes: vec!["203.0.113.0/24".parse().unwrap(), "2001:db8:a::/48".parse().unwrap()],
            systems: vec![64_496],
            countries: vec!["JP".parse().unwrap()],
        }],
    };
    let content = EVERY_KEY.replace("TEMPLATE", &template.path().display().to_string());
    assert_eq!(load(&content, Input::default()), Ok(expected));
}

#[rstest]
#[case::off("", false)]
#[case::with_evidence("[evidence]", true)]
#[case::counts_alone("[store]", true)]
#[case::not_under_observe("observe = true\n[evidence]", false)]
#[case::asked_for_under_observe("observe = true\n[store]", true)]
fn a_store_is_kept_with_evidence_or_where_it_is_asked_for(#[case] tables: &str, #[case] kept: bool) {
    let store = load(&format!("interfaces = [\"eth0\"]\n{tables}"), Input::default()).unwrap().store;
    assert_eq!(store, kept.then(Store::default));
}

#[rstest]
#[case::off("", false, false)]
#[case::on("[evidence]", false, true)]
#[case::not_under_observe("[evidence]", true, false)]
#[case::under_observe("[evidence]\nobserve = true", true, true)]
fn evidence_is_kept_where_it_is_asked_for(#[case] table: &str, #[case] observe: bool, #[case] kept: bool) {
    let config = load(&format!("interfaces = [\"eth0\"]\n{table}"), Input { observe, ..Input::default() });
    let config = config.unwrap();
    assert_eq!(config.evidence.is_some(), kept);
    let usual = Evidence { observe, ..Evidence::default() };
    assert!(config.evidence.is_none_or(|evidence| evidence == usual));
}

#[test]
fn flags_override_the_file() {
    let flags = Input {
        interfaces: vec!["eth7".to_owned()],
        listen: Some("192.0.2.1:80".parse().unwrap()),
        drain_interval: Some(Duration::from_secs(1)),
        mode: Some(Mode::Native),
        observe: true,
        kernel_log: Some(KernelLog::Trace),
        file: None,
    };
    let expected = Config {
        interfaces: vec!["eth7".to_owned()],
        listen: "192.0.2.1:80".parse().unwrap(),
        drain_interval: Duration::from_secs(1),
        mode: Mode::Native,
        observe: true,
        kernel_log: KernelLog::Trace,
        ..example()
    };
    assert_eq!(load(EXAMPLE, flags), Ok(expected));
}

#[test]
fn without_a_file_the_host_is_the_sensor() {
    let config = Config::load(Input { interfaces: vec!["eth0".to_owned()], ..Default::default() }).unwrap();
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(config.sensors, [sensor(hostname.trim_end(), "", &[])]);
    assert_eq!(config.export, Export::default());
}

#[test]
fn a_sole_sensor_may_monitor_everything() {
    let config = load("interfaces = ['a']\nsensor = [{ name = 'all' }]", Input::default()).unwrap();
    assert_eq!(config.sensors, [sensor("all", "", &[])]);
}

#[rstest]
#[case::default_ports_are_cut_to_the_bound("max_ports = 3", 3, 3)]
#[case::all_default_ports("", DEFAULT_PORTS.len(), 500)]
#[case::as_many_as_listed("ports = ['23/tcp']\nmax_ports = 1", 1, 1)]
#[case::most("max_ports = 131072", DEFAULT_PORTS.len(), 131_072)]
fn exported_ports(#[case] keys: &str, #[case] listed: usize, #[case] most: u32) {
    let export = settings(Path::new("f"), format!("[export]\n{keys}").as_bytes()).unwrap().export;
    assert_eq!(export.ports, *DEFAULT_PORTS.get(..listed).unwrap());
    assert_eq!(export.max_ports, MaxPorts::AtMost(most.try_into().unwrap()));
}

#[test]
fn listing_more_ports_than_the_default_bound_raises_it() {
    let ports: Vec<_> = (0..600).map(|number| format!("'{number}/tcp'")).collect();
    let export = settings(Path::new("f"), format!("[export]\nports = [{}]", ports.join(",")).as_bytes())
        .unwrap()
        .export;
    assert_eq!((export.ports.len(), export.max_ports), (600, MaxPorts::AtMost(600.try_into().unwrap())));
}

/// What the next agent reads of the rules in effect is what this one enforces.
#[rstest]
#[case::everything("")]
#[case::observing("observe = true")]
#[case::sensors_and_rules(
    "[[sensor]]\nname = 'a \\\"b'\nprefixes = ['192.0.2.1', '2001:db8::/32']\n[[sensor]]\nname = 'c'\nprefixes = ['198.51.100.0/24']\n\
     [[allow]]\nfrom = ['203.0.113.0/24']\ntcp = [22, 443]\n[[allow]]\nfrom = ['::/0']\nudp = [161]\nicmp_echo = true"
)]
fn rules_are_read_as_they_were_written(#[case] content: &str) {
    let config = load(&format!("interfaces = ['a']\n{content}"), Input::default()).unwrap();
    let read = Config::of_rules(&config.rules()).unwrap();
    let prefixes = |config: &Config| config.sensors.iter().map(|it| it.prefixes.clone()).collect::<Vec<_>>();
    assert_eq!(
        (read.observe, prefixes(&read), &read.allow),
        (config.observe, prefixes(&config), &config.allow)
    );
}
