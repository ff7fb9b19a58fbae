//! Sources: what the commands and metrics say of them is the truth of the traffic that was sent.

mod anonymized;
mod flood;
mod printed;

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::cli::{Said, sensor};
use sensor_harness::frame::frame;
use sensor_harness::metrics::Page;
use sensor_harness::mmdb::{country, mmdb, system};
use sensor_harness::needs_root;
use sensor_harness::pace::until;
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;
use serde_json::Value;

/// An agent with a sensor of a /24, which looks at sources.
struct Scene {
    wire: Wire,
    folder: tempfile::TempDir,
    agent: AgentProcess,
}

/// Victims are under attack for two seconds here, not for a minute.
const SOURCES: &str = "[sources]\nvictim_time = \"2s\"\n";

impl Scene {
    fn new(sources: impl FnOnce(&Path) -> String) -> Result<Self> {
        let (wire, folder) = (Wire::new()?, tempfile::tempdir()?);
        let config = config(folder.path(), &sources(folder.path()));
        let agent = Launch::new(&wire.near.namespace).interface("sensor0").config(&config).start()?;
        Ok(Self { wire, folder, agent })
    }

    fn send(&self, frames: &[Vec<u8>]) -> Result<()> {
        Sender::new(&self.wire)?.send(frames)
    }

    fn ask(&self, arguments: &[&str]) -> Result<Said> {
        sensor(&self.wire.near.namespace, arguments)
    }

    /// The lines of an answer about `what`.
    fn lines(&self, arguments: &[&str], what: &str) -> Result<Vec<Value>> {
        let said = self.ask(&[arguments, &["--json"]].concat())?;
        ensure!(said.code == 0, "{said:?}");
        let lines: Vec<Value> = said.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(lines.last() == Some(&serde_json::json!({"end": true})), "{lines:?}");
        Ok(lines.iter().filter_map(|line| line.get(what).cloned()).collect())
    }

    /// Waits until so many packets were looked at.
    fn settled(&self, packets: u64) -> Result<()> {
        let observed = || -> Result<u64> {
            let windows = self.lines(&["sources"], "window")?;
            Ok(windows.iter().filter_map(|window| window["observed"].as_u64()).sum())
        };
        until(|| Ok(observed()? == packets), || format!("{:?} of {packets}", observed()))
    }

    /// Waits until the log says so.
    fn logged(&self, words: &str) -> Result<()> {
        until(|| Ok(self.agent.stderr().contains(words)), || self.agent.stderr())
    }

    fn list_is_current(&self, list: &str) -> Result<bool> {
        Ok(Page::parse(&self.agent.metrics()?)?.sum("sensor_list_current", &[("list", list)]) == 1)
    }
}

fn config(folder: &Path, sources: &str) -> String {
    format!(
        "[[sensor]]\nname = \"a\"\nprefixes = [\"198.51.100.0/24\", \"2001:db8:7::/64\"]\n[evidence]\npath = \"{}\"\n{sources}",
        folder.join("evidence").display()
    )
}

fn syn(source: impl Into<IpAddr>, last: u8, port: u16) -> Vec<u8> {
    let to = Ipv4Addr::new(198, 51, 100, last);
    frame().ipv4().from(source).to(to).tcp(port).syn().window(1024).bytes()
}

fn texts<'a>(rows: &'a [Value], key: &str) -> Vec<&'a str> {
    rows.iter().filter_map(|row| row[key].as_str()).collect()
}

fn numbers(rows: &[Value], key: &str) -> Vec<u64> {
    rows.iter().filter_map(|row| row[key].as_u64()).collect()
}

