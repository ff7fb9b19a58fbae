//! Every kind of event, in every form: sources by protocol and tool, a known scanner, answers alone, and a victim.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use sensor_harness::cli::Said;
use sensor_harness::engines::Engine;
use sensor_harness::frame::{Frame, SENSOR_V4, SENSOR_V6, frame};
use sensor_harness::mmdb::{country, mmdb, system};
use sensor_harness::pace::{until, within_a_day};
use sensor_harness::pins::Pins;
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;
use sensor_harness::{needs, needs_root};
use serde_json::{Value, json};

use super::{COLUMNS, launch, lines, notices};

/// Networks of the constituency, and what lists say of them: the country, the autonomous system, and whose that is.
const NETWORKS: [(&str, &str, u32, &str); 3] = [
    ("203.0.113.0/24", "JP", 64_496, "Example Net"),
    ("192.0.2.0/24", "US", 64_497, "Another & Co"),
    ("2001:db8:bad::/48", "BR", 64_498, "Third"),
];
/// A known scanner's.
const SCANNER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 8);
/// Who answers what others have sent.
const VICTIM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
/// Longer than `victim_time`.
const ATTACK: Duration = Duration::from_millis(1_500);

/// The operator's own mail.
const TEMPLATE: &str =
    "For {constituency}: {number_of_sources} and {number_of_victims}\n{sources}\n--\n{victims}\n";

/// What each notice is about, and its address.
type Told = BTreeSet<(String, String)>;

/// What an address sends, and what is told of it.
struct Kind {
    from: IpAddr,
    /// Which of the networks it is of.
    network: usize,
    /// The type in the Reference Security Incident Taxonomy.
    told_as: &'static str,
    /// IANA's keyword of its protocol, where the event has one.
    transport: Option<&'static str>,
    frame: Vec<u8>,
}

fn kind(
    from: impl Into<IpAddr>,
    network: usize,
    told_as: &'static str,
    transport: Option<&'static str>,
    frame: Frame,
) -> Kind {
    let from = from.into();
    Kind { from, network, told_as, transport, frame: frame.from(from).bytes() }
}

fn kinds() -> Vec<Kind> {
    let (v4, v6) = (|| frame().ipv4(), || frame().ipv6());
    let v4_of = |last| Ipv4Addr::new(203, 0, 113, last);
    let v6_of = |subnet| Ipv6Addr::new(0x2001, 0xdb8, 0xbad, subnet, 0, 0, 0, 1);
    let marked = v4().tcp(23).syn().sequence(SENSOR_V4.into());
    vec![
        kind(v4_of(5), 0, "infected-system", Some("tcp"), marked),
        kind(v4_of(6), 0, "scanner", Some("udp"), v4().udp(53).payload("whoever")),
        kind(v4_of(7), 0, "scanner", Some("icmp"), v4().icmp(8, 0)),
        // GRE.
        kind(v4_of(8), 0, "scanner", None, v4().protocol(47).payload([0_u8; 8])),
        kind(SCANNER, 1, "scanner", Some("tcp"), v4().tcp(443).syn()),
        kind(VICTIM, 1, "undetermined", Some("tcp"), answer()),
        kind(v6_of(1), 2, "scanner", Some("ipv6-icmp"), v6().icmpv6(128, 0)),
        kind(v6_of(2), 2, "scanner", Some("tcp"), v6().tcp(8080).syn()),
    ]
}

/// What a victim's host says to a segment that it knows nothing of.
fn answer() -> Frame {
    frame().ipv4().from(VICTIM).tcp(40_000).rst()
}

