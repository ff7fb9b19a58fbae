//! The pages that the agent serves: a real Prometheus parser has no complaint, and they are what
//! `docs/metrics.md` says.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use rstest::rstest;
use sensor_harness::agent::{AgentProcess, LISTEN, Launch};
use sensor_harness::cli::sensor;
use sensor_harness::counts::Counts;
use sensor_harness::frame::frame;
use sensor_harness::http::{self, Connection};
use sensor_harness::metrics::Page;
use sensor_harness::mix::{self, Mix};
use sensor_harness::prometheus::promtool;
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;
use sensor_harness::workspace;
use sensor_harness::{needs, needs_root};
use sensor_user::export::SOURCE_FAMILIES;

/// The example in the documents is in the form that the agent serves, and says what is said of it.
#[test]
fn the_example_of_slots_is_one() -> Result<()> {
    let page = std::fs::read_to_string(workspace().join("docs/metrics.md"))?;
    let example = page.split_once("```json\n").and_then(|(_, rest)| rest.split_once("```"));
    let counts = Counts::from_slots_api(example.context("there is no example")?.0)?;
    let passed: u64 = counts.passed.values().sum();
    assert_eq!((counts.packets(), passed, counts.sensors.len()), (11, 1, 1));
    Ok(())
}

/// An agent that has counted nothing yet.
fn idle_agent() -> Result<(Wire, AgentProcess)> {
    let wire = Wire::new()?;
    let config = [mix::SENSOR, CONSTITUENCY].concat();
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").config(&config).start()?;
    Ok((wire, agent))
}

/// Without one, there is nothing to say of any.
const CONSTITUENCY: &str = "[[constituency]]\nname = \"ours\"\nprefixes = [\"192.0.2.0/24\"]\n";

/// Sends 20,000 packets.
fn feed(wire: &Wire) -> Result<()> {
    let frames: Vec<Vec<u8>> = Mix::new(1).take(20_000).map(|sample| sample.frame).collect();
    Sender::new(wire)?.send(&frames)
}

/// An agent that has counted 20,000 packets.
fn agent() -> Result<(Wire, AgentProcess)> {
    let (wire, agent) = idle_agent()?;
    feed(&wire)?;
    Ok((wire, agent))
}

#[test]
fn promtool_has_no_complaint() -> Result<()> {
    needs_root!();
    let promtool = needs!(promtool());
    let (wire, agent) = idle_agent()?;
    for counted in [false, true] {
        if counted {
            feed(&wire)?;
        }
        let mut check = Command::new(&promtool)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", promtool.display()))?;
        check.stdin.take().context("stdin is piped")?.write_all(agent.metrics()?.as_bytes())?;
        let output = check.wait_with_output()?;
        let said = [output.stdout, output.stderr].concat();
        ensure!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
    }
    Ok(())
}

/// Where the metrics are listed.
const LIST: &str = "docs/metrics.md";

/// Names of the metrics that the tables list: rows whose first cell has them in backticks.
fn listed() -> Result<BTreeSet<String>> {
    let page = std::fs::read_to_string(workspace().join(LIST)).context(LIST)?;
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    Ok(names.filter(|name| name.starts_with("sensor_")).map(str::to_owned).collect())
}

#[test]
fn the_documentation_lists_what_is_exported() -> Result<()> {
    needs_root!();
    let (_wire, agent) = agent()?;
    let page = agent.metrics()?;
    let exported: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .filter(|name| name.starts_with("sensor_"))
        .map(str::to_owned)
        .collect();
    // Those of sources are there where evidence is kept: see the tests of sources.
    let mut listed = listed()?;
    for family in SOURCE_FAMILIES {
        assert!(listed.remove(family.name), "{LIST} has no {}", family.name);
    }
    assert_eq!(listed, exported, "left: {LIST}; right: what /metrics has");
    Ok(())
}

#[rstest]
#[case::metrics("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8")]
#[case::slots("/api/v1/slots", 200, "application/json")]
#[case::health("/healthz", 200, "text/plain")]
#[case::readiness("/readyz", 200, "text/plain")]
#[case::nothing("/nothing-here", 404, "text/plain")]
fn pages_have_their_types(#[case] path: &str, #[case] status: u16, #[case] content_type: &str) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let agent = Launch::new(&wire.near.namespace).interface("sensor0").start()?;
    let response = agent.get(path)?;
    assert_eq!(response.status, status);
    let found = response.header("content-type").unwrap_or("none");
    assert!(found.starts_with(content_type), "{found}");
    Ok(())
}

#[test]
fn only_reading_is_allowed() -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    let _agent = Launch::new(near).interface("sensor0").start()?;
    for method in ["POST", "DELETE", "PUT"] {
        let response = http::request(near, LISTEN, method, "/metrics")?;
        assert_eq!(response.status, 405, "{method}");
    }
    Ok(())
}

