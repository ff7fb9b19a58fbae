//! A small world around a sensor host, with real programs in it: an administrator, servers, a scanner.
//!
//! Everything is in network namespaces that live as long as the [`World`]; nothing of it touches the
//! machine's own network. The way to the administrator and to one of the servers is narrow in the middle,
//! so that long transfers depend on ICMP errors that say so (RFC 1191, RFC 8201).

mod flood;
mod names;
mod place;
mod program;
mod ssh;
mod statistic;
mod web;

pub use flood::Flood;
pub use names::{LARGE_NAME, SMALL_NAME};
pub use place::{Family, NARROW_MTU, Place};
pub use program::{Conversation, Finished, Program, Running};
pub use web::{WEB_PORT, body};

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::namespace::Namespace;
use crate::skip::{self, Missing};
use crate::wire::Wire;
use names::Names;
use place::{LINKS, Link, NARROW};
use program::missing;
use ssh::Ssh;
use web::Web;

/// The sensor host's NIC.
pub const NIC: &str = "eth0";

/// The sensor, as the agent's configuration.
pub const SENSOR: &str = r#"
[[sensor]]
name = "world"
prefixes = ["198.51.100.7/32", "2001:db8:7::7/128"]
"#;

/// What lets the administrator in, likewise.
pub const RULE: &str = r#"
[[allow]]
from = ["203.0.113.0/24", "2001:db8:a::/64"]
tcp = [22]
icmp_echo = true
"#;

/// Whether a world can be made here.
///
/// # Errors
/// Without root, or if one of its programs isn't here.
pub fn possible() -> Result<(), Missing> {
    skip::root()?;
    match missing().as_slice() {
        [] => Ok(()),
        missing => {
            Err(Missing::new(format!("{} missing: `cargo xtask setup` brings it", missing.join(", "))))
        }
    }
}

/// The world; dropping it ends its programs and takes it down.
// Fields are dropped in this order: programs before what they run in.
#[derive(Debug)]
pub struct World {
    programs: Vec<Running>,
    webs: Vec<Web>,
    names: Names,
    ssh: Ssh,
    wires: BTreeMap<Place, Arc<Wire>>,
    places: BTreeMap<Place, Namespace>,
    cpus: Option<(usize, usize)>,
}

impl World {
    /// A world with its servers listening.
    ///
    /// # Errors
    /// Without root, or if one of its programs is missing or fails to start.
    pub fn new() -> Result<Self> {
        Self::on(None)
    }

    /// A world whose sensor host runs its programs on one CPU, and everybody else on the other.
    ///
    /// # Errors
    /// As [`World::new`], or if there is no such CPU.
    pub fn on_cpus(host: usize, others: usize) -> Result<Self> {
        Self::on(Some((host, others)))
    }

    fn on(cpus: Option<(usize, usize)>) -> Result<Self> {
        let mut places = BTreeMap::new();
        for place in Place::ALL {
            let namespace = Namespace::new()?;
            namespace.enable_ipv6()?;
            places.insert(place, namespace);
        }
        let mut world = Self {
            programs: Vec::new(),
            webs: Vec::new(),
            names: Names::new()?,
            ssh: Ssh::new()?,
            wires: BTreeMap::new(),
            places,
            cpus,
        };
        for link in &LINKS {
            let wire = world.lay(link).with_context(|| format!("cannot lay {}", link.name))?;
            world.wires.insert(link.leaf, Arc::new(wire));
        }
        world.route()?;
        world.serve()?;
        Ok(world)
    }

    /// Joins two places.
    fn lay(&self, link: &Link) -> Result<Wire> {
        let (leaf, middle) = (self.at(link.leaf).clone(), self.at(link.middle).clone());
        let wire = Wire::between(leaf, link.name, middle, link.mtu)?;
        // The packets that tests make are for this address.
        wire.near.namespace.ip(&format!("link set {} address 02:00:00:00:00:01", link.name))?;
        for (end, last) in [(&wire.near, link.leaf_number), (&wire.far, link.middle_number)] {
            end.namespace.sysctl(&format!("ipv6/conf/{}/accept_dad", end.name), "0")?;
            end.namespace.sysctl(&format!("ipv6/conf/{}/accept_ra", end.name), "0")?;
            end.namespace.sysctl(&format!("ipv6/conf/{}/disable_ipv6", end.name), "0")?;
            end.namespace.sysctl(&format!("ipv4/conf/{}/rp_filter", end.name), "0")?;
            end.address(&format!("{}/24", link.address(last, Family::V4)))?;
            end.address(&format!("{}/64", link.address(last, Family::V6)))?;
        }
        Ok(wire)
    }

    /// Leads every packet to its place, and answers to forged sources to the scanner.
    fn route(&self) -> Result<()> {
        for place in [Place::Router, Place::Edge] {
            let namespace = self.at(place);
            for (name, value) in [
                ("ipv4/ip_forward", "1"),
                ("ipv6/conf/all/forwarding", "1"),
                ("ipv4/conf/all/rp_filter", "0"),
                // Every transfer is to learn of the narrow link without waiting for its turn.
                ("ipv4/icmp_ratelimit", "0"),
                ("ipv6/icmp/ratelimit", "0"),
            ] {
                namespace.sysctl(name, value)?;
            }
        }
        for link in LINKS.iter().filter(|link| link.name != NARROW) {
            for family in Family::BOTH {
                let gateway = link.address(link.middle_number, family);
                self.at(link.leaf).ip(&format!("route add default via {gateway}"))?;
            }
        }
        for family in Family::BOTH {
            self.at(Place::Router)
                .ip(&format!("route add default via {}", self.address(Place::Edge, family)))?;
            let scanner = self.address(Place::Scanner, family);
            let (forged, bits) = flood::forged_sources(family);
            self.at(Place::Router).ip(&format!("route add {forged}/{bits} via {scanner}"))?;
            let router = LINKS.iter().find(|link| link.leaf == Place::Edge).context("no such link")?;
            let router = router.address(router.middle_number, family);
            self.at(Place::Edge).ip(&format!("route add default via {router}"))?;
        }
        Ok(())
    }

