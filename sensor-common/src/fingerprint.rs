//! Packet → the one side counter that it adds to: what made a SYN, of what kind another TCP segment is, and what
//! comes from a reflector's port.
//!
//! | tool | what its SYNs have | by chance | from |
//! | --- | --- | --- | --- |
//! | `mirai` | IPv4; the sequence number is the destination address | 2⁻³² | the bot's source of 2016, `scanner.c` |
//! | `masscan` | IPv4; DF clear; window 1024 without options, or 1025 with four bytes of them; the identification is the low 16 bits of destination ^ port ^ sequence number | 2⁻¹⁶ | `templ-pkt.c` of masscan |
//! | `zmap` | IPv4; DF clear; window 65535; the identification is 54321 | 2⁻¹⁶ | `packet.c` of `ZMap` up to 4.0 |
//! | `zmap` | DF clear; the options of `ZMap`'s probes `linux` or `bsd`; a timestamp that is Unix time, within a day, with echo 0 | 4 · 10⁻⁵ | `packet.c` of `ZMap` from 4.1 on |
//! | `unicornscan` | IPv4; DF clear; TTL above 128, window 4128, MSS alone: Cisco's IOS, which it pretends to be by default | not known: an old Cisco router has it | Unicornscan's fingerprint 0 |
//! | `zmap_likely` | DF clear; TTL near 64 or 255; window 65535; MSS, NOP, window scale 8, NOP, NOP, SACK permitted | not known: Windows has these options, and DF set | `ZMap`'s default from 4.1 on |
//! | `nmap_likely` | DF clear; window 1024, 2048, 3072 or 4096; MSS alone | not known | `scan_engine_raw.cc` of Nmap |
//!
//! The first rule that holds names the tool; `other` is what none names. Chance is of SYNs whose fields are random and which
//! have what else the rule asks for: those of Linux, Windows, macOS and the BSDs have DF set, and no rule but Mirai's
//! holds for them. IPv6 has no identification and no DF: there, `zmap` by its timestamp, `zmap_likely` and `nmap_likely`
//! can be told.

mod tool;

pub use self::tool::{Clock, WITHIN_SECONDS};

use crate::layout::SlotKind;
use crate::layout::side::{Backscatter, Side, TcpKind};
use crate::parse::{Everything, Frame, IpHeader, Packet, Read, Short, TcpFlags, parse};
use tool::{Parsed, tool};

/// UDP ports of services that answer more than they are asked, and are misused for that: RFC 864, DNS, RFC 868 and so on
/// (CISA, "UDP-Based Amplification Attacks", TA14-017A).
pub const REFLECTORS: [u16; 16] =
    [19, 53, 111, 123, 137, 161, 389, 520, 1900, 3283, 3702, 5353, 5683, 10001, 11211, 27015];

impl TcpKind {
    /// By a segment's flags.
    #[must_use]
    #[inline(always)]
    pub const fn of(flags: TcpFlags) -> Self {
        const FIN: u8 = 0x01;
        const PSH: u8 = 0x08;
        const URG: u8 = 0x20;
        let all = flags.0 & 0x3f;
        // First what is most common: these are one comparison.
        if flags.is_syn_alone() {
            Self::Syn
        } else if flags.rst() {
            Self::Rst
        } else if flags.syn() && flags.ack() {
            Self::SynAck
        } else if flags.ack() {
            Self::Ack
        } else if all == 0 {
            Self::Null
        } else if all == FIN | PSH | URG {
            Self::Xmas
        } else if flags.fin() {
            Self::Fin
        } else {
            Self::Other
        }
    }
}

/// The side counter of a SYN of the common kind.
#[inline(always)]
pub fn of_short_syn<R: Read + ?Sized, N: IpHeader, C: Clock>(
    frame: &R,
    packet: Short<'_, N>,
    clock: &C,
) -> Side {
    Side::tool(tool(frame, &packet, clock))
}

/// The side counter of a frame, if it is counted.
#[inline(always)]
pub fn of_frame<R: Read + ?Sized, C: Clock>(frame: &R, clock: &C) -> Side {
    match parse(frame, &Everything) {
        Frame::Ip(packet) => of_packet(frame, &packet, clock),
        Frame::NonIp | Frame::Unreadable(_) | Frame::Elsewhere => Side::NONE,
    }
}

/// The side counter of any packet that is counted.
#[inline(always)]
pub fn of_packet<R: Read + ?Sized, C: Clock>(frame: &R, packet: &Packet, clock: &C) -> Side {
    let side = match packet.slot.kind() {
        SlotKind::Tcp(_) => of_tcp(frame, packet, clock),
        SlotKind::Udp(_) => packet.leading(frame).map(|ports| of_udp(ports.first)),
        _ => None,
    };
    side.unwrap_or(Side::NONE)
}

#[inline(always)]
fn of_tcp<R: Read + ?Sized, C: Clock>(frame: &R, packet: &Packet, clock: &C) -> Option<Side> {
    let segment = packet.segment(frame)?;
    Some(match TcpKind::of(segment.flags) {
        TcpKind::Syn => Side::tool(tool(frame, &Parsed::new(frame, packet, segment)?, clock)),
        kind => Side::tcp(kind),
    })
}

