//! Notices: one packet from a constituency in a flood from elsewhere is told within a minute, in every form, once, and without
//! the sensor's address.

mod kinds;
mod trouble;

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::cli::{Said, sensor};
use sensor_harness::engines::Engine;
use sensor_harness::frame::{SENSOR_V4, frame};
use sensor_harness::metrics::Page;
use sensor_harness::pace::{amount, time, until, within_a_day};
use sensor_harness::pins::Pins;
use sensor_harness::prometheus::{self, Prometheus};
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;
use sensor_harness::{needs, needs_root, workspace};
use serde_json::Value;

/// Whose packet it is.
const OURS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 5);
/// Where the agent serves metrics.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9_090);

/// The columns as Shadowserver documents them for `event4_honeypot_darknet`.
const COLUMNS: &str = "timestamp,protocol,src_ip,src_port,src_asn,src_geo,src_region,src_city,src_hostname,src_naics,\
    src_sector,device_vendor,device_type,device_model,dst_ip,dst_port,dst_asn,dst_geo,dst_region,dst_city,dst_hostname,\
    dst_naics,dst_sector,public_source,infection,family,tag,application,version,event_id,count";

/// A sensor with an alias, that keeps notices, and writes them to a log in the folder.
fn config(folder: &Path, more: &str) -> String {
    let folder = folder.display();
    format!(
        "drain_interval = \"1s\"\n[[sensor]]\nname = \"secret-1\"\nalias = \"A\"\nprefixes = [\"{SENSOR_V4}/32\"]\n\
         [evidence]\npath = \"{folder}/evidence\"\nbudget = 400\n[store]\npath = \"{folder}/store\"\n\
         [[constituency]]\nname = \"ours\"\nprefixes = [\"203.0.113.0/24\"]\n{more}"
    )
}

/// A SYN with Mirai's mark.
fn mirai(from: Ipv4Addr) -> Vec<u8> {
    frame().ipv4().from(from).tcp(23).syn().sequence(SENSOR_V4.into()).padded(60).bytes()
}

fn launch(wire: &Wire, pins: &Pins, config: &str) -> Result<AgentProcess> {
    Launch::new(&wire.near.namespace).interface("sensor0").pins(pins).config(config).start()
}

/// `sensor notices` with these arguments.
fn notices(wire: &Wire, pins: &Pins, arguments: &[&str]) -> Result<Said> {
    let pins = pins.path().display().to_string();
    sensor(&wire.near.namespace, &[&["notices", "--pins", &pins], arguments].concat())
}

