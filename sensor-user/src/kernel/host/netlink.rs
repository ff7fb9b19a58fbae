//! What the kernel says about interfaces and routes, over rtnetlink.
//!
//! Always asked of the kernel and never remembered, so that what is reported is what is.

use std::fmt;

use anyhow::{Context, Result, anyhow};
use futures_util::TryStreamExt;
use netlink_packet_route::link::{
    LinkAttribute, LinkFlags, LinkLayerType, LinkMessage, LinkXdp, XdpAttached,
};

/// A connection to rtnetlink.
#[derive(Clone, Debug)]
pub struct Netlink {
    pub(in crate::kernel) handle: rtnetlink::Handle,
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
        self.find(name)
            .await?
            .with_context(|| format!("there is no interface {name}: `ip link` shows those there are"))
    }

    /// The interface of that name, if there is one.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn find(&self, name: &str) -> Result<Option<Interface>> {
        let mut links = self.handle.link().get().match_name(name).execute();
        match links.try_next().await {
            Ok(link) => Ok(link.map(|link| Interface::from_message(name, &link))),
            Err(rtnetlink::Error::NetlinkError(error)) if error.raw_code() == -libc::ENODEV => Ok(None),
            Err(error) => {
                Err(anyhow!(error).context(format!("cannot ask the kernel about interface {name}")))
            }
        }
    }

    /// Every interface.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn interfaces(&self) -> Result<Vec<Interface>> {
        let links: Vec<_> = self
            .handle
            .link()
            .get()
            .execute()
            .try_collect()
            .await
            .context("cannot ask the kernel for its interfaces")?;
        let name = |link: &LinkMessage| {
            link.attributes.iter().find_map(|attribute| match attribute {
                LinkAttribute::IfName(name) => Some(name.clone()),
                _ => None,
            })
        };
        Ok(links.iter().filter_map(|link| Some(Interface::from_message(&name(link)?, link))).collect())
    }
}

impl Interface {
    fn from_message(name: &str, link: &LinkMessage) -> Self {
        let mut interface = Self {
            name: name.to_owned(),
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
