//! What a configuration lets through, and at which addresses the host's services are met.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use sensor_common::parse::{IpHeader as _, Ipv4, Ipv6};

use super::Facts;
use crate::config::{Allow, Config, Prefix, Transport};
use crate::kernel::Socket;

/// Whether packets to this address belong to a sensor.
#[must_use]
pub fn is_monitored(config: &Config, address: IpAddr) -> bool {
    let mut prefixes = config.sensors.iter().flat_map(|sensor| &sensor.prefixes).peekable();
    prefixes.peek().is_none() || prefixes.any(|prefix| prefix.contains(Prefix::around(address, 128)))
}

/// Whether a rule lets `peer` reach this port.
#[must_use]
pub fn lets_in(config: &Config, transport: Transport, port: u16, peer: IpAddr) -> bool {
    let peer = Prefix::around(peer, 128);
    let mut rules = config.allow.iter().filter(|rule| names(rule, transport, port));
    rules.any(|rule| rule.from.iter().any(|from| from.contains(peer)))
}

/// Whether the rule is about this port.
pub(super) fn names(rule: &Allow, transport: Transport, port: u16) -> bool {
    match transport {
        Transport::Tcp => rule.tcp.contains(&port),
        Transport::Udp => rule.udp.contains(&port),
    }
}

/// A port that something on this host listens on, and that the sensor stands in front of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Of TCP or UDP.
    pub transport: Transport,
    /// The port.
    pub port: u16,
    /// Whether it is reached over IPv4, and who may: nobody if it is empty.
    pub v4: Option<Vec<Prefix>>,
    /// Whether it is reached over IPv6, and who may: nobody if it is empty.
    pub v6: Option<Vec<Prefix>>,
}

impl Service {
    /// The services that the sensor would stand in front of, by port.
    #[must_use]
    pub fn all(config: &Config, facts: &Facts) -> Vec<Self> {
        let mut services = BTreeMap::new();
        let listeners = facts.sockets.listeners();
        for listener in listeners.filter(|it| !facts.is_passing(it) && !is_dhcp_client(it)) {
            if !is_exposed(listener, config, facts) {
                continue;
            }
            let Socket { transport, local, .. } = *listener;
            let port = local.port();
            let service =
                services.entry((port, transport)).or_insert(Self { transport, port, v4: None, v6: None });
            let rules = config.allow.iter().filter(|rule| names(rule, transport, port));
            let from = rules.flat_map(|rule| &rule.from).copied();
            let from = from.filter(|from| from.address().is_ipv4() == local.is_ipv4()).collect();
            *(if local.is_ipv4() { &mut service.v4 } else { &mut service.v6 }) = Some(from);
        }
        services.into_values().collect()
    }

    /// Whether nobody can reach it over any IP version.
    #[must_use]
    pub fn is_dark(&self) -> bool {
        self.from().next().is_none()
    }

    /// The part of it that goes dark, if any does.
    #[must_use]
    pub fn dark(&self) -> Option<Dark> {
        let is_dark = |from: &Option<Vec<Prefix>>| from.as_ref().is_some_and(Vec::is_empty);
        let over = match (is_dark(&self.v4), is_dark(&self.v6)) {
            (false, false) => return None,
            (true, false) if self.v6.is_some() => Some("IPv4"),
            (false, true) if self.v4.is_some() => Some("IPv6"),
            _ => None,
        };
        Some(Dark { transport: self.transport, port: self.port, over })
    }

    /// Who may reach it.
    pub fn from(&self) -> impl Iterator<Item = Prefix> {
        [&self.v4, &self.v6].into_iter().flatten().flatten().copied()
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.port, self.transport)
    }
}

/// A service, or one IP version's half of it, that nobody can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dark {
    /// Of TCP or UDP.
    pub transport: Transport,
    /// The port.
    pub port: u16,
    /// The IP version, if it can still be reached over the other one.
    pub over: Option<&'static str>,
}

impl fmt::Display for Dark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.port, self.transport)?;
        self.over.map_or(Ok(()), |version| write!(f, " over {version}"))
    }
}

/// Whether packets to the listener come in by one of the interfaces and go to a monitored address.
fn is_exposed(listener: &Socket, config: &Config, facts: &Facts) -> bool {
    let wanted = listener.local.ip();
    facts.addresses.iter().any(|host| {
        let listened_on = if wanted.is_unspecified() {
            host.address.is_ipv4() == wanted.is_ipv4() && !is_link_local(host.address)
        } else {
            host.address == wanted
        };
        listened_on && is_monitored(config, host.address) && facts.is_attached(&host.through)
    })
}

/// Whether the host asks for its addresses from there: what it is answered passes as link control.
fn is_dhcp_client(listener: &Socket) -> bool {
    let client = if listener.local.is_ipv4() { Ipv4::DHCP_CLIENT } else { Ipv6::DHCP_CLIENT };
    listener.transport == Transport::Udp && listener.local.port() == client
}

/// Every interface has one; nobody far away can use it.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
