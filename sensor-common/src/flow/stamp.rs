//! When the host last used a port: one byte each, so that looking is cheap and writing needs no lock.
//!
//! A byte holds the number of a stretch of time, modulo [`CYCLE`]. Time is counted in jiffies, which cost
//! nothing to read and whose rate the kernel does not tell: stretches are long enough at any rate from 100
//! to 1,000 a second. A stamp that has come round looks live again, which costs a lookup and lets nothing in.

use crate::layout::{PORTS, PROTOCOLS};

/// A place in [`Uses`]: what the host may have used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Use(u32);

// The places, those that are remembered for days first.
const TCP: u32 = 0;
const PROTOCOL: u32 = TCP + PORTS;
const UDP: u32 = PROTOCOL + PROTOCOLS;
const ECHO: u32 = UDP + PORTS;
const FRAGMENT: u32 = ECHO + PORTS;
const END: u32 = FRAGMENT + PORTS;

/// Places in [`Uses`].
pub const USES_LENGTH: usize = END as usize;

impl Use {
    /// A local TCP port.
    #[must_use]
    #[inline(always)]
    pub const fn tcp(port: u16) -> Self {
        Self(TCP + port as u32)
    }

    /// A local UDP port.
    #[must_use]
    #[inline(always)]
    pub const fn udp(port: u16) -> Self {
        Self(UDP + port as u32)
    }

    /// The identifier of an ICMP or ICMPv6 echo request.
    #[must_use]
    #[inline(always)]
    pub const fn echo(identifier: u16) -> Self {
        Self(ECHO + identifier as u32)
    }

    /// Any other IP protocol.
    #[must_use]
    #[inline(always)]
    pub const fn protocol(number: u8) -> Self {
        Self(PROTOCOL + number as u32)
    }

    /// Datagrams that came in fragments, by the low half of their number.
    #[must_use]
    #[inline(always)]
    pub const fn fragment(identification: u32) -> Self {
        Self(FRAGMENT + (identification & 0xffff))
    }

    /// The place's number, below [`USES_LENGTH`].
    #[must_use]
    #[inline(always)]
    pub const fn index(self) -> u32 {
        self.0
    }

    /// The stamp to write now.
    #[must_use]
    #[inline(always)]
    pub const fn stamp(self, jiffies: u64) -> Stamp {
        self.pace().stamp(jiffies)
    }

    /// Whether a stamp says that an entry of this place may still be live. Never false while one is.
    #[must_use]
    #[inline(always)]
    pub const fn is_live(self, stamp: Stamp, jiffies: u64) -> bool {
        if stamp.0 == Stamp::FOREVER.0 {
            return true;
        }
        let pace = self.pace();
        let now = pace.stamp(jiffies).0;
        let age = if now >= stamp.0 { now - stamp.0 } else { CYCLE - (stamp.0 - now) };
        stamp.0 != Stamp::NEVER.0 && age <= pace.live
    }

    #[inline(always)]
    const fn pace(self) -> Pace {
        if self.0 < UDP { SLOW } else { FAST }
    }
}

/// How long a stretch is, and how many a stamp lives.
struct Pace {
    /// A stretch is two to the power of this many jiffies.
    shift: u32,
    /// Stretches that may have begun since the stamp was written.
    live: u8,
}

/// For TCP and protocols without ports: at least 4,194 s, of which 432,000 s see 103 begin.
const SLOW: Pace = Pace { shift: 22, live: 104 };
/// For UDP, echo and fragments: at least 131 s, of which 120 s see one begin.
const FAST: Pace = Pace { shift: 17, live: 1 };

/// Stretches until their numbers come round.
const CYCLE: u8 = 254;

impl Pace {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below 254")]
    const fn stamp(&self, jiffies: u64) -> Stamp {
        Stamp(((jiffies >> self.shift) % CYCLE as u64) as u8 + 1)
    }
}

/// When something was last used.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(pub u8);

impl Stamp {
    /// Not used at all.
    pub const NEVER: Self = Self(0);
    /// Live until the kernel writes the next stamp. Only the agent writes it, for what was in use before the
    /// program was attached: it need not know the kernel's jiffies.
    pub const FOREVER: Self = Self(u8::MAX);
}

/// The one element of the array [`USES`](super::USES): a [`Stamp`] for each [`Use`].
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Uses(pub [u8; USES_LENGTH]);

// SAFETY: bytes: any value is valid, and there is no padding.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Uses {}