#[test]
fn slots_and_metrics_add_up_to_the_same() -> Result<()> {
    needs_root!();
    let (_wire, agent) = agent()?;
    let counts = agent.counts()?;
    let page = Page::parse(&agent.metrics()?)?;
    assert_eq!(counts.packets(), 20_000);
    assert_eq!(page.sum("sensor_packets_total", &[]), counts.counted());
    assert_eq!(page.sum("sensor_bytes_total", &[]), counts.bytes());
    let slots = |prefix: &str| -> u64 {
        let slots = counts.sensors.iter().flatten().filter(|(name, _)| name.starts_with(prefix));
        slots.map(|(_, counter)| counter.packets).sum()
    };
    for protocol in ["tcp", "udp", "icmp", "icmpv6", "malformed", "gre"] {
        let sum = page.sum("sensor_packets_total", &[("protocol", protocol)]);
        assert_eq!(
            sum,
            slots(&format!("{protocol}/")) + slots("gre") * u64::from(protocol == "gre"),
            "{protocol}"
        );
        assert!(sum > 0, "{protocol}");
    }
    for protocol in ["icmp", "icmpv6"] {
        let labels = [("protocol", protocol)];
        let detail = page.sum("sensor_icmp_packets_total", &labels);
        assert_eq!(detail, page.sum("sensor_packets_total", &labels), "{protocol}");
    }
    let malformed = page.sum("sensor_malformed_packets_total", &[]);
    assert_eq!(malformed, page.sum("sensor_packets_total", &[("protocol", "malformed")]));
    assert_eq!(page.sum("sensor_passed_packets_total", &[]), counts.passed.values().sum::<u64>());
    Ok(())
}

#[test]
fn the_agent_tells_of_itself() -> Result<()> {
    needs_root!();
    let (wire, agent) = agent()?;
    let page = Page::parse(&agent.metrics()?)?;
    let native = [("interface", "sensor0"), ("mode", "native")];
    assert_eq!(page.sum("sensor_xdp_attached", &native), 1);
    assert_eq!(page.sum("sensor_info", &[("sensor", "demo"), ("region", "private namespace")]), 1);
    assert_eq!(page.sum("sensor_build_info", &[]), 1);
    assert!(page.sum("sensor_drain_duration_seconds_count", &[]) > 0);
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"] {
        assert_eq!(page.find(name, &[]).count(), 1, "{name}");
    }
    // An interface that is taken away: alive, but no longer ready.
    wire.near.namespace.ip("link delete sensor0")?;
    assert_eq!(agent.get("/readyz")?.status, 503);
    assert_eq!(agent.get("/healthz")?.status, 200);
    let page = Page::parse(&agent.metrics()?)?;
    assert_eq!(page.sum("sensor_xdp_attached", &native), 0);
    Ok(())
}

/// Behind one address, as containers of one host are, and both are Prometheus: a new series takes packets once both
/// have been served the value that it starts with.
#[test]
fn two_scrapers_of_one_address_and_name_see_every_packet() -> Result<()> {
    const SERIES: &str = "sensor_packets_total";
    needs_root!();
    let config = |ports: &str| {
        format!("[[sensor]]\nname = \"a\"\nprefixes = [\"198.51.100.0/24\"]\n[export]\nports = [{ports}]\n")
    };
    let wire = Wire::new()?;
    let near = &wire.near.namespace;
    let agent = Launch::new(near).interface("sensor0").config(&config("\"23/tcp\"")).start()?;
    let mut scrapers = [Connection::open(near, LISTEN)?, Connection::open(near, LISTEN)?];
    let [first, second] = &mut scrapers;
    let scrape = |scraper: &mut Connection| -> Result<Option<u64>> {
        let page = Page::parse(&scraper.get("/metrics", "Prometheus/2.42.0")?.body)?;
        let found = page.find(SERIES, &[("port", "80")]).next().is_some();
        Ok(found.then(|| page.sum(SERIES, &[("port", "80")])))
    };
    let syn = frame().ipv4().to([198, 51, 100, 7]).tcp(80).syn().bytes();
    let send = |packets: usize| Sender::new(&wire)?.send(&vec![&syn; packets]);

    assert_eq!((scrape(first)?, scrape(second)?), (None, None));
    agent.rewrite_config(&config("\"23/tcp\", \"80/tcp\""))?;
    let reloaded = sensor(near, &["reload"])?;
    ensure!(reloaded.code == 0, "{}", reloaded.stderr);
    assert_eq!(scrape(first)?, Some(0));
    send(3)?;
    assert_eq!(scrape(first)?, Some(0), "the second has not seen where the series starts");
    assert_eq!(scrape(second)?, Some(0), "the second was not told where the series starts");
    send(2)?;
    assert_eq!((scrape(first)?, scrape(second)?), (Some(2), Some(2)));
    assert_eq!(agent.counts()?.packets(), 5);
    Ok(())
}