/// A sensor with lists of all that it can tell of a source, and a template of its own.
fn settings(folder: &Path) -> Result<String> {
    let write = |name: &str, bytes: &[u8]| -> Result<String> {
        let path = folder.join(name);
        fs::write(&path, bytes)?;
        Ok(path.display().to_string())
    };
    let countries = NETWORKS.map(|(prefix, letters, ..)| (prefix, country(letters)));
    let systems = NETWORKS.map(|(prefix, _, number, name)| (prefix, system(number, name)));
    let countries = write("countries.mmdb", &mmdb("GeoLite2-Country", &countries))?;
    let systems = write("systems.mmdb", &mmdb("GeoLite2-ASN", &systems))?;
    let scanners = write("scanners.csv", format!("{SCANNER}/32,Example Scan\n").as_bytes())?;
    let template = write("mail.txt", TEMPLATE.as_bytes())?;
    let prefixes = NETWORKS.map(|(prefix, ..)| format!("\"{prefix}\"")).join(", ");
    let folder = folder.display();
    Ok(format!(
        "[[sensor]]\nname = \"secret-1\"\nalias = \"A\"\nprefixes = [\"{SENSOR_V4}/32\", \"{SENSOR_V6}/128\"]\n\
         [[constituency]]\nname = \"ours\"\nprefixes = [{prefixes}]\n\
         [evidence]\npath = \"{folder}/evidence\"\n[store]\npath = \"{folder}/store\"\n\
         [sources]\ncountries = \"{countries}\"\nautonomous_systems = \"{systems}\"\n\
         known_scanners = \"{scanners}\"\nvictim_time = \"1s\"\n[notices]\ntemplate = \"{template}\"\n"
    ))
}

#[test]
fn every_kind_is_told_in_every_form_and_once() -> Result<()> {
    let intelmq = needs!(Engine::intelmq());
    needs_root!();
    let (wire, pins, folder) = (Wire::new()?, Pins::new()?, tempfile::tempdir()?);
    let mut agent = launch(&wire, &pins, &settings(folder.path())?)?;
    let kinds = kinds();
    let sources = kinds.iter().map(|kind| ("source".to_owned(), kind.from.to_string()));
    let expected: Told = sources.chain([("victim".to_owned(), VICTIM.to_string())]).collect();

    let sender = Sender::new(&wire)?;
    within_a_day();
    let attack = vec![answer().bytes(); 40];
    sender.send(&kinds.iter().map(|kind| &kind.frame).collect::<Vec<_>>())?;
    sender.send(&attack)?;
    thread::sleep(ATTACK);
    sender.send(&attack)?;
    let ask = |arguments: &[&str]| notices(&wire, &pins, arguments);
    let json = || ask(&["--format", "json"]);
    // Who is a victim is looked for now and then.
    until(|| Ok(in_json(&json()?) == expected), || format!("{:?}", json()))?;

    let mail = ask(&[])?;
    check_mail(&mail, &kinds)?;
    let csv = ask(&["--format", "shadowserver"])?;
    check_rows(&csv, &kinds, &expected)?;
    let events = ask(&["--format", "intelmq"])?;
    let far_from_utc = ask(&["--format", "intelmq", "--time-zone", "+09:00"])?;
    let whole = ask(&["--format", "intelmq", "--with-sensor-address"])?;
    for said in [&events, &far_from_utc, &whole] {
        check_events(said, &kinds, &expected, &intelmq)?;
    }
    for said in [&json()?, &mail, &csv, &events, &far_from_utc] {
        ensure!(said.code == 0 && said.stderr.is_empty(), "{said:?}");
        let [v4, v6] = [SENSOR_V4.to_string(), SENSOR_V6.to_string()];
        for secret in [&*v4, &*v6, "c6336407", "20010db8000700000000000000000007", "secret-1"] {
            ensure!(!said.stdout.contains(secret), "{secret}: {said:?}");
        }
    }

    check_events(&ask(&["--mark-sent", "--format", "intelmq"])?, &kinds, &expected, &intelmq)?;
    for form in ["intelmq", "text"] {
        let again = ask(&["--mark-sent", "--format", form])?;
        ensure!(again.code == 0 && again.stdout.is_empty(), "{again:?}");
    }
    let all = json()?;
    let of_all: Vec<_> = lines(&all).into_iter().filter_map(|line| line.get("notice").cloned()).collect();
    ensure!(of_all.iter().all(|notice| notice["sent"].is_string()) && in_json(&all) == expected, "{all:?}");
    agent.stop(Signal::SIGTERM)?;
    Ok(())
}

fn in_json(said: &Said) -> Told {
    let of = |notice: &Value, key: &str| notice[key].as_str().unwrap_or_default().to_owned();
    let all = lines(said);
    let notices = all.iter().filter_map(|line| line.get("notice"));
    notices.map(|notice| (of(notice, "about"), of(notice, "address"))).collect()
}

/// What is sent from an address.
fn sent_from<'a>(kinds: &'a [Kind], address: &str) -> Result<&'a Kind> {
    let kind = kinds.iter().find(|kind| kind.from.to_string() == address);
    kind.with_context(|| format!("nothing is sent from {address:?}"))
}

