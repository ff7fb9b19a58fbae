//! Which interfaces the host's traffic depends on, so that attaching there could cut the operator off.
//!
//! An interface carries a route itself, or lies below one that does: a port of a bridge or bond, or the device
//! under a VLAN, macvlan or tunnel. Where the kernel does not say, every interface may.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{InfoKind, InfoPortKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;

use super::ask::ask;
use super::interface;
use super::tunnel::Tunnel;

/// The longest prefix that is a default route: VPNs split it into two halves so that theirs goes first.
const LONGEST_DEFAULT: u8 = 1;

/// Addresses that nobody has, and so no route of their own: they go where all goes that is far away.
const FAR_V4: Ipv4Addr = Ipv4Addr::new(240, 0, 0, 1);
const FAR_V6: Ipv6Addr = Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 1);

/// The host's interfaces, and what lies below what.
#[derive(Clone, Debug)]
pub struct Links(Vec<LinkMessage>);

/// An address of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAddress {
    /// The address.
    pub address: IpAddr,
    /// The numbers of the interfaces that packets to it may come in by.
    pub through: HashSet<u32>,
    /// Whether the host is about to give it up: an IPv6 address that is temporary (RFC 8981), or that is deprecated
    /// (RFC 4862 §5.5.4) because its time runs out.
    pub fleeting: bool,
}

/// By which interfaces packets leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WayOut {
    /// Their names.
    pub names: Vec<String>,
    /// Their numbers, and those of what lies below them.
    pub through: HashSet<u32>,
}

impl Links {
    /// Asks the kernel.
    ///
    /// # Errors
    /// It does not answer.
    pub fn now() -> Result<Self> {
        let links = interface::links(NLM_F_DUMP, LinkMessage::default());
        links.map(Self).context("cannot ask the kernel for its links")
    }

    /// The numbers of the interfaces that a default route, IPv4 or IPv6, in any routing table depends on.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn below_default_routes(&self) -> Result<HashSet<u32>> {
        let mut carriers = HashSet::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut question = RouteMessage::default();
            question.header.address_family = family;
            let routes = routes(NLM_F_DUMP, question).context("cannot ask the kernel for its routes")?;
            for route in routes {
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
    pub fn addresses(&self) -> Result<Vec<HostAddress>> {
        let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let answer = ask(NETLINK_ROUTE, NLM_F_REQUEST | NLM_F_DUMP, question)
            .context("cannot ask the kernel for its addresses")?;
        let mut addresses = Vec::new();
        for message in answer {
            let RouteNetlinkMessage::NewAddress(message) = message else { continue };
            let attribute = |local| {
                message.attributes.iter().find_map(|attribute| match attribute {
                    AddressAttribute::Local(address) if local => Some(*address),
                    AddressAttribute::Address(address) if !local => Some(*address),
                    _ => None,
                })
            };
            // Between point-to-point ends, the one that is not called local is the other end's.
            if let Some(address) = attribute(true).or_else(|| attribute(false)) {
                addresses.push(HostAddress {
                    address,
                    through: self.ways_to(message.header.index, address),
                    fleeting: address.is_ipv6() && is_fleeting(message.header.flags),
                });
            }
        }
        Ok(addresses)
    }

    /// The interfaces that packets to an address of the interface `owner` may come in by.
    fn ways_to(&self, owner: u32, address: IpAddr) -> HashSet<u32> {
        if address.is_loopback() {
            return HashSet::new();
        }
        if self.0.iter().any(|link| link.header.index == owner && is_without_wire(link)) {
            return self.all();
        }
        self.with_lower_devices(HashSet::from([owner]))
    }

    /// The interfaces by which a conversation of `local`, bound to the interface `bound` or to none, with
    /// `remote` goes out, and so most likely comes in.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn ways_of(&self, local: IpAddr, remote: IpAddr, bound: Option<u32>) -> Result<HashSet<u32>> {
        if let Some(bound) = bound {
            return Ok(self.with_lower_devices(HashSet::from([bound])));
        }
        // The rule's own route, so that a route with several ways gives them all (kernel 4.13).
        for source in [Some(local), None] {
            match routes(NLM_F_ACK, route_to(remote, source)) {
                Ok(found) => match found.first() {
                    // The host talks to itself.
                    Some(route) if route.header.kind == RouteType::Local => return Ok(HashSet::new()),
                    Some(route) => return Ok(self.with_lower_devices(self.outputs(route))),
                    None => {}
                },
                // The kernel says that there is none.
                Err(error) if error.raw_os_error().is_some() => {}
                Err(error) => return Err(error).context("cannot ask the kernel for a route"),
            }
        }
        Ok(self.all())
    }