#[test]
fn planted_sources_are_found_as_they_were_sent() -> Result<()> {
    needs_root!();
    let scene = Scene::new(|_| SOURCES.to_owned())?;
    // Times are told to the microsecond.
    let before = Timestamp::now() - SignedDuration::from_micros(1);
    let mut frames = Vec::new();
    // Ten heavy ones: 20, 40, … 200 packets; 300 light ones, of one packet each, to another port; one over IPv6.
    for number in 1..=10_u8 {
        let packets = usize::from(number) * 20;
        frames.extend(std::iter::repeat_n(syn(Ipv4Addr::new(203, 0, 113, number), 7, 23), packets));
    }
    for number in 0..300_u16 {
        let [high, low] = number.to_be_bytes();
        frames.push(syn(Ipv4Addr::new(192, 0, high, low), 7, 37_215));
    }
    for last in 1..=3_u16 {
        let source = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 1, 0, 0, 0, last);
        frames.push(frame().ipv6().from(source).tcp(443).syn().bytes());
    }
    scene.send(&frames)?;
    scene.settled(frames.len() as u64)?;

    let rows = scene.lines(&["sources", "--limit", "10"], "source")?;
    let expected: Vec<_> = (1..=10).rev().map(|number| format!("203.0.113.{number}")).collect();
    assert_eq!(texts(&rows, "source"), expected);
    assert_eq!(numbers(&rows, "packets"), (1..=10).rev().map(|number| number * 20).collect::<Vec<_>>());
    assert_eq!(numbers(&rows, "more"), [0; 10]);
    let [length, syns] = [syn(Ipv4Addr::LOCALHOST, 7, 23).len(), 200];
    let did = serde_json::json!({
        "bytes": syns * length,
        "ports": [{"slot": "23/tcp", "packets": syns}],
        "elsewhere": 0,
        "tools": [{"name": "other", "packets": syns}],
        "kinds": [{"name": "syn", "packets": syns}],
    });
    for key in ["bytes", "ports", "elsewhere", "tools", "kinds"] {
        assert_eq!(rows[0][key], did[key], "{key}");
    }
    for row in &rows {
        let [first, last] = ["first", "last"].map(|key| row[key].as_str().and_then(|at| at.parse().ok()));
        assert!(Some(before) <= first && first <= last && last <= Some(Timestamp::now()), "{row}");
    }

    let windows = scene.lines(&["sources"], "window")?;
    assert!(windows.iter().all(|window| window["missed"] == 0 && window["share"] == 1.0), "{windows:?}");
    let totals = scene.lines(&["sources", "--port", "37215/tcp"], "total")?;
    let sources = totals[0]["sources"]["count"].as_u64().context("no number of sources")?;
    assert!((285..=315).contains(&sources) && totals[0]["packets"] == 300, "{totals:?}");
    assert_eq!(totals[0]["sources"]["exact"], false);
    let of_telnet = scene.lines(&["sources", "--port", "23/tcp"], "total")?;
    assert_eq!(of_telnet[0]["sources"], serde_json::json!({"count": 10, "exact": true}));
    let ports = scene.lines(&["sources", "--by", "port"], "part")?;
    assert_eq!(texts(&ports, "of"), ["23/tcp", "37215/tcp", "443/tcp"]);
    assert_eq!(numbers(&ports, "packets"), [1_100, 300, 3]);
    let of_ports: Vec<_> = ports.iter().filter_map(|port| port["sources"]["count"].as_u64()).collect();
    assert!(of_ports[0] == 10 && of_ports[1].abs_diff(300) <= 15 && of_ports[2] == 1, "{ports:?}");
    let of_all = scene.lines(&["sources"], "total")?;
    let all = of_all[0]["sources"]["count"].as_u64().context("no number of sources")?;
    assert!(all.abs_diff(311) <= 15, "{of_all:?}");
    assert_eq!((&of_all[0]["packets"], &of_all[0]["row_error"]), (&frames.len().into(), &0.into()));
    assert_eq!(of_all[0]["at_least"], false);
    let by_sources = scene.lines(&["sources", "--by", "port", "--order-by-sources"], "part")?;
    assert_eq!(texts(&by_sources, "of"), ["37215/tcp", "23/tcp", "443/tcp"]);
    let of_tool = scene.lines(&["sources", "--tool", "other", "--limit", "2"], "source")?;
    assert_eq!(numbers(&of_tool, "packets"), [200, 180]);
    let networks = scene.lines(&["sources", "--by", "network"], "source")?;
    assert_eq!(texts(&networks, "source")[..2], ["203.0.113.0/24", "192.0.0.0/24"]);
    assert_eq!(numbers(&networks, "packets"), [1_100, 256, 44, 3]);

    // One packet in a quiet hour; and a /64, whichever of its addresses is asked for.
    let did = scene.lines(&["source", "192.0.0.77"], "did")?;
    assert_eq!(numbers(&did, "packets"), [1, 1], "{did:?}");
    let did = scene.lines(&["source", "2001:db8:bad:1::99"], "did")?;
    assert_eq!((numbers(&did, "packets"), &did[0]["source"]), (vec![3, 3], &"2001:db8:bad:1::/64".into()));

    let tuples = scene.lines(&["tuples"], "tuple")?;
    assert_eq!(numbers(&tuples, "packets").iter().sum::<u64>(), frames.len() as u64, "{tuples:?}");
    let tuple = tuples.iter().find(|tuple| tuple["window"] == 1024).context("no tuple")?;
    assert_eq!((&tuple["packets"], &tuple["more"]), (&1_400.into(), &0.into()));
    assert!(tuple["sources"]["count"].as_u64().is_some_and(|count| count.abs_diff(310) <= 15), "{tuple}");

    let table = scene.ask(&["sources", "--limit", "1", "--time-zone", "+09:00"])?.stdout;
    assert!(table.contains("203.0.113.10") && table.contains("+09:00"), "{table}");
    let csv = scene.ask(&["sources", "--csv", "--limit", "2"])?.stdout;
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some(
            "source,packets,more,first,last,bytes,ports,tools,kinds,country,as,as_name,known_scanner,from,to,share,at_least"
        )
    );
    assert!(
        lines
            .next()
            .is_some_and(|line| line.starts_with("203.0.113.10,200,0,") && line.ends_with(",1.000000,no")),
        "{csv}"
    );
    for command in [&["sources"][..], &["source", "203.0.113.10"]] {
        let no_time = scene.ask(&[command, &["--to", "2026-11-29"]].concat())?;
        assert!(no_time.code == 2 && no_time.stderr.contains("say from when on"), "{no_time:?}");
    }
    let nobody = scene.ask(&["sources", "--country", "JP"])?;
    assert_eq!(nobody.code, 2, "{nobody:?}");
    Ok(())
}

