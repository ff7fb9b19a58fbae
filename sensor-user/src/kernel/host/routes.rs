//! Which interfaces the host's traffic depends on, so that attaching there could cut the operator off.
//!
//! An interface carries a route itself, or lies below one that does: a port of a bridge or bond, or the device
//! under a VLAN, macvlan or tunnel. Where the kernel does not say, every interface may.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};
use futures_util::TryStreamExt;
use netlink_packet_route::address::AddressAttribute;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteType};
use rtnetlink::RouteMessageBuilder;

use super::netlink::Netlink;

/// The longest prefix that is a default route: VPNs split it into two halves so that theirs goes first.
const LONGEST_DEFAULT: u8 = 1;

/// The host's interfaces, and what lies below what.
#[derive(Clone, Debug)]
pub struct Links {
    netlink: Netlink,
    links: Vec<LinkMessage>,
}

/// An address of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAddress {
    /// The address.
    pub address: IpAddr,
    /// The numbers of the interfaces that packets to it may come in by.
    pub through: HashSet<u32>,
}

impl Links {
    /// Asks the kernel.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn now(netlink: &Netlink) -> Result<Self> {
        let links = netlink.handle.link().get().execute().try_collect().await;
        let links = links.context("cannot ask the kernel for its links")?;
        Ok(Self { netlink: netlink.clone(), links })
    }

    /// The numbers of the interfaces that a default route, IPv4 or IPv6, in any routing table depends on.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn below_default_routes(&self) -> Result<HashSet<u32>> {
        let mut carriers = HashSet::new();
        let v4 = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let v6 = RouteMessageBuilder::<Ipv6Addr>::new().build();
        for family in [v4, v6] {
            let mut routes = self.netlink.handle.route().get(family).execute();
            while let Some(route) = routes.try_next().await.context("cannot ask the kernel for its routes")? {
                if route.header.destination_prefix_length <= LONGEST_DEFAULT {
                    carriers.extend(self.outputs(&route));
                }
            }
        }
        Ok(self.with_lower_devices(carriers))
    }

    /// This host's own addresses.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn addresses(&self) -> Result<Vec<HostAddress>> {
        let mut messages = self.netlink.handle.address().get().execute();
        let mut addresses = Vec::new();
        while let Some(message) =
            messages.try_next().await.context("cannot ask the kernel for its addresses")?
        {
            let attribute = |local| {
                message.attributes.iter().find_map(|attribute| match attribute {
                    AddressAttribute::Local(address) if local => Some(*address),
                    AddressAttribute::Address(address) if !local => Some(*address),
                    _ => None,
                })
            };
            // Between point-to-point ends, the one that is not called local is the other end's.
            if let Some(address) = attribute(true).or_else(|| attribute(false)) {
                addresses.push(HostAddress { address, through: self.ways_to(message.header.index, address) });
            }
        }
        Ok(addresses)
    }

    /// The interfaces that packets to an address of the interface `owner` may come in by.
    fn ways_to(&self, owner: u32, address: IpAddr) -> HashSet<u32> {
        if address.is_loopback() {
            return HashSet::new();
        }
        if self.links.iter().any(|link| link.header.index == owner && is_without_wire(link)) {
            return self.all();
        }
        self.with_lower_devices(HashSet::from([owner]))
    }

    /// The interfaces by which a conversation of `local`, bound to the interface `bound` or to none, with
    /// `remote` goes out, and so most likely comes in.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn ways_of(&self, local: IpAddr, remote: IpAddr, bound: Option<u32>) -> Result<HashSet<u32>> {
        if let Some(bound) = bound {
            return Ok(self.with_lower_devices(HashSet::from([bound])));
        }
        // The rule's own route, so that a route with several ways gives them all (kernel 4.13).
        for source in [Some(local), None] {
            let mut routes = self.netlink.handle.route().get(route_to(remote, source)).execute();
            match routes.try_next().await {
                // The host talks to itself.
                Ok(Some(route)) if route.header.kind == RouteType::Local => return Ok(HashSet::new()),
                Ok(Some(route)) => return Ok(self.with_lower_devices(self.outputs(&route))),
                Ok(None) | Err(rtnetlink::Error::NetlinkError(_)) => {}
                Err(error) => return Err(error).context("cannot ask the kernel for a route"),
            }
        }
        Ok(self.all())
    }

    /// Numbers and names of the interfaces whose other end is in another network namespace.
    pub fn into_other_namespaces(&self) -> impl Iterator<Item = (u32, String)> {
        self.links.iter().filter(|link| is_foreign(link)).filter_map(|link| {
            let name = link.attributes.iter().find_map(|attribute| match attribute {
                LinkAttribute::IfName(name) => Some(name.clone()),
                _ => None,
            });
            name.map(|name| (link.header.index, name))
        })
    }

    fn all(&self) -> HashSet<u32> {
        self.links.iter().map(|link| link.header.index).collect()
    }

    /// The interfaces that a route sends to.
    fn outputs(&self, route: &RouteMessage) -> HashSet<u32> {
        // A next-hop object: the kernel names it and not the interface.
        outputs(route).map_or_else(|| self.all(), HashSet::from_iter)
    }

    /// Adds what lies below the interfaces, however deep.
    fn with_lower_devices(&self, interfaces: HashSet<u32>) -> HashSet<u32> {
        with_lower_devices(interfaces, &self.links)
    }
}

