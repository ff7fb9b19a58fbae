//! What is the case on this host before attaching.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::IpAddr;

use anyhow::Result;

use super::login::Logins;
use super::reach::{is_link_local, is_monitored, lets_in};
use crate::config::{Config, Transport};
use crate::kernel::{HostAddress, Interface, Links, Socket, Sockets, Tunnel, WayOut, stacked};

/// Two addresses that talk, and the interface that the socket here is bound to.
pub type Ends = (IpAddr, IpAddr, Option<u32>);

/// The first port that programs get when they ask for none, unless the host is told otherwise.
const FIRST_EPHEMERAL: u16 = 32_768;

/// What is the case on this host.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The interfaces to attach to.
    pub interfaces: Vec<Interface>,
    /// The numbers of the interfaces that a default route depends on.
    pub default_route: HashSet<u32>,
    /// The host's own addresses.
    pub addresses: Vec<HostAddress>,
    /// Its sockets.
    pub sockets: Sockets,
    /// The numbers of the interfaces that answers to a peer leave by: of those that may be cut off.
    pub ways: HashMap<Ends, HashSet<u32>>,
    /// By which interfaces leaves what the host sends far away from its addresses.
    pub ways_out: Vec<(IpAddr, WayOut)>,
    /// Who is logged in.
    pub logins: Logins,
    /// The names of interfaces that lead into other network namespaces: containers'.
    pub containers: Vec<String>,
    /// The tunnels that are up, without the interfaces to attach to.
    pub tunnels: Vec<Tunnel>,
    /// Those of the interfaces that will both have the program, though one stands on the other: the lower one's name
    /// and the upper one's.
    pub stacked: Vec<(String, String)>,
    /// The ports that programs get when they ask for none: first and last.
    pub ephemeral: (u16, u16),
}

impl Facts {
    /// Asks the kernel.
    ///
    /// # Errors
    /// It does not answer.
    pub fn gather(config: &Config, interfaces: &[Interface]) -> Result<Self> {
        let links = Links::now()?;
        let sockets = Sockets::now()?;
        let in_danger = sockets.inbound().filter(|session| would_be_dropped(config, session));
        let in_danger: HashSet<_> = in_danger.filter_map(ends).collect();
        let mut ways = HashMap::with_capacity(in_danger.len());
        for (local, remote, bound) in in_danger {
            ways.insert((local, remote, bound), links.ways_of(local, remote, bound)?);
        }
        let addresses = links.addresses()?;
        let sources = addresses.iter().map(|host| host.address).filter(|&address| !is_link_local(address));
        let ways_out = sources.map(|source| Ok((source, links.way_out(source)?))).collect::<Result<_>>()?;
        let is_other = |index: u32| interfaces.iter().all(|interface| interface.index != index);
        let containers = links.into_other_namespaces().filter(|(index, _)| is_other(*index));
        Ok(Self {
            interfaces: interfaces.to_vec(),
            default_route: links.below_default_routes()?,
            addresses,
            sockets,
            ways,
            ways_out,
            logins: Logins::now(),
            containers: containers.map(|(_, name)| name).collect(),
            tunnels: links.tunnels().filter(|tunnel| is_other(tunnel.index)).collect(),
            stacked: both_attached(interfaces)?,
            ephemeral: ephemeral_ports(),
        })
    }

    /// Whether one of these is an interface to attach to.
    pub(super) fn is_attached(&self, through: &HashSet<u32>) -> bool {
        self.interfaces.iter().any(|interface| through.contains(&interface.index))
    }

    /// The interfaces to attach to that the session's packets may come in by: those that lead to the peer, and
    /// those that have the address it talks to.
    pub(super) fn ways_in(&self, session: &Socket) -> Vec<&Interface> {
        let Some(ends) = ends(session) else { return Vec::new() };
        let ways = self.ways.get(&ends);
        // The host talks to itself.
        if ways.is_some_and(HashSet::is_empty) {
            return Vec::new();
        }
        let owners: HashSet<u32> = self
            .addresses
            .iter()
            .filter(|host| host.address == ends.0)
            .flat_map(|host| &host.through)
            .copied()
            .collect();
        let may_carry = |interface: &&Interface| {
            owners.contains(&interface.index) || ways.is_none_or(|ways| ways.contains(&interface.index))
        };
        self.interfaces.iter().filter(may_carry).collect()
    }

    /// Whether the listener is a client's UDP socket: what it sends makes its answers pass. It is not told of, since every
    /// resolver has some, and others in a moment; tunnels, whose ports may be among these, are looked at by themselves.
    pub(super) fn is_passing(&self, listener: &Socket) -> bool {
        let (first, last) = self.ephemeral;
        listener.transport == Transport::Udp && (first..=last).contains(&listener.local.port())
    }
}

/// The session's two addresses.
fn ends(session: &Socket) -> Option<Ends> {
    session.remote.map(|remote| (session.local.ip(), remote.ip(), session.interface))
}

/// Whether the configuration lets none of the session's packets in.
pub(super) fn would_be_dropped(config: &Config, session: &Socket) -> bool {
    let Socket { transport, local, remote, .. } = *session;
    remote.is_some_and(|remote| {
        !config.observe
            && is_monitored(config, local.ip())
            && !lets_in(config, transport, local.port(), remote.ip())
    })
}

/// Without those where the upper one alone has a program, which keeps the kernel from taking one below.
fn both_attached(interfaces: &[Interface]) -> Result<Vec<(String, String)>> {
    let find = |index| interfaces.iter().find(|interface| interface.index == index);
    let indices: Vec<_> = interfaces.iter().map(|interface| interface.index).collect();
    let pairs = stacked(&indices)?.into_iter().filter_map(|(lower, upper)| find(lower).zip(find(upper)));
    let pairs = pairs.filter(|(lower, upper)| lower.xdp.is_some() || upper.xdp.is_none());
    Ok(pairs.map(|(lower, upper)| (lower.name.clone(), upper.name.clone())).collect())
}

fn ephemeral_ports() -> (u16, u16) {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ports = range.split_whitespace().map_while(|port| port.parse().ok());
    (ports.next().unwrap_or(FIRST_EPHEMERAL), ports.next().unwrap_or(u16::MAX))
}
