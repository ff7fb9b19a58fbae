//! Which counter of its sensor a packet adds to: a number for each port, ICMP message and protocol, and for each
//! way to be broken.

use super::page::{PAGE_SLOTS, WORDS_LENGTH};
use super::reason::Malformed;

// The run of slots that a sensor owns, in order.
const TCP: u32 = 0;
const UDP: u32 = TCP + PORTS;
const ICMP: u32 = UDP + PORTS;
const ICMPV6: u32 = ICMP + ICMP_TYPES * ICMP_CODES;
const PROTOCOL_V4: u32 = ICMPV6 + ICMP_TYPES * ICMP_CODES;
const PROTOCOL_V6: u32 = PROTOCOL_V4 + PROTOCOLS;
const FRAGMENT: u32 = PROTOCOL_V6 + PROTOCOLS;
const MALFORMED: u32 = FRAGMENT + PROTOCOLS;
const END: u32 = PROTOCOL_V4 + PAGE_SLOTS;

/// Ports of one transport.
pub const PORTS: u32 = 65_536;
/// ICMP types.
pub const ICMP_TYPES: u32 = 256;
/// ICMP codes that have a slot of their own, plus the last, which takes code 15 and all above.
pub const ICMP_CODES: u32 = 16;
/// IP protocol numbers.
pub const PROTOCOLS: u32 = 256;
/// Slots of one sensor. The last ones of the last page are unused.
pub const SENSOR_SLOTS: u32 = END;
const _: () = assert!((END - MALFORMED) as usize >= Malformed::ALL.len());

/// The one counter of its sensor that a packet belongs to: a number below [`SENSOR_SLOTS`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    /// Packets to a TCP port.
    #[must_use]
    #[inline(always)]
    pub const fn tcp(port: u16) -> Self {
        Self(TCP + port as u32)
    }

    /// Packets to a UDP port.
    #[must_use]
    #[inline(always)]
    pub const fn udp(port: u16) -> Self {
        Self(UDP + port as u32)
    }

    /// ICMP messages of a type and code; codes of 15 and above share a slot.
    #[must_use]
    #[inline(always)]
    pub const fn icmp(kind: u8, code: u8) -> Self {
        Self(ICMP + icmp_index(kind, code))
    }

    /// ICMPv6 messages of a type and code; codes of 15 and above share a slot.
    #[must_use]
    #[inline(always)]
    pub const fn icmpv6(kind: u8, code: u8) -> Self {
        Self(ICMPV6 + icmp_index(kind, code))
    }

    /// ICMP echo requests (RFC 792).
    pub const ECHO_REQUEST: Self = Self::icmp(8, 0);
    /// ICMPv6 echo requests (RFC 4443 §4.1).
    pub const ECHO_REQUEST_V6: Self = Self::icmpv6(128, 0);

    /// IPv4 packets of a protocol without a slot range of its own.
    #[must_use]
    #[inline(always)]
    pub const fn protocol_v4(protocol: u8) -> Self {
        Self(PROTOCOL_V4 + protocol as u32)
    }

    /// IPv6 packets of a protocol without a slot range of its own.
    #[must_use]
    #[inline(always)]
    pub const fn protocol_v6(protocol: u8) -> Self {
        Self(PROTOCOL_V6 + protocol as u32)
    }

    /// Fragments after the first, which carry no ports, by protocol.
    #[must_use]
    #[inline(always)]
    pub const fn fragment(protocol: u8) -> Self {
        Self(FRAGMENT + protocol as u32)
    }

    /// Packets with a broken header.
    #[must_use]
    #[inline(always)]
    pub const fn malformed(reason: Malformed) -> Self {
        Self(MALFORMED + reason as u32)
    }

    /// Whether it counts packets to a TCP port.
    #[must_use]
    #[inline(always)]
    pub const fn is_tcp(self) -> bool {
        self.0 < UDP
    }

    /// Whether it counts fragments after the first.
    #[must_use]
    #[inline(always)]
    pub const fn is_fragment(self) -> bool {
        self.0 >= FRAGMENT && self.0 < MALFORMED
    }

    /// Whether it counts packets with a broken header.
    #[must_use]
    #[inline(always)]
    pub const fn is_malformed(self) -> bool {
        self.0 >= MALFORMED
    }

    /// What it counts.
    #[must_use]
    #[inline(always)]
    pub const fn kind(self) -> SlotKind {
        match Self::describe(self.0) {
            Some(kind) => kind,
            // No constructor makes such a slot.
            None => SlotKind::Malformed(Malformed::Ipv4Truncated),
        }
    }

    /// The slot's number within its sensor.
    #[must_use]
    #[inline(always)]
    pub const fn index(self) -> u32 {
        self.0
    }

    /// The page that holds the slot, counted from its sensor's first.
    #[must_use]
    #[inline(always)]
    pub const fn page(self) -> u32 {
        self.0 / PAGE_SLOTS
    }

    /// The slot's place within its page.
    #[must_use]
    #[inline(always)]
    pub const fn offset(self) -> u32 {
        self.0 % PAGE_SLOTS
    }

    /// The element that holds its hot word, counted from its sensor's first.
    #[must_use]
    #[inline(always)]
    pub const fn words(self) -> u32 {
        self.0 / WORDS_LENGTH
    }

    /// The hot word's place within that element.
    #[must_use]
    #[inline(always)]
    pub const fn words_offset(self) -> u32 {
        self.0 % WORDS_LENGTH
    }

    /// What the slot numbered `index` counts; `None` for the unused ones and those out of range.
    #[must_use]
    #[inline(always)]
    pub const fn describe(index: u32) -> Option<SlotKind> {
        // Each branch has checked that the difference fits.
        #[expect(clippy::cast_possible_truncation, reason = "the range of each branch bounds the value")]
        Some(match index {
            ..UDP => SlotKind::Tcp((index - TCP) as u16),
            UDP..ICMP => SlotKind::Udp((index - UDP) as u16),
            ICMP..ICMPV6 => {
                SlotKind::Icmp(((index - ICMP) / ICMP_CODES) as u8, ((index - ICMP) % ICMP_CODES) as u8)
            }
            ICMPV6..PROTOCOL_V4 => {
                SlotKind::Icmpv6(((index - ICMPV6) / ICMP_CODES) as u8, ((index - ICMPV6) % ICMP_CODES) as u8)
            }
            PROTOCOL_V4..PROTOCOL_V6 => SlotKind::ProtocolV4((index - PROTOCOL_V4) as u8),
            PROTOCOL_V6..FRAGMENT => SlotKind::ProtocolV6((index - PROTOCOL_V6) as u8),
            FRAGMENT..MALFORMED => SlotKind::Fragment((index - FRAGMENT) as u8),
            _ => {
                let reason = (index - MALFORMED) as usize;
                if reason >= Malformed::ALL.len() {
                    return None;
                }
                SlotKind::Malformed(Malformed::ALL[reason])
            }
        })
    }
}

