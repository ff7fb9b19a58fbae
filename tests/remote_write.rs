//! Sensors that nobody can reach: a Prometheus in agent mode beside them writes to a server elsewhere, which is gone for a
//! while, and nothing is lost. With the configurations of `fleet`, but for addresses and the pace.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use sensor_harness::namespace::Namespace;
use sensor_harness::needs;
use sensor_harness::pace::until;
use sensor_harness::prometheus::{self, Prometheus};
use sensor_harness::victoria::{self, VictoriaMetrics};
use sensor_harness::workspace;

const PAGE: SocketAddr = local(19_817);
const AGENT: SocketAddr = local(9_090);
const CENTRAL: SocketAddr = local(9_091);
const VICTORIA: SocketAddr = local(8_428);

/// The counter of the page, as the servers know it.
const SERIES: &str = r#"sensor_packets_total{sensor="behind-nat",instance="sensor-host-1"}"#;

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

/// A page whose counter is how often it was scraped before, until it is held: a scrape that gets lost shows.
struct Page {
    scrapes: Arc<AtomicU64>,
    held: Arc<AtomicBool>,
}

impl Page {
    fn serve(namespace: &Namespace) -> Result<Self> {
        let listener = namespace.run(|| TcpListener::bind(PAGE))?.context("cannot serve the page")?;
        let page = Self { scrapes: Arc::default(), held: Arc::default() };
        let (scrapes, held) = (Arc::clone(&page.scrapes), Arc::clone(&page.held));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let before = if held.load(Ordering::SeqCst) {
                    scrapes.load(Ordering::SeqCst)
                } else {
                    scrapes.fetch_add(1, Ordering::SeqCst)
                };
                // A scraper that went away is told nothing.
                drop(answer(stream, before));
            }
        });
        Ok(page)
    }

    /// From now on every scrape finds the same. Gives what it finds.
    fn hold(&self) -> u64 {
        self.held.store(true, Ordering::SeqCst);
        self.scrapes.load(Ordering::SeqCst)
    }

    fn wait_for(&self, scrapes: u64) -> Result<()> {
        let found = || self.scrapes.load(Ordering::SeqCst);
        until(|| Ok(found() >= scrapes), || format!("{} of {scrapes} scrapes", found()))
    }
}

fn answer(mut stream: TcpStream, counter: u64) -> Result<()> {
    let request = BufReader::new(stream.try_clone()?).lines();
    for line in request {
        if line?.is_empty() {
            break;
        }
    }
    let labels = r#"sensor="behind-nat",protocol="tcp",port="23""#;
    let page = format!("# TYPE sensor_packets_total counter\nsensor_packets_total{{{labels}}} {counter}\n");
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{page}",
        page.len()
    )?;
    Ok(())
}

/// A file of `fleet` with some of it replaced, each of which must be there.
fn config(name: &str, changes: &[(&str, &str)]) -> Result<String> {
    let mut text = std::fs::read_to_string(workspace().join("fleet").join(name))?;
    for (old, new) in changes {
        ensure!(text.contains(old), "fleet/{name} has no {old:?}");
        text = text.replace(old, new);
    }
    Ok(text)
}

/// The Prometheus beside the sensor: it writes to this address. It scrapes every three seconds and waits as long for the
/// page: a scrape that it gave up would be counted by the page, and missing where it writes to.
fn agent(namespace: &Namespace, to: SocketAddr) -> Result<Prometheus> {
    let config = config(
        "agent.yml",
        &[
            ("scrape_interval: 60s", "scrape_interval: 3s"),
            ("scrape_timeout: 20s", "scrape_timeout: 3s"),
            ("https://prometheus.example.org", &format!("http://{to}")),
        ],
    )?;
    Prometheus::start(namespace, AGENT, &config, &["--enable-feature=agent", "--storage.agent.path=data"])
}

/// The value of an answer of one series.
fn value(rows: &[serde_json::Value]) -> Option<u64> {
    let [row] = rows else { return None };
    row["value"][1].as_str()?.parse().ok()
}

#[test]
fn an_outage_of_the_receiver_loses_nothing() -> Result<()> {
    needs!(prometheus::installed());
    let namespace = Namespace::new()?;
    let page = Page::serve(&namespace)?;
    let rules = workspace().join("fleet/rules/*.yml").display().to_string();
    let config = config("central.yml", &[("rules/*.yml", &rules)])?;
    let mut central =
        Prometheus::start(&namespace, CENTRAL, &config, &["--web.enable-remote-write-receiver"])?;
    let agent = agent(&namespace, CENTRAL)?;

    page.wait_for(3)?;
    until(|| Ok(value(&central.query(SERIES, None)?) >= Some(2)), || agent.log())?;
    central.kill()?;
    let before = page.scrapes.load(Ordering::SeqCst);
    page.wait_for(before + 4)?;
    central.start_again()?;
    page.wait_for(before + 6)?;
    let last = page.hold();

    let arrived = || Ok(value(&central.query(SERIES, None)?) == Some(last));
    until(arrived, || format!("{last} did not come: {}", agent.log()))?;
    // It grew by one at each scrape, and each of these steps is there.
    let steps = central.query(&format!("changes({SERIES}[1h])"), None)?;
    assert_eq!(value(&steps), Some(last), "{last} scrapes");
    Ok(())
}

#[test]
fn victoria_metrics_takes_the_same() -> Result<()> {
    needs!(prometheus::installed());
    needs!(victoria::server());
    let namespace = Namespace::new()?;
    let page = Page::serve(&namespace)?;
    let victoria = VictoriaMetrics::start(&namespace, VICTORIA)?;
    let agent = agent(&namespace, VICTORIA)?;
    page.wait_for(4)?;
    let last = page.hold();

    let arrived = || Ok(value(&victoria.query(SERIES)?) == Some(last));
    until(arrived, || format!("{last} did not come: {}{}", agent.log(), victoria.log()))?;
    // VictoriaMetrics counts a first value as a change.
    for (function, expected) in [("increase", last), ("changes", last + 1)] {
        let found = victoria.query(&format!("{function}({SERIES}[1h])"))?;
        assert_eq!(value(&found), Some(expected), "{function}: {found:?}");
    }
    Ok(())
}