/// Whether the interface's other end is in another network namespace.
fn is_foreign(link: &LinkMessage) -> bool {
    link.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::LinkNetNsId(_)))
}

/// Whether an interface only holds addresses, and their packets come in by others.
fn is_without_wire(link: &LinkMessage) -> bool {
    let is_dummy = link.attributes.iter().any(|attribute| {
        matches!(attribute, LinkAttribute::LinkInfo(info) if info.contains(&LinkInfo::Kind(InfoKind::Dummy)))
    });
    is_dummy || link.header.flags.contains(LinkFlags::Loopback)
}

/// The question which route leads to `remote`, for packets from `source`.
fn route_to(remote: IpAddr, source: Option<IpAddr>) -> RouteMessage {
    let mut message = match remote {
        IpAddr::V4(remote) => RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(remote, 32).build(),
        IpAddr::V6(remote) => RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(remote, 128).build(),
    };
    message.header = RouteHeader {
        address_family: message.header.address_family,
        destination_prefix_length: message.header.destination_prefix_length,
        flags: RouteFlags::FibMatch,
        ..RouteHeader::default()
    };
    if let Some(source) = source {
        message.header.source_prefix_length = if source.is_ipv4() { 32 } else { 128 };
        message.attributes.push(RouteAttribute::Source(source.into()));
    }
    message
}

/// The interfaces that a route sends to; `None` if it does not say.
fn outputs(route: &RouteMessage) -> Option<Vec<u32>> {
    let mut outputs = Vec::new();
    let mut by_object = false;
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Oif(index) => outputs.push(*index),
            RouteAttribute::MultiPath(hops) => outputs.extend(hops.iter().map(|hop| hop.interface_index)),
            RouteAttribute::NhId(_) => by_object = true,
            _ => {}
        }
    }
    (!outputs.is_empty() || !by_object).then_some(outputs)
}

/// Adds what lies below the interfaces, however deep.
fn with_lower_devices(mut carriers: HashSet<u32>, links: &[LinkMessage]) -> HashSet<u32> {
    loop {
        let lower: HashSet<u32> = links
            .iter()
            .flat_map(|link| {
                let index = link.header.index;
                // A veth's other end in another namespace is no device of this one.
                let foreign = is_foreign(link);
                link.attributes.iter().filter_map(move |attribute| match attribute {
                    LinkAttribute::Controller(upper) => Some((*upper, index)),
                    LinkAttribute::Link(lower) if !foreign => Some((index, *lower)),
                    _ => None,
                })
            })
            .filter(|(upper, lower)| carriers.contains(upper) && !carriers.contains(lower))
            .map(|(_, lower)| lower)
            .collect();
        if lower.is_empty() {
            return carriers;
        }
        carriers.extend(lower);
    }
}
