//! A host with an agent that Prometheus scrapes, and what may befall it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::cli;
use sensor_harness::namespace::Namespace;
use sensor_harness::pins::Pins;
use sensor_harness::wire::{MTU, Wire};

/// The monitored interface, by which packets come.
const NIC: &str = "sensor0";
/// A second one on some hosts, by which none come.
const SECOND: &str = "sensor1";

/// A host: its wires, its pins, and its agent.
pub struct Host {
    pub name: &'static str,
    pub wire: Arc<Wire>,
    pub target: SocketAddr,
    launch: Launch,
    agent: AgentProcess,
    _management: Wire,
    pins: Pins,
}

/// A second interface.
pub enum Second {
    /// With native XDP.
    Veth,
    /// Without.
    Slow,
}

impl Host {
    /// Starts an agent with this configuration, in a network that leads to Prometheus; by way of another program, if
    /// one is named. No other host has its number.
    pub fn start(
        (number, name): (u8, &'static str),
        network: &Namespace,
        config: &str,
        second: Option<Second>,
        by: &str,
    ) -> Result<Self> {
        let own = Namespace::new()?;
        let wire = Wire::between(own.clone(), NIC, Namespace::new()?, MTU)?;
        let management = Wire::between(own.clone(), &format!("management{number}"), network.clone(), MTU)?;
        let [near, far] = [2, 1].map(|end| Ipv4Addr::new(10, 0, number, end));
        management.near.address(&format!("{near}/30"))?;
        management.far.address(&format!("{far}/30"))?;
        let target = SocketAddr::from((near, 19_817));
        let pins = Pins::new()?;
        let mut launch = Launch::new(&own).listen(target).config(config).pins(&pins).interface(NIC);
        if let Some(second) = second {
            match second {
                Second::Slow => own.add_interface_without_native_xdp(SECOND)?,
                Second::Veth => {
                    own.ip(&format!("link add {SECOND} type veth peer name peer"))?;
                    own.ip("link set peer up")?;
                    own.ip(&format!("link set {SECOND} up"))?;
                }
            }
            launch = launch.interface(SECOND);
        }
        let agent = launch.clone().wrapped(by).start().with_context(|| format!("the agent of {name}"))?;
        Ok(Self { name, wire: Arc::new(wire), target, launch, agent, _management: management, pins })
    }

    /// Its agent is gone at once; what is attached stays.
    pub fn kill(&mut self) -> Result<()> {
        self.agent.stop(Signal::SIGKILL).map(drop)
    }

    /// Another agent is started, with more arguments.
    pub fn start_again(&mut self, more: &[&str]) -> Result<()> {
        let launch = more.iter().fold(self.launch.clone(), |launch, argument| launch.argument(argument));
        self.agent = launch.start()?;
        Ok(())
    }

    /// A person detaches from its second interface.
    pub fn detach(&self) -> Result<()> {
        let pins = self.pins.path().display().to_string();
        let arguments = ["detach", "--interface", SECOND, "--pins", &pins];
        let said = cli::sensor(&self.wire.near.namespace, &arguments)?;
        ensure!(said.code == 0, "{}", said.stderr);
        Ok(())
    }

    /// Its second interface is taken away.
    pub fn take_away(&self) -> Result<()> {
        self.wire.near.namespace.ip(&format!("link delete {SECOND}")).map(drop)
    }

    /// The link by which its agent sees what the host sends; none before Linux 6.6.
    pub fn egress_link(&self) -> Result<Option<u32>> {
        for entry in std::fs::read_dir(format!("/proc/{}/fdinfo", self.agent.pid()))? {
            // A descriptor may be closed meanwhile.
            let text = std::fs::read_to_string(entry?.path()).unwrap_or_default();
            let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
            if value("link_type:") == Some("tcx") {
                return Ok(Some(value("link_id:").context("a link without a number")?.parse()?));
            }
        }
        Ok(None)
    }

    /// What its agent has said last.
    pub fn log(&self) -> String {
        let said = self.agent.stderr();
        let lines: Vec<_> = said.lines().collect();
        format!("{}:\n{}", self.name, lines[lines.len().saturating_sub(5)..].join("\n"))
    }
}