#[test]
fn attacks_and_scans_are_events() -> Result<()> {
    needs_root!();
    let scene = Scene::new(|_| format!("{SOURCES}victim_packets_per_minute = 60\n"))?;
    let answer = |victim: u8| {
        frame().ipv4().from(Ipv4Addr::new(192, 0, 2, victim)).tcp(40_000).source_port(443).syn_ack().bytes()
    };
    let mut packets = 0;
    // Between which moments it was sent: times are told to the microsecond.
    let mut send = |frames: &[Vec<u8>]| -> Result<RangeInclusive<Timestamp>> {
        packets += frames.len() as u64;
        let before = Timestamp::now() - SignedDuration::from_micros(1);
        scene.send(frames)?;
        Ok(before..=Timestamp::now())
    };
    let (mut attacks, mut scanned) = (Vec::new(), None);
    for round in 0..8_u8 {
        // Ten at a time: 80 in all, over more than two seconds. The other one answers five each: 40 are enough, and over
        // as long a time, but too few in a minute.
        attacks.push(send(&vec![answer(1); 10])?);
        send(&vec![answer(2); 5])?;
        if round == 0 {
            // A scan of twelve ports, and one of thirty addresses; nine ports, and twenty addresses, are none.
            let ports = (0..12).map(|port| syn(Ipv4Addr::new(203, 0, 113, 1), 7, 8_000 + port));
            let addresses = (0..30).map(|last| syn(Ipv4Addr::new(203, 0, 113, 2), last, 23));
            let few = (0..9).map(|port| syn(Ipv4Addr::new(203, 0, 113, 3), 7, 8_000 + port));
            let also_few = (0..20).map(|last| syn(Ipv4Addr::new(203, 0, 113, 4), last, 23));
            scanned = Some(send(&ports.chain(addresses).chain(few).chain(also_few).collect::<Vec<_>>())?);
        }
        thread::sleep(Duration::from_millis(350));
    }
    scene.settled(packets)?;

    let victims = scene.lines(&["victims"], "victim")?;
    assert_eq!(texts(&victims, "victim"), ["192.0.2.1"], "{victims:?}");
    let victim = &victims[0];
    assert_eq!((&victim["packets"], &victim["ongoing"]), (&80.into(), &true.into()));
    assert_eq!(
        (&victim["ports"], &victim["kinds"]),
        (&serde_json::json!(["443/tcp"]), &serde_json::json!(["syn_ack"]))
    );
    // All came within a minute.
    assert_eq!((&victim["peak_per_minute"], &victim["share"]), (&80.into(), &1.0.into()));
    let is_in = |time: &Value, range: &RangeInclusive<Timestamp>| {
        let time = time.as_str().and_then(|time| time.parse::<Timestamp>().ok());
        time.is_some_and(|time| range.contains(&time))
    };
    let (first, last) = (&attacks[0], &attacks[7]);
    assert!(is_in(&victim["start"], first) && is_in(&victim["end"], last), "{victim}: {first:?}, {last:?}");

    let definitions = scene.lines(&["scans"], "definition")?;
    assert_eq!(
        ["ports", "ipv4_addresses", "ipv6_addresses", "forgotten"].map(|key| definitions[0][key].as_u64()),
        [Some(10), Some(25), Some(100), Some(0)]
    );
    let scans = scene.lines(&["scans"], "scan")?;
    assert_eq!(texts(&scans, "source"), ["203.0.113.1", "203.0.113.2"], "{scans:?}");
    assert_eq!((&scans[1]["addresses"]["count"], &scans[1]["packets"]), (&30.into(), &30.into()));
    assert_eq!((&scans[0]["ports"]["count"], &scans[0]["packets"]), (&12.into(), &12.into()));
    let scanned = scanned.context("nobody scanned")?;
    for scan in &scans {
        assert!(is_in(&scan["start"], &scanned) && is_in(&scan["end"], &scanned), "{scan}, {scanned:?}");
    }
    let table = scene.ask(&["scans"])?.stdout;
    assert!(
        table.contains(
            "a scan is 10 ports or more, or 25 IPv4 addresses or more, or 100 IPv6 addresses or more"
        ),
        "{table}"
    );
    // Known of one: its scan, too.
    let of_one = scene.lines(&["source", "203.0.113.1"], "scan")?;
    assert_eq!(of_one.len(), 1);
    Ok(())
}