    /// The interfaces by which packets that the host sends from its own address `source` leave for far away, where no
    /// closer route leads; none if there is no such route, or the kernel does not say by which.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn way_out(&self, source: IpAddr) -> Result<WayOut> {
        let far: IpAddr = if source.is_ipv4() { FAR_V4.into() } else { FAR_V6.into() };
        let found = match routes(NLM_F_ACK, route_to(far, Some(source))) {
            Ok(found) => found,
            // The kernel says that there is none.
            Err(error) if error.raw_os_error().is_some() => return Ok(WayOut::default()),
            Err(error) => return Err(error).context("cannot ask the kernel for a route"),
        };
        let route = found.first().filter(|route| route.header.kind == RouteType::Unicast);
        let by: HashSet<_> = route.and_then(outputs).unwrap_or_default().into_iter().collect();
        let links = self.0.iter().filter(|link| by.contains(&link.header.index));
        let names = links.filter_map(|link| interface::name(link).map(str::to_owned)).collect();
        Ok(WayOut { names, through: self.with_lower_devices(by) })
    }

    /// Numbers and names of the interfaces whose other end is in another network namespace.
    pub fn into_other_namespaces(&self) -> impl Iterator<Item = (u32, String)> {
        let foreign = self.0.iter().filter(|link| is_foreign(link));
        foreign.filter_map(|link| Some((link.header.index, interface::name(link)?.to_owned())))
    }

    /// Numbers and names of the ports of bridges that lead to guests and containers: taps and virtual pairs.
    pub fn of_guests(&self) -> impl Iterator<Item = (u32, String)> {
        let guests = self.0.iter().filter(|link| is_of_a_guest(link));
        guests.filter_map(|link| Some((link.header.index, interface::name(link)?.to_owned())))
    }

    /// The tunnels that are up.
    pub fn tunnels(&self) -> impl Iterator<Item = Tunnel> {
        self.0.iter().filter_map(Tunnel::of)
    }

    fn all(&self) -> HashSet<u32> {
        self.0.iter().map(|link| link.header.index).collect()
    }

    /// The interfaces that a route sends to.
    fn outputs(&self, route: &RouteMessage) -> HashSet<u32> {
        // A next-hop object: the kernel names it and not the interface.
        outputs(route).map_or_else(|| self.all(), HashSet::from_iter)
    }

    /// Adds what lies below the interfaces, however deep.
    fn with_lower_devices(&self, interfaces: HashSet<u32>) -> HashSet<u32> {
        with_lower_devices(interfaces, &self.0)
    }
}

/// Whether the interface's other end is in another network namespace.
fn is_foreign(link: &LinkMessage) -> bool {
    link.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::LinkNetNsId(_)))
}

/// Whether it is a port of a bridge, and has a guest or a container at its other end.
fn is_of_a_guest(link: &LinkMessage) -> bool {
    let has = |wanted: LinkInfo| {
        let mut attributes = link.attributes.iter();
        attributes.any(|it| matches!(it, LinkAttribute::LinkInfo(info) if info.contains(&wanted)))
    };
    has(LinkInfo::PortKind(InfoPortKind::Bridge))
        && [InfoKind::Tun, InfoKind::Veth].into_iter().any(|kind| has(LinkInfo::Kind(kind)))
}

