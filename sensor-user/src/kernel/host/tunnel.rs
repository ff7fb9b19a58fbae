//! Tunnels: what comes by them comes in by other interfaces first, inside of packets to an address of the host.

use std::net::IpAddr;

use netlink_packet_route::link::{
    InfoData, InfoGeneve, InfoGre, InfoGre6, InfoIpTunnel, InfoKind, InfoVxlan, LinkAttribute, LinkFlags,
    LinkInfo, LinkMessage,
};

use super::interface;

/// A tunnel that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Its name.
    pub name: String,
    /// Its number.
    pub index: u32,
    /// What its packets are carried by.
    pub carrier: Carrier,
    /// The address of the host that those are sent to; `None` if the kernel does not say, or any will do.
    pub local: Option<IpAddr>,
}

/// What carries a tunnel's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// UDP, to this port; `None` if the kernel does not say.
    Udp(Option<u16>),
    /// An IP protocol of its own.
    Protocol,
}

impl Tunnel {
    /// `None` if it is no tunnel, or is down, as those are that the kernel makes by itself.
    pub(super) fn of(link: &LinkMessage) -> Option<Self> {
        let name = interface::name(link)?.to_owned();
        let info = link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::LinkInfo(info) => Some(info),
            _ => None,
        })?;
        let kind =
            info.iter().find_map(|it| if let LinkInfo::Kind(kind) = it { Some(kind) } else { None })?;
        let data = info.iter().find_map(|it| if let LinkInfo::Data(data) = it { Some(data) } else { None });
        let carrier = match kind {
            InfoKind::Wireguard | InfoKind::Vxlan | InfoKind::Geneve => Carrier::Udp(data.and_then(port)),
            InfoKind::GreTun
            | InfoKind::GreTun6
            | InfoKind::GreTap
            | InfoKind::GreTap6
            | InfoKind::SitTun
            | InfoKind::IpIp
            | InfoKind::Ip6Tnl => Carrier::Protocol,
            _ => return None,
        };
        let local = data.and_then(local).filter(|address| !address.is_unspecified());
        let is_up = link.header.flags.contains(LinkFlags::Up);
        is_up.then_some(Self { name, index: link.header.index, carrier, local })
    }
}

/// The UDP port.
fn port(data: &InfoData) -> Option<u16> {
    match data {
        InfoData::Vxlan(all) => all.iter().find_map(|it| match it {
            InfoVxlan::Port(port) => Some(*port),
            _ => None,
        }),
        InfoData::Geneve(all) => all.iter().find_map(|it| match it {
            InfoGeneve::Port(port) => Some(*port),
            _ => None,
        }),
        _ => None,
    }
}

/// The address that it ends at.
fn local(data: &InfoData) -> Option<IpAddr> {
    match data {
        InfoData::Vxlan(all) => all.iter().find_map(|it| match it {
            InfoVxlan::Local(address) => Some((*address).into()),
            InfoVxlan::Local6(address) => Some((*address).into()),
            _ => None,
        }),
        InfoData::Geneve(all) => all.iter().find_map(|it| match it {
            InfoGeneve::Local(address) => Some((*address).into()),
            InfoGeneve::Local6(address) => Some((*address).into()),
            _ => None,
        }),
        InfoData::GreTun(all) | InfoData::GreTap(all) => all.iter().find_map(|it| match it {
            InfoGre::Local(address) => Some((*address).into()),
            _ => None,
        }),
        InfoData::GreTun6(all) | InfoData::GreTap6(all) => all.iter().find_map(|it| match it {
            InfoGre6::Local(address) => Some((*address).into()),
            _ => None,
        }),
        InfoData::IpTunnel(all) => all.iter().find_map(|it| match it {
            InfoIpTunnel::Local(address) => Some(*address),
            _ => None,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn link(kind: Option<InfoKind>, data: Option<InfoData>, up: bool) -> LinkMessage {
        let mut link = LinkMessage::default();
        link.header.index = 7;
        if up {
            link.header.flags = LinkFlags::Up;
        }
        let info = kind.map(LinkInfo::Kind).into_iter().chain(data.map(LinkInfo::Data)).collect();
        link.attributes = vec![LinkAttribute::IfName("tunnel7".to_owned()), LinkAttribute::LinkInfo(info)];
        link
    }

    #[rstest]
    #[case::wireguard(InfoKind::Wireguard, None, Carrier::Udp(None), None)]
    #[case::vxlan(
        InfoKind::Vxlan,
        Some(InfoData::Vxlan(vec![InfoVxlan::Id(7), InfoVxlan::Port(4_789), InfoVxlan::Local([198, 51, 100, 7].into())])),
        Carrier::Udp(Some(4_789)),
        Some("198.51.100.7")
    )]
    #[case::geneve(InfoKind::Geneve, Some(InfoData::Geneve(vec![InfoGeneve::Port(6_081)])), Carrier::Udp(Some(6_081)), None)]
    #[case::gre(
        InfoKind::GreTun,
        Some(InfoData::GreTun(vec![InfoGre::Local([198, 51, 100, 7].into())])),
        Carrier::Protocol,
        Some("198.51.100.7")
    )]
    #[case::of_any_address(
        InfoKind::GreTun, Some(InfoData::GreTun(vec![InfoGre::Local([0; 4].into())])), Carrier::Protocol, None
    )]
    #[case::sit(
        InfoKind::SitTun,
        Some(InfoData::IpTunnel(vec![InfoIpTunnel::Local("198.51.100.7".parse().unwrap())])),
        Carrier::Protocol,
        Some("198.51.100.7")
    )]
    #[case::ipip(InfoKind::IpIp, None, Carrier::Protocol, None)]
    #[case::ip6tnl(InfoKind::Ip6Tnl, None, Carrier::Protocol, None)]
    #[case::ip6gre(InfoKind::GreTun6, None, Carrier::Protocol, None)]
    fn a_tunnel_says_what_carries_it(
        #[case] kind: InfoKind,
        #[case] data: Option<InfoData>,
        #[case] carrier: Carrier,
        #[case] local: Option<&str>,
    ) {
        let local = local.map(|address| address.parse().unwrap());
        let expected = Tunnel { name: "tunnel7".to_owned(), index: 7, carrier, local };
        assert_eq!(Tunnel::of(&link(Some(kind.clone()), data.clone(), true)), Some(expected));
        assert_eq!(Tunnel::of(&link(Some(kind), data, false)), None, "the kernel's own are down");
    }

    #[rstest]
    #[case::nic(None)]
    #[case::veth(Some(InfoKind::Veth))]
    #[case::tap(Some(InfoKind::Tun))]
    #[case::vlan(Some(InfoKind::Vlan))]
    fn others_are_none(#[case] kind: Option<InfoKind>) {
        assert_eq!(Tunnel::of(&link(kind, None, true)), None);
    }
}