/// The side counter of a UDP datagram from this port.
#[must_use]
#[inline(always)]
pub const fn of_udp(source: u16) -> Side {
    if is_reflector(source) { Side::UDP_REFLECTOR } else { Side::NONE }
}

/// Whether a UDP port is one of [`REFLECTORS`].
#[must_use]
#[inline(always)]
pub const fn is_reflector(port: u16) -> bool {
    matches!(
        port,
        19 | 53
            | 111
            | 123
            | 137
            | 161
            | 389
            | 520
            | 1900
            | 3283
            | 3702
            | 5353
            | 5683
            | 10001
            | 11211
            | 27015
    )
}

/// Which backscatter a packet is, by the slot and the side counter that it adds to; `None` if it is none.
#[must_use]
pub fn backscatter(slot: SlotKind, side: Side) -> Option<Backscatter> {
    match side.kind() {
        Some(TcpKind::SynAck) => Some(Backscatter::SynAck),
        Some(TcpKind::Rst) => Some(Backscatter::Rst),
        _ if side == Side::UDP_REFLECTOR => Some(Backscatter::UdpReflector),
        _ => icmp_backscatter(slot),
    }
}

/// Whether a slot counts what somebody answered: kinds of backscatter that need no counter of their own.
#[must_use]
pub const fn icmp_backscatter(slot: SlotKind) -> Option<Backscatter> {
    use Backscatter::{IcmpError, IcmpReply};
    match slot {
        // Destination unreachable, source quench, redirect, time exceeded, parameter problem (RFC 792).
        SlotKind::Icmp(3 | 4 | 5 | 11 | 12, _) | SlotKind::Icmpv6(1..=4, _) => Some(IcmpError),
        // Echo, timestamp, information and address mask replies (RFC 792, RFC 950).
        SlotKind::Icmp(0 | 14 | 16 | 18, _) | SlotKind::Icmpv6(129, _) => Some(IcmpReply),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::side::Tool;

    const FIN: u8 = 0x01;
    const SYN: u8 = 0x02;
    const RST: u8 = 0x04;
    const PSH: u8 = 0x08;
    const ACK: u8 = 0x10;
    const URG: u8 = 0x20;

    #[test]
    fn flags_have_one_kind() {
        for (flags, kind) in [
            (SYN, TcpKind::Syn),
            (SYN | PSH | URG, TcpKind::Syn),
            (SYN | ACK, TcpKind::SynAck),
            (SYN | ACK | FIN, TcpKind::SynAck),
            (RST, TcpKind::Rst),
            (RST | ACK, TcpKind::Rst),
            (RST | SYN | ACK, TcpKind::Rst),
            (ACK, TcpKind::Ack),
            (FIN | ACK, TcpKind::Ack),
            (PSH | ACK | URG | FIN, TcpKind::Ack),
            (0, TcpKind::Null),
            (FIN | PSH | URG, TcpKind::Xmas),
            (FIN, TcpKind::Fin),
            (FIN | PSH, TcpKind::Fin),
            (FIN | SYN, TcpKind::Fin),
            (PSH, TcpKind::Other),
            (URG | PSH, TcpKind::Other),
        ] {
            // ECE and CWR do not matter.
            for congestion in [0, 0x40, 0x80, 0xc0] {
                assert_eq!(TcpKind::of(TcpFlags(flags | congestion)), kind, "{flags:#x}");
            }
        }
    }

    #[test]
    fn what_a_counter_counts_is_told_back() {
        for &kind in TcpKind::ALL {
            assert_eq!(Side::tcp(kind).kind(), Some(kind));
        }
        for &tool in Tool::ALL {
            assert_eq!(Side::tool(tool).kind(), Some(TcpKind::Syn));
        }
        for side in [Side::NONE, Side::UDP_REFLECTOR, Side::HANDED_OVER] {
            assert_eq!(side.kind(), None);
        }
        for (slot, side, kind) in [
            (SlotKind::Tcp(1), Side::tcp(TcpKind::SynAck), Some(Backscatter::SynAck)),
            (SlotKind::Tcp(1), Side::tcp(TcpKind::Rst), Some(Backscatter::Rst)),
            (SlotKind::Tcp(1), Side::tcp(TcpKind::Ack), None),
            (SlotKind::Tcp(1), Side::tool(Tool::Mirai), None),
            (SlotKind::Udp(1), Side::UDP_REFLECTOR, Some(Backscatter::UdpReflector)),
            (SlotKind::Udp(1), Side::NONE, None),
            (SlotKind::Icmp(3, 1), Side::NONE, Some(Backscatter::IcmpError)),
            (SlotKind::Icmp(0, 0), Side::NONE, Some(Backscatter::IcmpReply)),
            (SlotKind::Icmp(8, 0), Side::NONE, None),
        ] {
            assert_eq!(backscatter(slot, side), kind, "{slot:?}");
        }
    }

    #[test]
    fn reflectors_are_those_of_the_list() {
        let found = (0..=u16::MAX).filter(|&port| is_reflector(port));
        assert!(found.eq(REFLECTORS));
    }
}