#[test]
fn lists_say_whose_sources_are_and_are_exchanged() -> Result<()> {
    needs_root!();
    let countries = |letters| mmdb("Countries", &[("203.0.113.0/24", country(letters))]);
    let systems = mmdb("Systems", &[("203.0.113.0/24", system(64_496, "Example"))]);
    let scene = Scene::new(|folder| {
        let file = |name: &str| folder.join(name).display().to_string();
        fs::write(file("countries"), countries("JP")).unwrap();
        fs::write(file("systems"), systems).unwrap();
        fs::write(file("scanners"), "prefix,organisation\n203.0.113.9,Example Scan\n").unwrap();
        format!(
            "[sources]\ncountries = {:?}\nautonomous_systems = {:?}\nknown_scanners = {:?}\n",
            file("countries"),
            file("systems"),
            file("scanners")
        )
    })?;
    let file = |name: &str| scene.folder.path().join(name);
    // The agent is ready once it has read them.
    for list in ["countries", "autonomous_systems", "known_scanners"] {
        assert!(scene.list_is_current(list)?, "{list}");
    }
    let frames = [
        vec![syn(Ipv4Addr::new(203, 0, 113, 1), 7, 23); 3],
        vec![syn(Ipv4Addr::new(203, 0, 113, 9), 7, 23); 5],
        vec![syn(Ipv4Addr::new(192, 0, 2, 1), 7, 80); 2],
    ]
    .concat();
    scene.send(&frames)?;
    scene.settled(10)?;

    let rows = scene.lines(&["sources"], "source")?;
    assert_eq!(texts(&rows, "source"), ["203.0.113.9", "203.0.113.1", "192.0.2.1"]);
    assert_eq!(
        (&rows[0]["country"], &rows[0]["as"], &rows[0]["as_name"]),
        (&"JP".into(), &64_496.into(), &"Example".into())
    );
    assert_eq!((&rows[0]["scanner"], &rows[2]["country"]), (&"Example Scan".into(), &Value::Null));
    let rows = scene.lines(&["sources", "--without-known-scanners"], "source")?;
    assert_eq!(texts(&rows, "source"), ["203.0.113.1", "192.0.2.1"]);
    let networks = scene.lines(&["sources", "--by", "network", "--without-known-scanners"], "source")?;
    assert_eq!(
        (texts(&networks, "source"), numbers(&networks, "packets")),
        (vec!["203.0.113.0/24", "192.0.2.0/24"], vec![3, 2])
    );
    let totals = scene.lines(&["sources", "--without-known-scanners"], "total")?;
    assert_eq!((&totals[0]["packets"], &totals[0]["from_known_scanners"]), (&5.into(), &5.into()));
    let ports = scene.lines(&["sources", "--by", "port", "--without-known-scanners"], "part")?;
    assert_eq!((texts(&ports, "of"), numbers(&ports, "packets")), (vec!["23/tcp", "80/tcp"], vec![3, 2]));
    let by_country = scene.lines(&["sources", "--by", "country"], "part")?;
    assert_eq!(
        (texts(&by_country, "of"), numbers(&by_country, "packets")),
        (vec!["JP", "unknown"], vec![8, 2])
    );
    let by_system = scene.lines(&["sources", "--by", "as"], "part")?;
    assert_eq!(texts(&by_system, "of"), ["64496", "unknown"]);
    assert_eq!(by_system[0]["as_name"], "Example", "{by_system:?}");
    let of_country = scene.lines(&["sources", "--country", "JP"], "total")?;
    assert_eq!(of_country[0]["sources"], serde_json::json!({"count": 2, "exact": true}));

    let page = Page::parse(&scene.agent.metrics()?)?;
    let sum = |name, labels: &[(&str, &str)]| page.sum(name, labels);
    assert_eq!(sum("sensor_country_packets_total", &[]), 10);
    assert_eq!(sum("sensor_country_packets_total", &[("country", "unknown")]), 2);
    assert_eq!(sum("sensor_as_packets_total", &[]), 10);
    assert_eq!(sum("sensor_known_scanner_packets_total", &[]), 5);

    // Cut off, and rewritten in place as one of another kind: the old one stays in use.
    for bad in [&countries("US")[..40], &mmdb("Systems", &[("203.0.113.0/24", system(1, ""))])] {
        let before = scene.agent.stderr().len();
        fs::write(file("countries"), bad)?;
        until(
            || Ok(scene.agent.stderr()[before..].contains("the old one stays in use")),
            || scene.agent.stderr(),
        )?;
        assert!(!scene.list_is_current("countries")?);
        assert_eq!(scene.lines(&["sources"], "source")?[0]["country"], "JP");
    }
    fs::write(file("countries"), countries("US"))?;
    until(|| scene.list_is_current("countries"), || scene.agent.stderr())?;
    assert_eq!(scene.lines(&["sources"], "source")?[0]["country"], "US");
    let wrong: Vec<_> = (0..1_000).map(|line| format!("203.0.113.{line}/40,A\n")).collect();
    fs::write(file("scanners"), wrong.concat())?;
    scene.logged("line 1: prefix \"203.0.113.0/40\" has more than 32 bits; 999 more lines are wrong too; the old one stays in use")?;
    assert_eq!(scene.lines(&["sources"], "source")?[0]["scanner"], "Example Scan");
    Ok(())
}

#[test]
fn without_evidence_nothing_is_known() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let agent = Launch::new(&wire.near.namespace)
        .interface("sensor0")
        .config("[[sensor]]\nname = \"a\"\n")
        .start()?;
    for command in [&["sources"][..], &["source", "203.0.113.1"], &["scans"], &["victims"], &["tuples"]] {
        let said = sensor(&wire.near.namespace, command)?;
        assert!(said.code == 1 && said.stderr.contains("keeps no evidence"), "{said:?}");
    }
    let page = agent.metrics()?;
    for family in sensor_user::export::SOURCE_FAMILIES {
        assert!(!page.contains(family.name), "{}", family.name);
    }
    Ok(())
}