fn about(is_victim: bool) -> String {
    let about = if is_victim { "victim" } else { "source" };
    about.to_owned()
}

/// Each is valid, in UTC, and says what the lists say.
fn check_events(said: &Said, kinds: &[Kind], expected: &Told, intelmq: &Engine) -> Result<()> {
    let wrong = intelmq.read(&said.stdout)?;
    ensure!(wrong.is_empty(), "{wrong}");
    let (events, mut told) = (lines(said), Told::new());
    ensure!(events.len() == expected.len() && said.stdout.lines().count() == expected.len(), "{said:?}");
    for event in events {
        let address = event["source.ip"].as_str().unwrap_or_default();
        let kind = sent_from(kinds, address)?;
        let is_victim = event["classification.type"] == "ddos";
        let (_, country, number, name) = NETWORKS[kind.network];
        ensure!(event["source.asn"] == number && event["source.as_name"] == name, "{event}");
        ensure!(event["source.geolocation.cc"] == country, "{event}");
        for time in ["time.source", "time.observation"] {
            ensure!(event[time].as_str().is_some_and(|time| time.ends_with("+00:00")), "{event}");
        }
        if is_victim {
            ensure!(event["classification.taxonomy"] == "availability", "{event}");
            ensure!(event["extra.attacks"][0]["ports"] == json!(["40000/tcp"]), "{event}");
        } else {
            ensure!(event["classification.type"] == kind.told_as, "{event}");
            ensure!(event["protocol.transport"] == json!(kind.transport), "{event}");
            let bytes = event["extra.packet"]["bytes"].as_str().unwrap_or_default();
            ensure!(!bytes.is_empty(), "no packet: {event}");
        }
        let scanner = (kind.from == SCANNER).then_some("Example Scan");
        ensure!(event["extra.scanner"] == json!(scanner), "{event}");
        let network = kind.from.is_ipv6().then(|| address.replace("::1", "::/64"));
        ensure!(event["source.network"] == json!(network), "{event}");
        told.insert((about(is_victim), address.to_owned()));
    }
    ensure!(told == *expected, "{told:?}");
    Ok(())
}

/// A row each, in the columns of the head.
fn check_rows(said: &Said, kinds: &[Kind], expected: &Told) -> Result<()> {
    let (head, rows) = said.stdout.split_once('\n').context("no head")?;
    ensure!(head == COLUMNS && rows.lines().count() == expected.len(), "{said:?}");
    let mut told = Told::new();
    for row in rows.lines() {
        let cells: BTreeMap<_, _> = COLUMNS.split(',').zip(row.split(',')).collect();
        ensure!(cells.len() == row.split(',').count(), "{row}");
        let (address, is_victim) = (cells["src_ip"], cells["tag"] == "ddos");
        let kind = sent_from(kinds, address)?;
        let (_, country, number, _) = NETWORKS[kind.network];
        ensure!(cells["src_geo"] == country && cells["src_asn"] == number.to_string(), "{row}");
        ensure!(cells["dst_ip"].is_empty() && !cells["timestamp"].is_empty(), "{row}");
        ensure!((cells["infection"] == "mirai") == (kind.told_as == "infected-system"), "{row}");
        ensure!(cells["tag"] != "backscatter" || kind.told_as == "undetermined", "{row}");
        told.insert((about(is_victim), address.to_owned()));
    }
    ensure!(told == *expected, "{told:?}");
    Ok(())
}

/// It is the operator's, with a row each.
fn check_mail(said: &Said, kinds: &[Kind]) -> Result<()> {
    let rest = said.stdout.strip_prefix(&format!("For ours: {} and 1\n", kinds.len()));
    let (sources, victims) = rest.and_then(|rest| rest.split_once("\n--\n")).context("another mail")?;
    let has = |table: &str, address: IpAddr| {
        let address = address.to_string();
        table.lines().filter(|row| row.split_whitespace().any(|cell| cell == address)).count() == 1
    };
    ensure!(kinds.iter().all(|kind| has(sources, kind.from)), "{sources}");
    ensure!(has(victims, VICTIM.into()), "{victims}");
    // A row more, which says what the columns are.
    ensure!((sources.lines().count(), victims.lines().count()) == (kinds.len() + 1, 2), "{said:?}");
    Ok(())
}