/// Whether an IPv6 address with these flags is soon gone. One that never expires is deprecated by whoever configured it,
/// so that the host begins nothing from it.
const fn is_fleeting(flags: AddressHeaderFlags) -> bool {
    // `IFA_F_TEMPORARY` has the bit of `IFA_F_SECONDARY`, which IPv4 alone has.
    flags.contains(AddressHeaderFlags::Secondary)
        || (flags.contains(AddressHeaderFlags::Deprecated) && !flags.contains(AddressHeaderFlags::Permanent))
}

/// Whether an interface only holds addresses, and their packets come in by others.
fn is_without_wire(link: &LinkMessage) -> bool {
    let is_dummy = link.attributes.iter().any(|attribute| {
        matches!(attribute, LinkAttribute::LinkInfo(info) if info.contains(&LinkInfo::Kind(InfoKind::Dummy)))
    });
    is_dummy || link.header.flags.contains(LinkFlags::Loopback)
}

/// Asks for routes; `kind` is as [`ask`]'s flags.
fn routes(kind: u16, question: RouteMessage) -> io::Result<Vec<RouteMessage>> {
    let answer = ask(NETLINK_ROUTE, NLM_F_REQUEST | kind, RouteNetlinkMessage::GetRoute(question))?;
    let routes = answer.into_iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewRoute(route) => Some(route),
        _ => None,
    });
    Ok(routes.collect())
}

/// The question which route leads to `remote`, for packets from `source`.
fn route_to(remote: IpAddr, source: Option<IpAddr>) -> RouteMessage {
    let (address_family, length) =
        if remote.is_ipv4() { (AddressFamily::Inet, 32) } else { (AddressFamily::Inet6, 128) };
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family,
        destination_prefix_length: length,
        flags: RouteFlags::FibMatch,
        ..RouteHeader::default()
    };
    message.attributes.push(RouteAttribute::Destination(remote.into()));
    if let Some(source) = source {
        message.header.source_prefix_length = length;
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::stable(AddressHeaderFlags::empty(), false)]
    #[case::configured(AddressHeaderFlags::Permanent, false)]
    #[case::temporary(AddressHeaderFlags::Secondary, true)]
    #[case::running_out(AddressHeaderFlags::Deprecated, true)]
    #[case::never_to_begin_from(AddressHeaderFlags::Deprecated.union(AddressHeaderFlags::Permanent), false)]
    fn what_is_soon_gone_is_told_by_its_flags(#[case] flags: AddressHeaderFlags, #[case] fleeting: bool) {
        assert_eq!(is_fleeting(flags), fleeting);
    }

    #[rstest]
    #[case::tap(Some(InfoKind::Tun), Some(InfoPortKind::Bridge), true)]
    #[case::container(Some(InfoKind::Veth), Some(InfoPortKind::Bridge), true)]
    #[case::nic(None, Some(InfoPortKind::Bridge), false)]
    #[case::vlan(Some(InfoKind::Vlan), Some(InfoPortKind::Bridge), false)]
    #[case::of_no_bridge(Some(InfoKind::Veth), None, false)]
    #[case::member_of_a_bond(Some(InfoKind::Veth), Some(InfoPortKind::Bond), false)]
    fn a_guest_is_behind_a_port_of_a_bridge(
        #[case] kind: Option<InfoKind>,
        #[case] port: Option<InfoPortKind>,
        #[case] is_one: bool,
    ) {
        let mut link = LinkMessage::default();
        let info = kind.map(LinkInfo::Kind).into_iter().chain(port.map(LinkInfo::PortKind)).collect();
        link.attributes = vec![LinkAttribute::IfName("port0".to_owned()), LinkAttribute::LinkInfo(info)];
        assert_eq!(Links(vec![link]).of_guests().count() == 1, is_one);
    }
}
