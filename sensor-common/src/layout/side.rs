//! A sensor's side counters: details of what its slots count, never part of the sum over them. Their offsets in
//! the page [`SIDE_PAGE`](super::SIDE_PAGE); numbers are only ever added.
//!
//! They count packets, not bytes. A counted packet adds to at most one of those that tell what made it: of [`Side::NONE`]
//! nothing is told, and what it counts says nothing. What others tell already has none of its own: all SYNs are those of
//! all tools together, SYN-ACKs and RSTs are backscatter as they are TCP, and ICMP's types have slots. While evidence is
//! kept, a counted packet adds to exactly one of those of [`EVIDENCE`] too; and one that comes from a constituency, to that
//! one's.

use core::ops::Range;

use super::page::PAGE_SLOTS;
use super::reason::labelled;

/// SYNs by the tool that made them.
pub const TOOLS: Range<u32> = 0..64;
/// TCP segments by their flags.
pub const TCP_KINDS: Range<u32> = 64..80;
/// Backscatter by its kind.
pub const BACKSCATTER: Range<u32> = 80..96;
/// Evidence: handed over, and skipped by reason.
pub const EVIDENCE: Range<u32> = 96..112;
/// Packets by the constituency that they come from.
pub const CONSTITUENCIES: Range<u32> = 256..512;

const _: () = assert!(CONSTITUENCIES.end <= PAGE_SLOTS && PAGE_SLOTS.is_power_of_two());

labelled! {
    /// What made a SYN: see [`crate::fingerprint`] for how it is told.
    Tool {
        /// Mirai and its kin.
        Mirai => "mirai",
        /// masscan.
        Masscan => "masscan",
        /// `ZMap` up to 4.0, and later with its options of Linux or BSD.
        Zmap => "zmap",
        /// Unicornscan as it is by default.
        Unicornscan => "unicornscan",
        /// Likely `ZMap` from 4.1 on.
        ZmapLikely => "zmap_likely",
        /// Likely Nmap's SYN scan.
        NmapLikely => "nmap_likely",
        /// Whatever no rule names.
        Other => "other",
    }
}

labelled! {
    /// A TCP segment by its flags FIN, SYN, RST, PSH, ACK and URG; the first that holds.
    TcpKind {
        /// It asks for a connection: SYN alone, or with PSH or URG.
        Syn => "syn",
        /// SYN and ACK.
        SynAck => "syn_ack",
        /// RST, whatever else.
        Rst => "rst",
        /// ACK without SYN; FIN and ACK too.
        Ack => "ack",
        /// None of them.
        Null => "null",
        /// FIN, PSH and URG alone.
        Xmas => "xmas",
        /// FIN, without ACK.
        Fin => "fin",
        /// Any other.
        Other => "other",
    }
}

labelled! {
    /// What somebody answered whom others attack, or ask, with the sensor's address as a forged source.
    Backscatter {
        /// TCP's SYN and ACK.
        SynAck => "syn_ack",
        /// TCP's RST.
        Rst => "rst",
        /// ICMP's and ICMPv6's errors.
        IcmpError => "icmp_error",
        /// ICMP's and ICMPv6's replies.
        IcmpReply => "icmp_reply",
        /// UDP from a port of services that are misused as reflectors.
        UdpReflector => "udp_reflector",
    }
}

labelled! {
    /// Why a counted packet was not handed over as evidence.
    Skipped {
        /// The budget was spent.
        Budget => "budget",
        /// The ring buffer was full: nobody read it, or not fast enough.
        Buffer => "buffer",
    }
}

/// A side counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side(u32);

impl Side {
    /// Packets of which nothing is told. It is the last counter of the page, to which such a packet may add or not: where
    /// another side counter has to be found for it, that needs no question of its own.
    pub const NONE: Self = Self(PAGE_SLOTS - 1);
    /// Packets handed over as evidence.
    pub const HANDED_OVER: Self = Self(EVIDENCE.start);

    /// Packets that were not handed over as evidence.
    #[must_use]
    #[inline(always)]
    pub const fn skipped(reason: Skipped) -> Self {
        Self(EVIDENCE.start + 1 + reason as u32)
    }

    /// The one with this offset: of an offset beyond the page, what the kernel's program takes it for.
    #[must_use]
    #[inline(always)]
    pub const fn at(offset: u32) -> Self {
        Self(offset & (PAGE_SLOTS - 1))
    }

    /// SYNs of a tool.
    #[must_use]
    #[inline(always)]
    pub const fn tool(tool: Tool) -> Self {
        Self(TOOLS.start + tool as u32)
    }

    /// TCP segments of a kind. SYNs are counted by their tool.
    #[must_use]
    #[inline(always)]
    pub const fn tcp(kind: TcpKind) -> Self {
        Self(TCP_KINDS.start + kind as u32)
    }

    /// Packets from a constituency, of any number below as many as there may be.
    #[must_use]
    #[inline(always)]
    pub const fn constituency(number: u32) -> Self {
        Self(CONSTITUENCIES.start + number % (CONSTITUENCIES.end - CONSTITUENCIES.start))
    }

    /// UDP from a reflector's port. Other backscatter is counted as what it is.
    pub const UDP_REFLECTOR: Self = Self(BACKSCATTER.start + Backscatter::UdpReflector as u32);

    /// The tool of SYNs that it counts; `None` if it counts others.
    #[must_use]
    pub fn made_by(self) -> Option<Tool> {
        Tool::ALL.iter().copied().find(|&tool| Self::tool(tool) == self)
    }

    /// The kind of the TCP segments that it counts; `None` if it counts others.
    #[must_use]
    pub fn kind(self) -> Option<TcpKind> {
        let kinds = || TcpKind::ALL.iter().copied().find(|&kind| Self::tcp(kind) == self);
        self.made_by().map(|_| TcpKind::Syn).or_else(kinds)
    }

    /// Its offset in the page: below [`PAGE_SLOTS`].
    #[must_use]
    #[inline(always)]
    pub const fn offset(self) -> u32 {
        self.0
    }
}

const _: () = assert!(Tool::ALL.len() <= (TOOLS.end - TOOLS.start) as usize);
const _: () = assert!(TcpKind::ALL.len() <= (TCP_KINDS.end - TCP_KINDS.start) as usize);
const _: () = assert!(Backscatter::ALL.len() <= (BACKSCATTER.end - BACKSCATTER.start) as usize);
const _: () = assert!(Skipped::ALL.len() < (EVIDENCE.end - EVIDENCE.start) as usize);
