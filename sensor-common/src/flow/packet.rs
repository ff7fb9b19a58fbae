//! Which conversation a packet would belong to, and where to look first whether there is any.

use super::{FlowKey, Sent, Use};
use crate::layout::SlotKind;
use crate::parse::{Packet, Pair, Quoted, Read, protocol};

/// The two ends of a conversation, without addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    /// Where the stamp is.
    pub place: Use,
    protocol: u8,
    local: u16,
    remote: u16,
}

impl Ends {
    /// Those of a packet that the host sends, and what it is; `None` for what begins no conversation and
    /// belongs to none.
    #[inline(always)]
    pub(super) fn sent<R: Read + ?Sized>(frame: &R, packet: &Packet) -> Option<(Self, Sent)> {
        Some(match packet.slot.kind() {
            SlotKind::Tcp(_) => {
                let (ports, flags) = (packet.leading(frame)?, packet.tcp_flags(frame)?);
                (Self::tcp(ports.first, ports.second), Sent::tcp(flags)?)
            }
            SlotKind::Udp(_) => {
                let ports = packet.leading(frame)?;
                (Self::udp(ports.first, ports.second), Sent::Datagram)
            }
            SlotKind::Icmp(ECHO, _) => (Self::echo(protocol::ICMP, packet.leading(frame)?.third), Sent::Echo),
            SlotKind::Icmpv6(ECHO_V6, _) => {
                (Self::echo(protocol::ICMPV6, packet.leading(frame)?.third), Sent::Echo)
            }
            SlotKind::ProtocolV4(number) | SlotKind::ProtocolV6(number) => (Self::other(number), Sent::Other),
            SlotKind::Icmp(..) | SlotKind::Icmpv6(..) | SlotKind::Fragment(_) | SlotKind::Malformed(_) => {
                return None;
            }
        })
    }

    /// Those of a packet that has arrived, and whether it is a reset; `None` for what answers nothing by
    /// itself.
    #[inline(always)]
    pub(super) fn received<R: Read + ?Sized>(frame: &R, packet: &Packet) -> Option<(Self, bool)> {
        Some(match packet.slot.kind() {
            SlotKind::Tcp(_) => {
                let (ports, flags) = (packet.leading(frame)?, packet.tcp_flags(frame)?);
                (Self::tcp(ports.second, ports.first), flags.rst())
            }
            SlotKind::Udp(_) => {
                let ports = packet.leading(frame)?;
                (Self::udp(ports.second, ports.first), false)
            }
            SlotKind::Icmp(ECHO_REPLY, _) => {
                (Self::echo(protocol::ICMP, packet.leading(frame)?.third), false)
            }
            SlotKind::Icmpv6(ECHO_REPLY_V6, _) => {
                (Self::echo(protocol::ICMPV6, packet.leading(frame)?.third), false)
            }
            SlotKind::ProtocolV4(number) | SlotKind::ProtocolV6(number) => (Self::other(number), false),
            SlotKind::Icmp(..) | SlotKind::Icmpv6(..) | SlotKind::Fragment(_) | SlotKind::Malformed(_) => {
                return None;
            }
        })
    }

    /// Those of a packet that the host has sent, as an ICMP error quotes it.
    #[inline(always)]
    pub(super) const fn quoted(quoted: &Quoted) -> Option<Self> {
        let leading = quoted.leading;
        Some(match (quoted.protocol, quoted.pair.version) {
            (protocol::TCP, _) => Self::tcp(leading.first, leading.second),
            (protocol::UDP, _) => Self::udp(leading.first, leading.second),
            (protocol::ICMP, 4) => {
                if leading.icmp_type() != ECHO {
                    return None;
                }
                Self::echo(protocol::ICMP, leading.third)
            }
            (protocol::ICMPV6, 6) => {
                if leading.icmp_type() != ECHO_V6 {
                    return None;
                }
                Self::echo(protocol::ICMPV6, leading.third)
            }
            (number, _) => Self::other(number),
        })
    }

    /// The key, with the addresses of a packet that the host sends.
    #[inline(always)]
    pub(super) const fn key(self, sent: Pair) -> FlowKey {
        FlowKey::outgoing(sent, self.protocol, self.local, self.remote)
    }

    #[inline(always)]
    const fn tcp(local: u16, remote: u16) -> Self {
        Self { place: Use::tcp(local), protocol: protocol::TCP, local, remote }
    }

    #[inline(always)]
    const fn udp(local: u16, remote: u16) -> Self {
        Self { place: Use::udp(local), protocol: protocol::UDP, local, remote }
    }

    #[inline(always)]
    const fn echo(protocol: u8, identifier: u16) -> Self {
        Self { place: Use::echo(identifier), protocol, local: identifier, remote: 0 }
    }

    #[inline(always)]
    const fn other(protocol: u8) -> Self {
        Self { place: Use::protocol(protocol), protocol, local: 0, remote: 0 }
    }
}

// ICMP and ICMPv6 types (IANA "ICMP Parameters", "ICMPv6 Parameters").
const ECHO_REPLY: u8 = 0;
const ECHO: u8 = 8;
const ECHO_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