#[inline(always)]
const fn icmp_index(kind: u8, code: u8) -> u32 {
    let code = code as u32;
    let code = if code < ICMP_CODES { code } else { ICMP_CODES - 1 };
    kind as u32 * ICMP_CODES + code
}

/// What a slot counts; the inverse of [`Slot`]'s constructors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// A TCP destination port.
    Tcp(u16),
    /// A UDP destination port.
    Udp(u16),
    /// An ICMP type and code; code 15 stands for itself and all above.
    Icmp(u8, u8),
    /// An ICMPv6 type and code; code 15 stands for itself and all above.
    Icmpv6(u8, u8),
    /// Another protocol over IPv4.
    ProtocolV4(u8),
    /// Another protocol over IPv6.
    ProtocolV6(u8),
    /// Later fragments of a protocol.
    Fragment(u8),
    /// A broken header.
    Malformed(Malformed),
}

impl From<SlotKind> for Slot {
    fn from(kind: SlotKind) -> Self {
        match kind {
            SlotKind::Tcp(port) => Self::tcp(port),
            SlotKind::Udp(port) => Self::udp(port),
            SlotKind::Icmp(kind, code) => Self::icmp(kind, code),
            SlotKind::Icmpv6(kind, code) => Self::icmpv6(kind, code),
            SlotKind::ProtocolV4(protocol) => Self::protocol_v4(protocol),
            SlotKind::ProtocolV6(protocol) => Self::protocol_v6(protocol),
            SlotKind::Fragment(protocol) => Self::fragment(protocol),
            SlotKind::Malformed(reason) => Self::malformed(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_describes_itself() {
        for byte in 0..=u8::MAX {
            let port = u16::from(byte) << 8 | 0x5a;
            for (slot, kind) in [
                (Slot::tcp(port), SlotKind::Tcp(port)),
                (Slot::udp(port), SlotKind::Udp(port)),
                (Slot::icmp(byte, byte), SlotKind::Icmp(byte, byte.min(15))),
                (Slot::icmpv6(byte, byte), SlotKind::Icmpv6(byte, byte.min(15))),
                (Slot::protocol_v4(byte), SlotKind::ProtocolV4(byte)),
                (Slot::protocol_v6(byte), SlotKind::ProtocolV6(byte)),
                (Slot::fragment(byte), SlotKind::Fragment(byte)),
            ] {
                assert_eq!(Slot::describe(slot.index()), Some(kind));
            }
        }
        for &reason in Malformed::ALL {
            assert_eq!(Slot::describe(Slot::malformed(reason).index()), Some(SlotKind::Malformed(reason)));
        }
        assert_eq!(Slot::describe(SENSOR_SLOTS - 1), None);
        assert_eq!(Slot::describe(SENSOR_SLOTS), None);
    }

    #[test]
    fn no_two_meanings_share_a_slot() {
        let described = (0..SENSOR_SLOTS).filter_map(Slot::describe).count();
        assert_eq!(described, 2 * 65_536 + 2 * 4_096 + 3 * 256 + Malformed::ALL.len());
    }
}
