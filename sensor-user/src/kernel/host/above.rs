//! What stands on an interface: a bridge on its ports, a bond on its members, a VLAN or macvlan on its parent.

use anyhow::{Context, Result};
use netlink_packet_core::NLM_F_DUMP;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};

use super::interface::{Interface, links};
use super::version::Version;

/// The interfaces that stand on this one and have XDP programs: below them the kernel takes no other, since Linux 5.15
/// (kernel commit 879af96ffd72). None if the kernel does not mind.
///
/// # Errors
/// The kernel does not answer.
pub fn above_with_xdp(interface: &Interface) -> Result<Vec<Interface>> {
    if Version::running()? < Version::NONE_BELOW_XDP {
        return Ok(Vec::new());
    }
    let all =
        links(NLM_F_DUMP, LinkMessage::default()).context("cannot ask the kernel for its interfaces")?;
    let own = all.iter().find(|link| link.header.index == interface.index);
    let above = all.iter().filter(|link| own.is_some_and(|own| stands_on(link, own)));
    Ok(above.filter_map(Interface::from_message).filter(|above| above.xdp.is_some()).collect())
}

/// Those of these interfaces of which one stands on the other: the lower one's number, and the upper one's.
///
/// # Errors
/// The kernel does not answer.
pub fn stacked(interfaces: &[u32]) -> Result<Vec<(u32, u32)>> {
    let mut all =
        links(NLM_F_DUMP, LinkMessage::default()).context("cannot ask the kernel for its interfaces")?;
    all.retain(|link| interfaces.contains(&link.header.index));
    let above = |lower: &LinkMessage| {
        let lower = lower.clone();
        let uppers = all.iter().filter(move |link| stands_on(link, &lower)).map(|link| link.header.index);
        uppers.collect::<Vec<_>>()
    };
    Ok(all
        .iter()
        .flat_map(|lower| above(lower).into_iter().map(|upper| (lower.header.index, upper)))
        .collect())
}

/// Whether the one stands on the other, without any between them.
fn stands_on(link: &LinkMessage, on: &LinkMessage) -> bool {
    let index = on.header.index;
    on.attributes.contains(&LinkAttribute::Controller(link.header.index))
        || (link.attributes.contains(&LinkAttribute::Link(index)) && has_a_parent(link))
}

/// Whether the interface that it names is its parent in this network namespace, and not a peer or a tunnel's way out.
fn has_a_parent(link: &LinkMessage) -> bool {
    let of_kind = |info: &LinkInfo| match info {
        LinkInfo::Kind(kind) => {
            matches!(
                kind,
                InfoKind::Vlan | InfoKind::MacVlan | InfoKind::MacVtap | InfoKind::IpVlan | InfoKind::IpVtap
            )
        }
        _ => false,
    };
    let is_elsewhere = |attribute: &LinkAttribute| matches!(attribute, LinkAttribute::LinkNetNsId(_));
    !link.attributes.iter().any(is_elsewhere)
        && link
            .attributes
            .iter()
            .any(|it| matches!(it, LinkAttribute::LinkInfo(info) if info.iter().any(of_kind)))
}
