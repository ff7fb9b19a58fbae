//! `sensor top`: what it shows is what the agent says, and however it ends, the terminal is as it was.

mod ending;
mod shown;
mod tmux;

use std::net::Ipv4Addr;

use anyhow::Result;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::built;
use sensor_harness::frame::frame;
use sensor_harness::mmdb::{country, mmdb, system};
use sensor_harness::pins::Pins;
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;

use self::tmux::Tmux;

/// Who sends.
const JAPAN: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
const BRAZIL: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 5);
/// Whom to.
const TO: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// An agent with something in every table, and a terminal.
struct Scene {
    wire: Wire,
    pins: Pins,
    _folder: tempfile::TempDir,
    config: String,
    agent: AgentProcess,
    terminal: Tmux,
}

impl Scene {
    fn new() -> Result<Self> {
        let (wire, pins, folder) = (Wire::new()?, Pins::new()?, tempfile::tempdir()?);
        let write = |name: &str, bytes: Vec<u8>| -> Result<String> {
            std::fs::write(folder.path().join(name), bytes)?;
            Ok(folder.path().join(name).display().to_string())
        };
        let countries = [("203.0.113.9/32", country("JP")), ("198.18.0.5/32", country("BR"))];
        let systems = [("203.0.113.9/32", system(64_496, "Example \u{1b}[31mNet"))];
        let countries = write("countries.mmdb", mmdb("GeoLite2-Country", &countries))?;
        let systems = write("systems.mmdb", mmdb("GeoLite2-ASN", &systems))?;
        let (evidence, store) = (folder.path().join("evidence"), folder.path().join("store"));
        let config = format!(
            "[[sensor]]\nname = \"a \u{202e}b\"\nprefixes = [\"198.51.100.0/24\"]\n[evidence]\npath = \"{}\"\n\
             [store]\npath = \"{}\"\n[sources]\ncountries = \"{countries}\"\nautonomous_systems = \"{systems}\"\n",
            evidence.display(),
            store.display()
        );
        let agent = launch(&wire, &pins, &config).start()?;
        Ok(Self { wire, pins, _folder: folder, config, agent, terminal: Tmux::start()? })
    }

    fn send(&self, frames: &[Vec<u8>]) -> Result<()> {
        Sender::new(&self.wire)?.send(frames)
    }

    /// The words that start it.
    fn top(&self, more: &str) -> Result<String> {
        Ok(format!("{} top --pins {} {more}", built::sensor()?.display(), self.pins.path().display()))
    }
}

fn launch(wire: &Wire, pins: &Pins, config: &str) -> Launch {
    Launch::new(&wire.near.namespace).interface("sensor0").pins(pins).config(config)
}

fn syns(from: Ipv4Addr, port: u16, packets: usize) -> Vec<Vec<u8>> {
    vec![frame().ipv4().from(from).to(TO).tcp(port).syn().window(1024).bytes(); packets]
}

/// Packets to three ports and pings, from two sources.
fn traffic() -> Vec<Vec<u8>> {
    let pings = vec![frame().ipv4().from(BRAZIL).to(TO).icmp(8, 0).bytes(); 40];
    [syns(JAPAN, 23, 1_234), syns(BRAZIL, 445, 300), syns(JAPAN, 6379, 26), pings].concat()
}
