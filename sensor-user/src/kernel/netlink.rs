//! What the kernel says about interfaces and routes, over rtnetlink.
//!
//! Always asked of the kernel and never remembered, so that what is reported is what is.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, bail};
use futures_util::TryStreamExt;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage, LinkXdp, XdpAttached};
use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use rtnetlink::RouteMessageBuilder;

use super::attach::AttachedMode;

/// A connection to rtnetlink.
#[derive(Clone, Debug)]
pub struct Netlink {
    handle: rtnetlink::Handle,
}

/// An interface as the kernel has it now.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number.
    pub index: u32,
    /// Its MTU in bytes, without the Ethernet header.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// The XDP program that is attached to it.
    pub xdp: Option<AttachedXdp>,
}

/// An XDP program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachedXdp {
    /// Where in the kernel; `None` for a NIC that runs it itself, or for several at once.
    pub mode: Option<AttachedMode>,
    /// The program's number, as `bpftool prog` shows it; 0 if the kernel does not say.
    pub program: u32,
}

impl Netlink {
    /// Connects; the connection is served by the current tokio runtime.
    ///
    /// # Errors
    /// The kernel gives no netlink socket.
    pub fn connect() -> Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection().context("cannot open a netlink socket")?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// The interface of that name.
    ///
    /// # Errors
    /// There is none, or the kernel does not answer.
    pub async fn interface(&self, name: &str) -> Result<Interface> {
        let mut links = self.handle.link().get().match_name(name).execute();
        match links.try_next().await {
            Ok(Some(link)) => Ok(Interface::from_message(name, &link)),
            Err(rtnetlink::Error::NetlinkError(error)) if error.raw_code() != -libc::ENODEV => {
                bail!("cannot ask the kernel about interface {name}: {error}")
            }
            Ok(None) | Err(_) => bail!("there is no interface {name}: `ip link` shows those there are"),
        }
    }

    /// The numbers of the interfaces that carry a default route, IPv4 or IPv6, in any routing table.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn default_routes(&self) -> Result<HashSet<u32>> {
        let v4 = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let v6 = RouteMessageBuilder::<Ipv6Addr>::new().build();
        let mut interfaces = HashSet::new();
        for family in [v4, v6] {
            let mut routes = self.handle.route().get(family).execute();
            while let Some(route) = routes.try_next().await.context("cannot ask the kernel for its routes")? {
                if route.header.destination_prefix_length == 0 {
                    interfaces.extend(output_interfaces(&route));
                }
            }
        }
        Ok(interfaces)
    }
}

fn output_interfaces(route: &RouteMessage) -> Vec<u32> {
    route
        .attributes
        .iter()
        .flat_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => vec![*index],
            RouteAttribute::MultiPath(hops) => hops.iter().map(|hop| hop.interface_index).collect(),
            _ => Vec::new(),
        })
        .collect()
}

impl Interface {
    fn from_message(name: &str, link: &LinkMessage) -> Self {
        let mut interface = Self {
            name: name.to_owned(),
            index: link.header.index,
            mtu: 0,
            up: link.header.flags.contains(LinkFlags::Up),
            xdp: None,
        };
        for attribute in &link.attributes {
            match attribute {
                LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
                LinkAttribute::Xdp(xdp) => interface.xdp = attached(xdp),
                _ => {}
            }
        }
        interface
    }
}

fn attached(attributes: &[LinkXdp]) -> Option<AttachedXdp> {
    let mut mode = None;
    let mut program = 0;
    let mut is_attached = false;
    for attribute in attributes {
        match attribute {
            LinkXdp::Attached(XdpAttached::None) => return None,
            LinkXdp::Attached(attached) => {
                is_attached = true;
                mode = match attached {
                    XdpAttached::Driver => Some(AttachedMode::Native),
                    XdpAttached::SocketBuffer => Some(AttachedMode::Generic),
                    _ => None,
                };
            }
            LinkXdp::ProgId(id) => program = *id,
            _ => {}
        }
    }
    is_attached.then_some(AttachedXdp { mode, program })
}