fn lines(said: &Said) -> Vec<Value> {
    said.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The notices of an answer by their addresses.
fn told(said: &Said) -> BTreeMap<String, Value> {
    let notices = lines(said).into_iter().filter_map(|line| line.get("notice").cloned());
    notices.map(|notice| (notice["address"].as_str().unwrap_or_default().to_owned(), notice)).collect()
}

#[test]
fn one_packet_in_a_flood_is_told_in_every_form_within_a_minute() -> Result<()> {
    needs!(prometheus::installed());
    let intelmq = needs!(Engine::intelmq());
    needs_root!();
    let (wire, pins, folder) = (Wire::new()?, Pins::new()?, tempfile::tempdir()?);
    let log = folder.path().join("notices.jsonl");
    let mut agent =
        launch(&wire, &pins, &config(folder.path(), &format!("[notices]\nlog = \"{}\"\n", log.display())))?;
    let namespace = &wire.near.namespace;
    let rules = workspace().join("fleet/rules/alerts.yml");
    let scrape = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
         rule_files: ['{}']\nscrape_configs: [{{job_name: sensor, static_configs: [{{targets: ['127.0.0.1:19817']}}]}}]\n",
        rules.display()
    );
    let server = Prometheus::start(namespace, LISTEN, &scrape, &[])?;
    let has = |query: &str| Ok(!server.query(query, None)?.is_empty());
    let zero = "sensor_constituency_packets_total{constituency=\"ours\"} == 0";
    until(|| has(zero), || server.log())?;

    let sender = Sender::new(&wire)?;
    within_a_day();
    let elsewhere: Vec<_> = (0..1_000_u32)
        .map(|number| frame().ipv4().from(Ipv4Addr::from_bits(0xc612_0000 + number)).tcp(23).syn().bytes())
        .collect();
    let rounds = amount(1_000);
    for _ in 0..rounds / 2 {
        sender.send(&elsewhere)?;
    }
    let begun = Instant::now();
    sender.send(&[mirai(OURS)])?;
    for _ in rounds / 2..rounds {
        sender.send(&elsewhere)?;
    }
    // The log says it by itself.
    let logged = || Ok(fs::read_to_string(&log).is_ok_and(|text| text.contains(&OURS.to_string())));
    until(logged, || agent.stderr())?;
    let within_a_minute = |what: &str| -> Result<()> {
        let took = begun.elapsed();
        ensure!(took < time(Duration::from_mins(1)), "{what} after {took:?}");
        Ok(())
    };
    within_a_minute("in the log")?;
    let page = Page::parse(&agent.metrics()?)?;
    ensure!(page.sum("sensor_packets_total", &[]) == 1 + 1_000 * rounds as u64, "{page:?}");
    for (about, begun) in [("source", 1), ("victim", 0)] {
        let labels = [("constituency", "ours"), ("about", about)];
        ensure!(page.sum("sensor_notices_total", &labels) == begun, "{about}: {page:?}");
    }
    // A line is there before it is counted.
    let counted = || Ok(Page::parse(&agent.metrics()?)?.sum("sensor_notices_logged_total", &[]) == 1);
    until(counted, || "its line is not counted".to_owned())?;
    ensure!(page.sum("sensor_evidence_skipped_packets_total", &[]) > 0, "the flood fitted into the budget");

    let json = notices(&wire, &pins, &["--format", "json"])?;
    let told = told(&json);
    let notice = &told[&OURS.to_string()];
    ensure!(told.len() == 1 && notice["packets"] == 1 && notice["sensors"][0] == "A", "{json:?}");
    ensure!(notice["sent"].is_string(), "its line is in the log: {json:?}");
    let bytes = notice["packet"]["bytes"].as_str().context("a packet")?;
    ensure!(bytes.contains("cb007105") && bytes.len() == 2 * 54, "its source, and headers alone: {bytes}");
    let as_intelmq = notices(&wire, &pins, &["--format", "intelmq"])?;
    let event = &lines(&as_intelmq)[0];
    ensure!(event["malware.name"] == "mirai" && event["classification.type"] == "infected-system", "{event}");
    ensure!(event["source.ip"] == OURS.to_string() && event["destination.port"] == 23, "{event}");
    ensure!(event["extra.packet"] == notice["packet"], "{event} and {notice}");
    let csv = notices(&wire, &pins, &["--format", "shadowserver"])?;
    let (head, row) = csv.stdout.split_once('\n').context("two lines")?;
    ensure!(head == COLUMNS, "{head}");
    ensure!(row.contains(",tcp,203.0.113.5,") && row.matches(",mirai,").count() == 2, "{row}");
    let mail = notices(&wire, &pins, &["--constituency", "ours", "--time-zone", "+09:00"])?;
    ensure!(["203.0.113.5", "mirai", "+09:00"].iter().all(|words| mail.stdout.contains(words)), "{mail:?}");
    let (length, (line, rest)) = (&notice["packet"]["length"], bytes.split_at(64));
    let packet = format!(" {length} bytes\n{line}\n{rest}\n");
    ensure!(mail.stdout.contains(&packet), "no {packet}: {mail:?}");
    within_a_minute("in every form")?;
    for said in [&json, &as_intelmq, &csv, &mail] {
        ensure!(said.code == 0 && said.stderr.is_empty(), "{said:?}");
        for secret in ["198.51.100.7", "c6336407", "secret-1"] {
            ensure!(!said.stdout.contains(secret), "{secret}: {said:?}");
        }
    }
    let open = notices(&wire, &pins, &["--format", "json", "--with-sensor-address"])?;
    ensure!(open.stdout.matches("c6336407").count() == 2, "the address, and Mirai's mark: {open:?}");

    // Among all that is kept of the flood, its packet is found by whose it is.
    let at = pins.path().display().to_string();
    for (constituency, code, packets) in [("ours", 0, 1), ("nobodys", 2, 0)] {
        let asked = ["evidence", "--constituency", constituency, "--json", "--pins", &at];
        let kept = sensor(&wire.near.namespace, &asked)?;
        ensure!((kept.code, kept.stdout.matches("{\"packet\":").count()) == (code, packets), "{kept:?}");
        ensure!(kept.stdout.matches(&OURS.to_string()).count() == packets, "{kept:?}");
    }

    let logged = fs::read_to_string(&log)?;
    ensure!(logged.lines().count() == 1, "{logged}");
    let open = notices(&wire, &pins, &["--format", "intelmq", "--with-sensor-address"])?;
    let wrong = intelmq.read(&(logged + &as_intelmq.stdout + &open.stdout))?;
    ensure!(wrong.is_empty(), "{wrong}");
    let alert = "ALERTS{alertname=\"ConstituencySends\",alertstate=\"firing\",constituency=\"ours\"}";
    until(|| has(alert), || server.log())?;
    agent.stop(Signal::SIGTERM)?;
    Ok(())
}

