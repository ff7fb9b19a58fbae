//! Headers as they are on the wire: bytes in network order, alignment 1, with methods for the values.

/// A header that can be read from any bytes at any offset.
///
/// # Safety
/// The type must have alignment 1, no padding, and no invalid bit patterns.
pub unsafe trait Wire: Copy {}

/// Declares wire headers of byte arrays only, which is what makes them `Wire`.
macro_rules! wire {
    ($($(#[$doc:meta])* struct $name:ident($length:literal) { $($field:ident: $size:literal,)+ })+) => { $(
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub(super) struct $name { $(pub(super) $field: [u8; $size],)+ }

        const _: () = assert!(size_of::<$name>() == $length && align_of::<$name>() == 1);

        // SAFETY: `repr(C)` over byte arrays: alignment 1, no padding, any bytes are valid.
        unsafe impl Wire for $name {}
    )+ };
}

wire! {
    /// Ethernet II (IEEE 802.3 §3.2).
    struct Ethernet(14) { _destination: 6, _source: 6, ether_type: 2, }
    /// What follows the tag protocol identifier: priority and VLAN number, then the next EtherType
    /// (IEEE 802.1Q §9.6).
    struct VlanTag(4) { _control: 2, ether_type: 2, }
    /// IPv4 without options (RFC 791 §3.1).
    struct Ipv4(20) {
        version_and_length: 1, _service: 1, total_length: 2,
        _identification: 2, flags_and_offset: 2,
        time_to_live: 1, protocol: 1, _checksum: 2,
        source: 4, destination: 4,
    }
    /// IPv6 (RFC 8200 §3).
    struct Ipv6(40) {
        version: 1, _class_and_flow: 3, payload_length: 2, next_header: 1, hop_limit: 1,
        source: 16, destination: 16,
    }
    /// What all IPv6 extension headers that can be skipped start with (RFC 8200 §4, RFC 4302 §2).
    struct Extension(8) { next_header: 1, length: 1, _rest: 6, }
    /// The IPv6 fragment header (RFC 8200 §4.5).
    struct Fragment(8) { next_header: 1, _reserved: 1, offset_and_flags: 2, _identification: 4, }
    /// TCP without options (RFC 9293 §3.1).
    struct Tcp(20) {
        source: 2, destination: 2, _sequence: 4, _acknowledgment: 4,
        data_offset: 1, flags: 1, _window: 2, _checksum: 2, _urgent: 2,
    }
    /// UDP (RFC 768).
    struct Udp(8) { source: 2, destination: 2, length: 2, _checksum: 2, }
    /// What all ICMP and ICMPv6 messages start with (RFC 792, RFC 4443 §2.1); the body's first four bytes
    /// are there in every message defined.
    struct Icmp(8) { kind: 1, code: 1, _checksum: 2, _body: 4, }
}

/// `EtherType`s (IANA "IEEE 802 Numbers").
pub(super) mod ether_type {
    pub const IPV4: u16 = 0x0800;
    pub const IPV6: u16 = 0x86dd;
    pub const VLAN: u16 = 0x8100;
    pub const SERVICE_VLAN: u16 = 0x88a8;
}

impl Ethernet {
    #[inline(always)]
    pub(super) const fn ether_type(&self) -> u16 {
        u16::from_be_bytes(self.ether_type)
    }
}

impl VlanTag {
    #[inline(always)]
    pub(super) const fn ether_type(&self) -> u16 {
        u16::from_be_bytes(self.ether_type)
    }
}

impl Ipv4 {
    #[inline(always)]
    pub(super) const fn version(&self) -> u8 {
        self.version_and_length[0] >> 4
    }

    /// Header length in bytes, options included.
    #[inline(always)]
    pub(super) const fn header_length(&self) -> usize {
        (self.version_and_length[0] & 0x0f) as usize * 4
    }

    #[inline(always)]
    pub(super) const fn total_length(&self) -> usize {
        u16::from_be_bytes(self.total_length) as usize
    }

    #[inline(always)]
    pub(super) const fn more_fragments(&self) -> bool {
        u16::from_be_bytes(self.flags_and_offset) & 0x2000 != 0
    }

    /// Fragment offset in units of 8 bytes.
    #[inline(always)]
    pub(super) const fn fragment_offset(&self) -> u16 {
        u16::from_be_bytes(self.flags_and_offset) & 0x1fff
    }
}

impl Ipv6 {
    #[inline(always)]
    pub(super) const fn version(&self) -> u8 {
        self.version[0] >> 4
    }

    #[inline(always)]
    pub(super) const fn payload_length(&self) -> usize {
        u16::from_be_bytes(self.payload_length) as usize
    }
}

impl Extension {
    /// Length in bytes of a header counted in 8-byte units, not including the first (RFC 8200 §4).
    #[inline(always)]
    pub(super) const fn byte_length(&self) -> usize {
        (self.length[0] as usize + 1) * 8
    }

    /// Length in bytes of an authentication header, counted in 4-byte units minus 2 (RFC 4302 §2.2).
    #[inline(always)]
    pub(super) const fn authentication_byte_length(&self) -> usize {
        (self.length[0] as usize + 2) * 4
    }
}

impl Fragment {
    #[inline(always)]
    pub(super) const fn more_fragments(&self) -> bool {
        u16::from_be_bytes(self.offset_and_flags) & 1 != 0
    }

    /// Fragment offset in units of 8 bytes.
    #[inline(always)]
    pub(super) const fn fragment_offset(&self) -> u16 {
        u16::from_be_bytes(self.offset_and_flags) >> 3
    }
}

impl Tcp {
    /// Header length in bytes, options included.
    #[inline(always)]
    pub(super) const fn header_length(&self) -> usize {
        (self.data_offset[0] >> 4) as usize * 4
    }
}

impl Udp {
    #[inline(always)]
    pub(super) const fn length(&self) -> usize {
        u16::from_be_bytes(self.length) as usize
    }
}
