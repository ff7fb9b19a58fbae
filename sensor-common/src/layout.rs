//! Where each counter lives.
//!
//! One per-CPU array, [`COUNTERS`], holds every counter. Its element is a [`Page`] of [`PAGE_SLOTS`]
//! counters: 32 KiB, the largest value the kernel's per-CPU allocator takes (`PCPU_MIN_UNIT_SIZE`).
//! Page 0 holds the side counters ([`Passed`]); then each sensor owns a run of [`SENSOR_PAGES`] pages,
//! whose slots [`Slot`] numbers.

use core::fmt;

/// Version of everything in this module: a change to any layout or number here must change it. The agent
/// reports it as a label of `sensor_build_info`.
pub const SCHEMA_VERSION: u32 = 1;

/// Name of the map of all counters: a `BPF_MAP_TYPE_PERCPU_ARRAY` of [`Page`].
pub const COUNTERS: &str = "COUNTERS";

/// Name of the map of the sensors' names: a `BPF_MAP_TYPE_ARRAY` of [`MAX_SENSORS`] [`Name`]s. A sensor's
/// number is its index.
pub const NAMES: &str = "NAMES";

/// A sensor's name as it is kept in the kernel, filled up with zeros.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name([u8; Self::LENGTH]);

impl Name {
    /// Bytes: 64 characters of UTF-8.
    pub const LENGTH: usize = 256;
    /// No sensor has the number yet.
    pub const NONE: Self = Self([0; Self::LENGTH]);

    /// The name; what is beyond [`Name::LENGTH`] is cut off.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut bytes = [0; Self::LENGTH];
        for (byte, of) in bytes.iter_mut().zip(name.bytes()) {
            *byte = of;
        }
        Self(bytes)
    }
}

// SAFETY: `Name` is a transparent array of bytes: any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Name {}

/// Packets and bytes of one slot on one CPU.
///
/// Each is consistent by itself; a reader may see the packet of one moment with the bytes of another.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// Packets counted.
    pub packets: u64,
    /// Bytes of those packets, from the Ethernet header to the end of the frame, without the checksum.
    pub bytes: u64,
}

/// Slots in a page.
pub const PAGE_SLOTS: u32 = 2048;

/// One element of the counters map.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Page(pub [Counter; PAGE_SLOTS as usize]);

impl Page {
    /// Nothing counted.
    #[expect(clippy::large_stack_arrays, reason = "it is copied to the heap from where constants are")]
    pub const ZERO: Self = Self([Counter { packets: 0, bytes: 0 }; PAGE_SLOTS as usize]);
}

const _: () = assert!(size_of::<Counter>() == 16);
const _: () = assert!(size_of::<Page>() == 32 * 1024);

// SAFETY: `Counter` is two u64 without padding: any bytes are a valid value, and all are initialised.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Counter {}
// SAFETY: `Page` is a transparent array of `Counter`, which is plain data.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Page {}

/// Pages before the first sensor's: the side counters.
pub const SIDE_PAGES: u32 = 1;

/// Most sensors on one host. 128 sensors take 276 MiB a CPU: a bound on typing errors, not on the kernel.
pub const MAX_SENSORS: u32 = 128;

/// Elements of the counters map for `sensors` sensors.
#[must_use]
pub const fn pages(sensors: u32) -> u32 {
    SIDE_PAGES + sensors * SENSOR_PAGES
}

/// First page of sensor number `sensor`.
#[must_use]
#[inline(always)]
pub const fn first_page(sensor: u32) -> u32 {
    SIDE_PAGES + sensor * SENSOR_PAGES
}

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
/// Pages of one sensor.
pub const SENSOR_PAGES: u32 = SENSOR_SLOTS / PAGE_SLOTS;

const _: () = assert!(SENSOR_SLOTS.is_multiple_of(PAGE_SLOTS));
const _: () = assert!(SENSOR_PAGES == 69);
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

