//! Who is where, and what joins them.
//!
//! ```text
//! host ── router ── (narrow) ── edge ── administrator
//!          │   │                   └─── far
//!     outside  scanner
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::MTU;

/// A network namespace of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The host that the sensor is on.
    Host,
    /// Its default gateway, which tells senders of long packets about the narrow link.
    Router,
    /// The other end of the narrow link.
    Edge,
    /// Whom a rule lets in.
    Administrator,
    /// Servers near by: SSH, DNS, the web.
    Outside,
    /// A web server behind the narrow link.
    Far,
    /// Who scans, and to whom answers to forged sources go.
    Scanner,
}

impl Place {
    pub(super) const ALL: [Self; 7] =
        [Self::Host, Self::Router, Self::Edge, Self::Administrator, Self::Outside, Self::Far, Self::Scanner];
}

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both, for loops.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// What makes a program use this one: `-4` or `-6`.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::V4 => "-4",
            Self::V6 => "-6",
        }
    }
}

/// Two places and the wire between them.
#[derive(Debug)]
pub(super) struct Link {
    pub leaf: Place,
    pub name: &'static str,
    pub middle: Place,
    pub mtu: u32,
    /// IPv4: these three bytes, then the end's number.
    v4: [u8; 3],
    /// IPv6: `2001:db8:`, this, then the end's number.
    v6: u16,
    pub leaf_number: u8,
    pub middle_number: u8,
}

impl Link {
    const fn new(leaf: Place, name: &'static str, middle: Place, v4: [u8; 3], v6: u16, number: u8) -> Self {
        Self { leaf, name, middle, mtu: MTU, v4, v6, leaf_number: number, middle_number: 1 }
    }

    /// The address of the end with this number.
    pub fn address(&self, number: u8, family: Family) -> IpAddr {
        let [a, b, c] = self.v4;
        match family {
            Family::V4 => Ipv4Addr::new(a, b, c, number).into(),
            Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, self.v6, 0, 0, 0, 0, number.into()).into(),
        }
    }
}

/// The narrow link's name.
pub(super) const NARROW: &str = "narrow0";

/// The least that IPv6 allows (RFC 8200 §5), and less than Ethernet carries.
pub const NARROW_MTU: u32 = 1280;

pub(super) static LINKS: [Link; 6] = [
    Link::new(Place::Host, super::NIC, Place::Router, [198, 51, 100], 7, 7),
    Link { mtu: NARROW_MTU, ..Link::new(Place::Edge, NARROW, Place::Router, [100, 64, 0], 0xe, 2) },
    Link::new(Place::Administrator, "admin0", Place::Edge, [203, 0, 113], 0xa, 10),
    Link::new(Place::Far, "far0", Place::Edge, [100, 64, 2], 0xc, 10),
    Link::new(Place::Outside, "outside0", Place::Router, [100, 64, 1], 0xb, 10),
    Link::new(Place::Scanner, "scanner0", Place::Router, [198, 18, 0], 0xbad, 66),
];

/// The address of a place towards the router, the router's towards the host.
pub(super) fn address(place: Place, family: Family) -> IpAddr {
    let by = |link: &Link| match place {
        Place::Router => (link.leaf == Place::Host).then(|| link.address(link.middle_number, family)),
        _ => (link.leaf == place).then(|| link.address(link.leaf_number, family)),
    };
    LINKS.iter().find_map(by).expect("every place but the router is the leaf of a link")
}
