//! What the kernel says about interfaces, over rtnetlink.
//!
//! Always asked of the kernel and never remembered, so that what is reported is what is.

use std::{fmt, io};

use anyhow::{Context, Result, anyhow};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    LinkAttribute, LinkFlags, LinkLayerType, LinkMessage, LinkXdp, XdpAttached,
};
use netlink_sys::protocols::NETLINK_ROUTE;

use super::ask::ask;

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
    /// What its frames start with.
    pub framing: Framing,
    /// The XDP program that is attached to it.
    pub xdp: Option<AttachedXdp>,
}

/// What the frames of an interface start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// An Ethernet header.
    Ethernet,
    /// An Ethernet header; nothing ever comes from outside.
    Loopback,
    /// Something else: a tunnel's or modem's interface may start with the IP header.
    Other,
}

/// Where in the kernel a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachedMode {
    /// In the driver.
    Native,
    /// In the network stack, behind the driver: several times slower.
    Generic,
}

impl AttachedMode {
    /// Every mode.
    pub const ALL: [Self; 2] = [Self::Native, Self::Generic];
}

impl fmt::Display for AttachedMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// An XDP program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachedXdp {
    /// Where in the kernel; `None` for a NIC that runs it itself, or for several at once.
    pub mode: Option<AttachedMode>,
    /// The program's number, as `bpftool prog` shows it; 0 if the kernel does not say.
    pub program: u32,
}

impl Interface {
    /// The interface of that name.
    ///
    /// # Errors
    /// There is none, or the kernel does not answer.
    pub fn named(name: &str) -> Result<Self> {
        Self::find(name)?
            .with_context(|| format!("there is no interface {name}: `ip link` shows those there are"))
    }

    /// The interface of that name, if there is one.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn find(name: &str) -> Result<Option<Self>> {
        let mut question = LinkMessage::default();
        question.attributes.push(LinkAttribute::IfName(name.to_owned()));
        match links(NLM_F_ACK, question) {
            Ok(links) => Ok(links.iter().find_map(Self::from_message)),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => {
                Err(anyhow!(error).context(format!("cannot ask the kernel about interface {name}")))
            }
        }
    }

    /// The interface of that number, if there is one.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn of_number(index: u32) -> Result<Option<Self>> {
        if index == 0 {
            return Ok(None);
        }
        let mut question = LinkMessage::default();
        question.header.index = index;
        match links(NLM_F_ACK, question) {
            Ok(links) => Ok(links.iter().find_map(Self::from_message)),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => {
                Err(anyhow!(error).context(format!("cannot ask the kernel about interface {index}")))
            }
        }
    }

    /// Every interface.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn all() -> Result<Vec<Self>> {
        let links = links(NLM_F_DUMP, LinkMessage::default());
        let links = links.context("cannot ask the kernel for its interfaces")?;
        Ok(links.iter().filter_map(Self::from_message).collect())
    }

    /// `None` if the message does not name an interface.
    pub(super) fn from_message(link: &LinkMessage) -> Option<Self> {
        let mut interface = Self {
            name: name(link)?.to_owned(),
            index: link.header.index,
            mtu: 0,
            up: link.header.flags.contains(LinkFlags::Up),
            framing: match link.header.link_layer_type {
                LinkLayerType::Ether => Framing::Ethernet,
                LinkLayerType::Loopback => Framing::Loopback,
                _ => Framing::Other,
            },
            xdp: None,
        };
        for attribute in &link.attributes {
            match attribute {
                LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
                LinkAttribute::Xdp(xdp) => interface.xdp = attached(xdp),
                _ => {}
            }
        }
        Some(interface)
    }
}

/// Asks for links; `kind` is as [`ask`]'s flags.
pub(super) fn links(kind: u16, question: LinkMessage) -> io::Result<Vec<LinkMessage>> {
    let answer = ask(NETLINK_ROUTE, NLM_F_REQUEST | kind, RouteNetlinkMessage::GetLink(question))?;
    let links = answer.into_iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewLink(link) => Some(link),
        _ => None,
    });
    Ok(links.collect())
}

/// The name of a link.
pub(super) fn name(link: &LinkMessage) -> Option<&str> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.as_str()),
        _ => None,
    })
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