/// Declares an enum whose variants are numbered from 0 and carry the label they have in metrics.
macro_rules! labelled {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $label:literal,)+ }) => {
        $(#[$meta])*
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The value's name in metrics and in the slots API.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.label())
            }
        }
    };
}

labelled! {
    /// Why a packet is called malformed: the first thing found wrong, from the outside in.
    Malformed {
        /// The frame ends inside the fixed IPv4 header.
        Ipv4Truncated => "ipv4_truncated",
        /// The EtherType says IPv4, the version field does not.
        Ipv4Version => "ipv4_version",
        /// The header length is below 20 bytes, or beyond the total length.
        Ipv4HeaderLength => "ipv4_header_length",
        /// The total length is beyond the end of the frame.
        Ipv4TotalLength => "ipv4_total_length",
        /// The frame ends inside the fixed IPv6 header.
        Ipv6Truncated => "ipv6_truncated",
        /// The EtherType says IPv6, the version field does not.
        Ipv6Version => "ipv6_version",
        /// The payload length is beyond the end of the frame.
        Ipv6PayloadLength => "ipv6_payload_length",
        /// The packet ends inside an IPv6 extension header.
        Ipv6ExtensionTruncated => "ipv6_extension_truncated",
        /// More IPv6 extension headers than the parser follows.
        Ipv6ExtensionDepth => "ipv6_extension_depth",
        /// The packet ends inside the fixed TCP header.
        TcpTruncated => "tcp_truncated",
        /// The TCP data offset is below 20 bytes, or beyond the packet.
        TcpDataOffset => "tcp_data_offset",
        /// The packet ends inside the UDP header.
        UdpTruncated => "udp_truncated",
        /// The UDP length is below 8 bytes, or beyond the packet.
        UdpLength => "udp_length",
        /// The packet ends inside the ICMP header.
        IcmpTruncated => "icmp_truncated",
        /// The packet ends inside the ICMPv6 header.
        Icmpv6Truncated => "icmpv6_truncated",
    }
}

labelled! {
    /// Why a packet was let through: the side counters, at these offsets of page 0.
    Passed {
        /// Neither IPv4 nor IPv6: ARP, LLDP, more than two VLAN tags.
        NonIp => "non_ip",
        /// To an address that no sensor monitors.
        NotMonitored => "not_monitored",
        /// Link control: IPv6 neighbour discovery, MLD, DHCP.
        Link => "link",
        /// From an allow-listed source to an allowed service of the host.
        Management => "management",
        /// The answer to something that the host itself sent.
        Reply => "reply",
        /// Whatever it was: nobody confirmed the attachment in time, and it has undone itself.
        Unconfirmed => "unconfirmed",
    }
}

/// Name of the map of exported series: a `BPF_MAP_TYPE_HASH` of [`SeriesKey`] to [`SeriesRecord`], without
/// preallocation. No program touches it: it is where the agent keeps what a successor must know.
pub const SERIES: &str = "SERIES";

/// Most entries of the series map. The kernel takes 16 bytes for each at once, used or not: so room for 1,000
/// ports of each of [`MAX_SENSORS`], and not for every port.
pub const MAX_SERIES_RECORDS: u32 = 2 * PORTS;

/// Whose series a record is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// The sensor's number.
    pub sensor: u32,
    /// The port's slot, or a number beyond all slots for what concerns the sensor.
    pub slot: u32,
}

/// What the agent knows of a series; what the states mean is the agent's affair.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeriesRecord {
    /// Number of the state.
    pub state: u32,
    /// Always 0.
    pub reserved: u32,
    /// The counter that goes with the state.
    pub counter: Counter,
}

const _: () = assert!(size_of::<SeriesKey>() == 8);
const _: () = assert!(size_of::<SeriesRecord>() == 24);

// SAFETY: two u32: any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for SeriesKey {}
// SAFETY: integers, laid out without padding (the assertion above): any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for SeriesRecord {}

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
