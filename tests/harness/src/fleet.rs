//! A fleet: sensors on hosts of their own, and a Prometheus that scrapes them.
//!
//! Each host is a network namespace with two wires. The Internet comes in by one, which its agent monitors; the
//! other leads to the management network, where Prometheus is.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};

use crate::agent::{AgentProcess, Launch};
use crate::namespace::Namespace;
use crate::pins::Pins;
use crate::prometheus::Prometheus;
use crate::wire::{MTU, Wire};
use crate::workspace;

/// What the interface is called that the Internet comes in by.
const MONITORED: &str = "sensor0";
/// Where agents listen, at their hosts' management addresses.
const AGENT_PORT: u16 = 19_817;
/// Where Prometheus listens, in the management network.
const PROMETHEUS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// A sensor to be, and all that its agent is told.
#[derive(Clone, Debug)]
pub struct SensorSpec {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// What it monitors.
    pub prefixes: Vec<String>,
    /// Ports with series of their own from the start, as `23/tcp`.
    pub ports: Vec<String>,
}

/// A host with one sensor.
#[derive(Debug)]
pub struct Host {
    /// Its agent.
    pub agent: AgentProcess,
    /// Where its packets come from.
    pub wire: Wire,
    _management: Wire,
    _pins: Pins,
}

/// Hosts in the order of their specifications; dropping it ends all that runs and removes all that was made.
#[derive(Debug)]
pub struct Fleet {
    /// What scrapes them all, every second.
    pub prometheus: Prometheus,
    /// Where Prometheus is.
    pub management: Namespace,
    /// The hosts.
    pub hosts: Vec<Host>,
}

impl Fleet {
    /// Starts an agent for each sensor, and then Prometheus with the fleet's rules.
    ///
    /// # Errors
    /// Without root, without Prometheus, or if an agent doesn't start.
    pub fn start(sensors: &[SensorSpec]) -> Result<Self> {
        let management = Namespace::new()?;
        let hosts = (0..).zip(sensors).map(|(number, sensor)| {
            let name = &sensor.name;
            Host::start(number, sensor, &management).with_context(|| format!("the host of {name}"))
        });
        let hosts: Vec<Host> = hosts.collect::<Result<_>>()?;
        let targets: Vec<String> =
            (0..).zip(&hosts).map(|(number, _)| format!("'{}'", Host::listen(number))).collect();
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: ['{}/fleet/rules/*.yml']\n\
             scrape_configs: [{{job_name: sensor, static_configs: [{{targets: [{}]}}]}}]\n",
            workspace().display(),
            targets.join(", "),
        );
        let prometheus = Prometheus::start(&management, PROMETHEUS, &config, &[])?;
        Ok(Self { prometheus, management, hosts })
    }
}

impl Host {
    fn start(number: u8, sensor: &SensorSpec, network: &Namespace) -> Result<Self> {
        let own = Namespace::new()?;
        let wire = Wire::between(own.clone(), MONITORED, Namespace::new()?, MTU)?;
        let management = Wire::between(own.clone(), &format!("management{number}"), network.clone(), MTU)?;
        let [near, far] = Self::addresses(number);
        management.near.address(&format!("{near}/30"))?;
        management.far.address(&format!("{far}/30"))?;
        let pins = Pins::new()?;
        let launch = Launch::new(&own).interface(MONITORED).listen(Self::listen(number)).pins(&pins);
        let agent = launch.config(&sensor.config()?).start()?;
        Ok(Self { agent, wire, _management: management, _pins: pins })
    }

    /// The two ends of a host's management wire: its own, and Prometheus's.
    fn addresses(number: u8) -> [Ipv4Addr; 2] {
        [2, 1].map(|end| Ipv4Addr::new(10, 0, number, end))
    }

    fn listen(number: u8) -> SocketAddr {
        let [own, _] = Self::addresses(number);
        SocketAddr::from((own, AGENT_PORT))
    }
}

impl SensorSpec {
    fn config(&self) -> Result<String> {
        let mut text = format!("[[sensor]]\nname = {:?}\nregion = {:?}\n", self.name, self.region);
        // A list of plain strings is written the same in TOML and in Rust.
        write!(text, "prefixes = {:?}\n[export]\nports = {:?}\n", self.prefixes, self.ports)?;
        Ok(text)
    }
}
