//! How a conversation stands, and how long it is remembered.

use super::SECOND;
use crate::parse::TcpFlags;

/// What is remembered of a conversation.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// When its last packet passed, either way: nanoseconds of the monotonic clock (`bpf_ktime_get_ns`).
    pub seen: u64,
    /// How it stands: one of the states below. An entry with any other is not live.
    pub state: u64,
}

const _: () = assert!(size_of::<Flow>() == 16);

// SAFETY: integers only, laid out without padding (the assertion above): any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Flow {}

// The states of TCP.
const OPENING: u64 = 1;
const ESTABLISHED: u64 = 2;
const CLOSING: u64 = 3;
// Those of UDP.
const ASKED: u64 = 4;
const ANSWERED: u64 = 5;
// Those without stages.
const ECHO: u64 = 6;
const OTHER: u64 = 7;

/// How long a conversation is remembered after its last packet, in nanoseconds: the defaults of the kernel's
/// `nf_conntrack`, where it has one.
pub mod timeout {
    use super::SECOND;

    /// TCP, the host has sent a SYN that nobody has answered (`nf_conntrack_tcp_timeout_syn_sent`).
    pub const OPENING: u64 = 120 * SECOND;
    /// TCP, answered (`nf_conntrack_tcp_timeout_established`): five days.
    pub const ESTABLISHED: u64 = 432_000 * SECOND;
    /// TCP, the host has sent FIN or RST (`nf_conntrack_tcp_timeout_fin_wait`).
    pub const CLOSING: u64 = 120 * SECOND;
    /// UDP, nobody has answered (`nf_conntrack_udp_timeout`).
    pub const ASKED: u64 = 30 * SECOND;
    /// UDP, answered (`nf_conntrack_udp_timeout_stream`).
    pub const ANSWERED: u64 = 120 * SECOND;
    /// ICMP and ICMPv6 echo (`nf_conntrack_icmp_timeout`).
    pub const ECHO: u64 = 30 * SECOND;
    /// Every other protocol (`nf_conntrack_generic_timeout`).
    pub const OTHER: u64 = 600 * SECOND;
}

/// What the host sends, as far as it matters to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// TCP: a SYN without ACK.
    Opening,
    /// TCP: neither SYN, FIN nor RST.
    Segment,
    /// TCP: a FIN.
    Closing,
    /// TCP: a RST.
    Reset,
    /// A UDP datagram.
    Datagram,
    /// An ICMP or ICMPv6 echo request.
    Echo,
    /// A packet of another protocol.
    Other,
}

impl Sent {
    /// What a TCP segment is; `None` for a SYN-ACK, which answers what somebody else began.
    #[must_use]
    #[inline(always)]
    pub const fn tcp(flags: TcpFlags) -> Option<Self> {
        Some(if flags.rst() {
            Self::Reset
        } else if flags.is_request() {
            Self::Opening
        } else if flags.syn() {
            return None;
        } else if flags.fin() {
            Self::Closing
        } else {
            Self::Segment
        })
    }

    /// Whether it begins a conversation by itself. A TCP segment in the middle of a connection does so only
    /// if the host has begun a connection from its port: the entry may have been pushed out since.
    #[must_use]
    #[inline(always)]
    pub const fn begins(self) -> bool {
        !matches!(self, Self::Segment | Self::Closing | Self::Reset)
    }
}

impl Flow {
    /// A TCP connection that is there already.
    #[must_use]
    pub const fn established(now: u64) -> Self {
        Self { seen: now, state: ESTABLISHED }
    }

    /// A UDP socket that is there already, and may have had answers.
    #[must_use]
    pub const fn datagram(now: u64) -> Self {
        Self { seen: now, state: ANSWERED }
    }

    /// What is remembered once the host has sent something that belongs to no live conversation; `None` if
    /// nothing is.
    #[must_use]
    #[inline(always)]
    pub const fn begun(sent: Sent, now: u64) -> Option<Self> {
        let state = match sent {
            Sent::Opening => OPENING,
            Sent::Segment => ESTABLISHED,
            Sent::Closing => CLOSING,
            Sent::Reset => return None,
            Sent::Datagram => ASKED,
            Sent::Echo => ECHO,
            Sent::Other => OTHER,
        };
        Some(Self { seen: now, state })
    }

    /// The conversation once the host has sent more; `None` if that leaves it as dead as it was.
    #[must_use]
    #[inline(always)]
    pub const fn after_sent(self, sent: Sent, now: u64) -> Option<Self> {
        if !self.is_live(now) {
            return Self::begun(sent, now);
        }
        let state = match (sent, self.state) {
            (Sent::Segment, CLOSING) | (Sent::Closing | Sent::Reset, _) => CLOSING,
            (Sent::Datagram, ANSWERED) => ANSWERED,
            _ => return Self::begun(sent, now),
        };
        Some(Self { seen: now, state })
    }

    /// The conversation once a packet has arrived that belongs to it; `None` if it is forgotten, and the
    /// packet unsolicited.
    ///
    /// Nothing that arrives shortens a conversation: whoever guesses its ports could cut it by forging a FIN
    /// or RST.
    #[must_use]
    #[inline(always)]
    pub const fn after_received(self, reset: bool, now: u64) -> Option<Self> {
        if !self.is_live(now) {
            return None;
        }
        let state = match self.state {
            OPENING if !reset => ESTABLISHED,
            ASKED => ANSWERED,
            state => state,
        };
        Some(Self { seen: now, state })
    }

    /// Whether the conversation is still remembered.
    #[must_use]
    #[inline(always)]
    pub const fn is_live(self, now: u64) -> bool {
        let timeout = match self.state {
            OPENING => timeout::OPENING,
            ESTABLISHED => timeout::ESTABLISHED,
            CLOSING => timeout::CLOSING,
            ASKED => timeout::ASKED,
            ANSWERED => timeout::ANSWERED,
            ECHO => timeout::ECHO,
            OTHER => timeout::OTHER,
            _ => return false,
        };
        // Another CPU may have read its clock a little later and written first.
        now.saturating_sub(self.seen) <= timeout
    }
}