    /// Starts the servers and waits until they listen.
    fn serve(&mut self) -> Result<()> {
        for place in [Place::Host, Place::Outside] {
            let server = self.ssh.server(self.program(place, "unshare")?)?.spawn()?;
            self.programs.push(server);
        }
        let server = Names::server(self.program(Place::Outside, "dnsmasq")?).spawn()?;
        self.programs.push(server);
        for place in [Place::Outside, Place::Far] {
            let cpu = self.cpus.map(|(_, others)| others);
            self.webs.push(Web::serve(self.at(place), cpu)?);
        }
        for (place, port) in [(Place::Host, 22), (Place::Outside, 22), (Place::Outside, 53)] {
            self.wait_for(place, port)?;
        }
        Ok(())
    }

    fn wait_for(&mut self, place: Place, port: u16) -> Result<()> {
        let server = SocketAddr::from(([127, 0, 0, 1], port));
        let deadline = Instant::now() + Duration::from_secs(20);
        let namespace = self.at(place).clone();
        while namespace.run(|| TcpStream::connect(server))?.is_err() {
            for program in &mut self.programs {
                program.still_runs()?;
            }
            ensure!(Instant::now() < deadline, "nobody listens on port {port} of {place:?} after 20 s");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// A place's namespace.
    #[must_use]
    pub fn at(&self, place: Place) -> &Namespace {
        &self.places[&place]
    }

    /// A place's address.
    #[must_use]
    pub fn address(&self, place: Place, family: Family) -> IpAddr {
        place::address(place, family)
    }

    /// The sensor host's wire: the host is at its near end.
    #[must_use]
    pub fn wire(&self) -> &Arc<Wire> {
        &self.wires[&Place::Host]
    }

    /// A program that will run in a place.
    ///
    /// # Errors
    /// If it isn't here.
    pub fn program(&self, place: Place, name: &str) -> Result<Program> {
        let program = Program::new(self.at(place), name)?;
        Ok(match self.cpus {
            Some((host, _)) if place == Place::Host => program.cpu(host),
            Some((_, others)) => program.cpu(others),
            None => program,
        })
    }

    /// `ssh` from one place to another, to run this command there.
    ///
    /// # Errors
    /// If there is no `ssh`.
    pub fn ssh(&self, from: Place, to: Place, family: Family, command: &str) -> Result<Program> {
        let target = format!("root@{}", self.address(to, family));
        Ok(self.ssh.client(self.program(from, "ssh")?).arg(&target).arg(command))
    }

    /// A configuration for `ssh` that leads to the world's servers.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn ssh_config(&self) -> Result<PathBuf> {
        self.ssh.client_config()
    }

    /// `scp` of a file from one place to a file in another.
    ///
    /// # Errors
    /// If there is no `scp`.
    pub fn fetch(&self, from: Place, to: Place, family: Family, paths: [&Path; 2]) -> Result<Program> {
        let [there, here] = paths.map(|path| path.display().to_string());
        let remote = match self.address(from, family) {
            IpAddr::V4(address) => format!("root@{address}:{there}"),
            IpAddr::V6(address) => format!("root@[{address}]:{there}"),
        };
        Ok(self.ssh.client(self.program(to, "scp")?).arg(&remote).arg(&here))
    }

    /// A program on the sensor host that finds names by way of the world's resolver.
    ///
    /// # Errors
    /// If it isn't here.
    pub fn resolving(&self, name: &str, family: Family) -> Result<Program> {
        Ok(self.names.client(self.program(Place::Host, name)?, family))
    }

    /// Packets that have come to the scanner in answer to its forged sources.
    ///
    /// # Errors
    /// If the kernel doesn't tell.
    pub fn answers_to_forged_sources(&self) -> Result<u64> {
        // The scanner is no router: what isn't for its own address is discarded, and counted here.
        Ok(self.statistic(Place::Scanner, "IpInAddrErrors")?
            + self.statistic(Place::Scanner, "Ip6InAddrErrors")?)
    }

    /// One of the counters of a place's IP stack, IPv6's as in `/proc/net/snmp6`, and IPv4's named likewise.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn statistic(&self, place: Place, name: &str) -> Result<u64> {
        statistic::read(self.at(place), name).with_context(|| format!("no statistics of {place:?}"))
    }

    /// The greatest packet that a place believes can reach another, if it has learnt of a limit.
    ///
    /// # Errors
    /// If there is no way at all.
    pub fn path_mtu(&self, from: Place, to: Place, family: Family) -> Result<Option<u32>> {
        let route = self.at(from).ip(&format!("route get {}", self.address(to, family)))?;
        let mut words = route.split_whitespace().skip_while(|word| *word != "mtu").skip(1);
        Ok(words.next().and_then(|mtu| mtu.parse().ok()))
    }
}
