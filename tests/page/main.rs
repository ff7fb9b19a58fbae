//! The page: its numbers are those of the counters, of the store and of what is known of sources; who may not see addresses
//! sees none; and however many look, counting and scraping go on.

mod browser;
mod crowd;
mod from_whom;
mod front;
mod looks;
mod moment;
mod past;
mod port;
mod reached;
mod sight;
mod text;

use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::cli::sensor;
use sensor_harness::frame::frame;
use sensor_harness::mmdb::{country, mmdb, system};
use sensor_harness::pace::until;
use sensor_harness::pins::Pins;
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;
use serde_json::Value;

/// Who sends, and from where: `AS64496` of Japan is a known scanner's.
const SOURCES: [(Ipv4Addr, &str); 3] = [
    (Ipv4Addr::new(203, 0, 113, 9), "JP"),
    (Ipv4Addr::new(192, 0, 2, 7), "US"),
    (Ipv4Addr::new(198, 18, 0, 5), "BR"),
];

/// An agent that knows everything that a page can show.
struct Scene {
    wire: Wire,
    pins: Pins,
    folder: tempfile::TempDir,
    config: String,
    agent: AgentProcess,
}

impl Scene {
    /// `more` stands in the configuration behind all else.
    fn new(more: &str) -> Result<Self> {
        let (wire, pins, folder) = (Wire::new()?, Pins::new()?, tempfile::tempdir()?);
        let config = format!("{}{more}", config(folder.path())?);
        let agent = launch(&wire, &pins, &config).start()?;
        Ok(Self { wire, pins, folder, config, agent })
    }

    /// Another agent after this one, which has ended.
    fn start_again(&mut self) -> Result<()> {
        self.agent = launch(&self.wire, &self.pins, &self.config).start()?;
        Ok(())
    }

    /// Where the store is.
    fn database(&self) -> PathBuf {
        self.folder.path().join("store/sensor.db")
    }

    fn send(&self, frames: &[Vec<u8>]) -> Result<()> {
        Sender::new(&self.wire)?.send(frames)
    }

    /// What is asked on the socket is answered, each line an object.
    fn lines(&self, arguments: &[&str], what: &str) -> Result<Vec<Value>> {
        let pins = self.pins.path().display().to_string();
        let said = sensor(&self.wire.near.namespace, &[arguments, &["--json", "--pins", &pins]].concat())?;
        ensure!(said.code == 0, "{said:?}");
        let lines: Vec<Value> = said.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(lines.iter().filter_map(|line| line.get(what).cloned()).collect())
    }

    /// The facts, as the socket tells them.
    fn view(&self, ask: &str) -> Result<Value> {
        let mut stream = UnixStream::connect(self.pins.socket())?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        writeln!(stream, "{ask}")?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let line = text.lines().next().context("nothing was answered")?;
        let mut line: Value = serde_json::from_str(line)?;
        ensure!(line.get("view").is_some(), "{line}");
        Ok(line["view"].take())
    }

    /// Waits until so many packets were looked at, and what was told before is told no more.
    fn settled(&self, packets: u64) -> Result<()> {
        let observed = || -> Result<u64> {
            Ok(self.view(r#"{"version":1,"ask":"view"}"#)?["who"]["observed"].as_u64().unwrap_or_default())
        };
        until(|| Ok(observed()? == packets), || format!("{:?} of {packets}", observed()))
    }
}

fn launch(wire: &Wire, pins: &Pins, config: &str) -> Launch {
    Launch::new(&wire.near.namespace).interface("sensor0").pins(pins).config(config)
}

/// Lists of the whole of documentation's networks, evidence and a store.
fn config(folder: &Path) -> Result<String> {
    let networks = SOURCES.map(|(address, letters)| (format!("{address}/32"), letters));
    let countries: Vec<_> =
        networks.iter().map(|(prefix, letters)| (prefix.as_str(), country(letters))).collect();
    let systems: Vec<_> = networks
        .iter()
        .zip([(64_496, "<b>Example</b> Net"), (64_497, "Another & Co"), (64_498, "Third")])
        .map(|((prefix, _), (number, name))| (prefix.as_str(), system(number, name)))
        .collect();
    let write = |name: &str, bytes: &[u8]| -> Result<String> {
        std::fs::write(folder.join(name), bytes)?;
        Ok(folder.join(name).display().to_string())
    };
    let countries = write("countries.mmdb", &mmdb("GeoLite2-Country", &countries))?;
    let systems = write("systems.mmdb", &mmdb("GeoLite2-ASN", &systems))?;
    let scanners = write("scanners.csv", b"203.0.113.9/32,Example Scan\n")?;
    let (evidence, store) = (folder.join("evidence"), folder.join("store"));
    Ok(format!(
        "[[sensor]]\nname = \"a <i>b</i>\"\nregion = \"here\"\nprefixes = [\"198.51.100.0/25\"]\n\
         [[sensor]]\nname = \"quiet\"\nprefixes = [\"198.51.100.128/25\"]\n\
         [[constituency]]\nname = \"ours\"\nprefixes = [\"192.0.2.0/24\"]\n\
         [evidence]\npath = \"{}\"\n[store]\npath = \"{}\"\n\
         [sources]\ncountries = \"{countries}\"\nautonomous_systems = \"{systems}\"\nknown_scanners = \"{scanners}\"\n\
         victim_time = \"2s\"\n",
        evidence.display(),
        store.display()
    ))
}

/// A SYN from one of the sources to a port of the sensor.
fn syn(source: usize, port: u16) -> Vec<u8> {
    let to = Ipv4Addr::new(198, 51, 100, 7);
    frame().ipv4().from(SOURCES[source].0).to(to).tcp(port).syn().window(1024).bytes()
}

/// What a page says is between two texts, the first time.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Result<&'a str> {
    let rest = text.split_once(before).map(|(_, rest)| rest);
    let found = rest.and_then(|rest| rest.split_once(after)).map(|(found, _)| found);
    found.with_context(|| format!("no {before}: {text}"))
}

/// A number as it is written for people.
fn number(text: &str) -> Result<u64> {
    text.replace([',', '≥', '≈', ' '], "").parse().with_context(|| text.to_owned())
}

/// A fact of a row, an article or a part.
fn fact(text: &str, name: &str) -> Result<u64> {
    number(between(text, &format!("data-fact=\"{name}\">"), "<")?)
}

/// What the page shows at a path, in one piece.
fn page(agent: &AgentProcess, path: &str) -> Result<String> {
    let response = agent.get(path)?;
    ensure!(response.status == 200, "{path}: {}", response.head);
    Ok(response.body)
}
