//! Which interfaces the host's own traffic depends on, so that attaching there could cut the operator off.
//!
//! An interface carries the default route itself, or lies below one that does: a port of a bridge or bond, or
//! the device under a VLAN, macvlan or tunnel. Where the kernel does not say, every interface may.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};
use futures_util::TryStreamExt;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use rtnetlink::RouteMessageBuilder;

use super::netlink::Netlink;

/// The longest prefix that is a default route: VPNs split it into two halves so that theirs goes first.
const LONGEST_DEFAULT: u8 = 1;

/// The numbers of the interfaces that a default route, IPv4 or IPv6, in any routing table depends on.
///
/// # Errors
/// The kernel does not answer.
pub async fn below_default_routes(netlink: &Netlink) -> Result<HashSet<u32>> {
    let links: Vec<_> = netlink
        .handle
        .link()
        .get()
        .execute()
        .try_collect()
        .await
        .context("cannot ask the kernel for its links")?;
    let mut carriers = HashSet::new();
    let v4 = RouteMessageBuilder::<Ipv4Addr>::new().build();
    let v6 = RouteMessageBuilder::<Ipv6Addr>::new().build();
    for family in [v4, v6] {
        let mut routes = netlink.handle.route().get(family).execute();
        while let Some(route) = routes.try_next().await.context("cannot ask the kernel for its routes")? {
            if route.header.destination_prefix_length <= LONGEST_DEFAULT {
                match outputs(&route) {
                    // A next-hop object: the kernel names it and not the interface.
                    None => carriers.extend(links.iter().map(|link| link.header.index)),
                    Some(outputs) => carriers.extend(outputs),
                }
            }
        }
    }
    Ok(with_lower_devices(carriers, &links))
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
                let foreign = link
                    .attributes
                    .iter()
                    .any(|attribute| matches!(attribute, LinkAttribute::LinkNetNsId(_)));
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
