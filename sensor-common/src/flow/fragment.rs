//! Later fragments, which carry no ports: they follow the first fragment of their datagram.
//!
//! A later fragment that overtakes its first is unsolicited: there is nothing yet to tell it by.

use super::memory::{is_used, touch};
use super::{Memory, SECOND, Use};
use crate::layout::Passed;
use crate::parse::{Packet, Pair, Read};

/// A datagram that arrives in fragments.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FragmentKey {
    /// The sender's address as its bytes lie in memory; an IPv4 address is followed by zeros.
    pub source: [u64; 2],
    /// The receiver's, likewise.
    pub destination: [u64; 2],
    /// The datagram's number.
    pub identification: u32,
    /// IP protocol number; 0 for IPv6, which tells datagrams by the rest (RFC 8200 §4.5).
    pub protocol: u8,
    /// 4 or 6.
    pub version: u8,
    /// Always 0: the kernel hashes and compares every byte of a key.
    pub padding: u16,
}

const _: () = assert!(size_of::<FragmentKey>() == 40);

// SAFETY: integers only, laid out without padding (the assertion above): any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for FragmentKey {}

impl FragmentKey {
    /// The datagram of a fragment.
    #[must_use]
    #[inline(always)]
    pub const fn new(pair: Pair, protocol: u8, identification: u32) -> Self {
        let Pair { source, destination, version } = pair;
        Self { source, destination, identification, protocol, version, padding: 0 }
    }

    /// How long the first fragment is remembered.
    #[inline(always)]
    const fn timeout(&self) -> u64 {
        if self.version == 4 { FRAGMENT_TIMEOUT_V4 } else { FRAGMENT_TIMEOUT_V6 }
    }
}

/// A first fragment that was let through.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// When: nanoseconds of the monotonic clock (`bpf_ktime_get_ns`).
    pub seen: u64,
    /// Why: the number of [`Passed::Management`] or [`Passed::Reply`].
    pub reason: u64,
}

const _: () = assert!(size_of::<Fragment>() == 16);

// SAFETY: integers only, laid out without padding (the assertion above): any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Fragment {}

/// How long later fragments of an IPv4 datagram are awaited, in nanoseconds: the kernel's `ipfrag_time`.
pub const FRAGMENT_TIMEOUT_V4: u64 = 30 * SECOND;
/// How long those of an IPv6 datagram are, in nanoseconds: the kernel's `ip6frag_time`.
pub const FRAGMENT_TIMEOUT_V6: u64 = 60 * SECOND;

/// Lets the rest of a datagram in, for the reason that its first fragment was.
#[inline(always)]
pub fn admit_rest<R: Read + ?Sized, M: Memory>(frame: &R, packet: &Packet, reason: Passed, memory: &M) {
    let Some((protocol, number)) = packet.datagram(frame) else { return };
    let Some(pair) = packet.pair(frame) else { return };
    let entry = Fragment { seen: memory.now(), reason: reason as u64 };
    memory.insert_fragment(&FragmentKey::new(pair, protocol, number), entry);
    touch(memory, Use::fragment(number));
}

/// Why a later fragment is let in; `None` if its first fragment was not, or too long ago.
#[must_use]
#[inline(always)]
pub fn admitted<R: Read + ?Sized, M: Memory>(frame: &R, packet: &Packet, memory: &M) -> Option<Passed> {
    let (protocol, number) = packet.datagram(frame)?;
    if !is_used(memory, Use::fragment(number)) {
        return None;
    }
    let key = FragmentKey::new(packet.pair(frame)?, protocol, number);
    let entry = memory.fragment(&key)?;
    if memory.now().saturating_sub(entry.seen) > key.timeout() {
        return None;
    }
    Some(if entry.reason == Passed::Management as u64 { Passed::Management } else { Passed::Reply })
}