/// Whoever tells, however often, and whatever becomes of the agent: each is told once.
#[test]
fn a_notice_is_sent_once_over_restarts_and_kills() -> Result<()> {
    needs_root!();
    let (wire, pins, folder) = (Wire::new()?, Pins::new()?, tempfile::tempdir()?);
    let config = config(folder.path(), "");
    let mut agent = launch(&wire, &pins, &config)?;
    let send = |from: u8| {
        Sender::new(&wire)?.send(&[mirai(Ipv4Addr::new(203, 0, 113, from))])?;
        let is_there = || {
            let all = notices(&wire, &pins, &["--format", "json"])?;
            Ok(told(&all).contains_key(&format!("203.0.113.{from}")))
        };
        until(is_there, || "it is not told".to_owned())
    };
    let mark = || notices(&wire, &pins, &["--mark-sent", "--format", "json"]);
    within_a_day();
    send(1)?;
    // A disk that is full takes nothing, and a reader that has gone either.
    for gone in ["/dev/full", ""] {
        let said = unread(&wire, &pins, gone)?;
        ensure!(said.code == 1 && said.stderr.contains("cannot write to standard output"), "{said:?}");
    }
    let first = mark()?;
    ensure!(told(&first).len() == 1 && first.code == 0, "{first:?}");
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        agent.stop(signal)?;
        agent = launch(&wire, &pins, &config)?;
        send(1)?;
        let again = mark()?;
        ensure!(told(&again).is_empty() && again.code == 0, "{again:?}");
    }
    // Two at once: every source is told by one of them.
    for from in 2..20 {
        Sender::new(&wire)?.send(&[mirai(Ipv4Addr::new(203, 0, 113, from))])?;
    }
    send(20)?;
    let both = std::thread::scope(|scope| {
        let [one, other] = [(); 2].map(|()| scope.spawn(mark));
        [one, other].map(|it| it.join().expect("it does not panic"))
    });
    let mut sources = Vec::new();
    for said in both {
        sources.extend(told(&said?).into_keys());
    }
    sources.sort_unstable();
    let rest = told(&mark()?).len();
    ensure!(sources.len() + rest == 19, "{sources:?} and {rest}");
    sources.dedup();
    ensure!(sources.len() + rest == 19, "{sources:?}");
    let unsent = notices(&wire, &pins, &["--unsent", "--format", "json"])?;
    ensure!(told(&unsent).is_empty(), "{unsent:?}");
    agent.stop(Signal::SIGTERM)?;
    Ok(())
}

/// `sensor notices --mark-sent` whose output nobody gets: to this file, or to a pipe without a reader.
fn unread(wire: &Wire, pins: &Pins, to: &str) -> Result<Said> {
    let mut command = Command::new(sensor_harness::built::sensor()?);
    let pins = pins.path().display().to_string();
    command.args(["notices", "--mark-sent", "--format", "intelmq", "--pins", &pins]);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    if to.is_empty() {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        command.stdout(writer);
    } else {
        command.stdout(fs::File::options().write(true).open(to)?);
    }
    let child = wire.near.namespace.run(|| command.spawn())??;
    let output = child.wait_with_output()?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Said { code: output.status.code().unwrap_or(-1), stdout: String::new(), stderr })
}
