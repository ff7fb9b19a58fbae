//! Headers as they are on the wire, with methods for the values.
//!
//! Fields are single bytes or pairs in network order: frames start at an even address (every driver and
//! `NET_IP_ALIGN` see to that) and all headers have an even length, so pairs load in one instruction where
//! the target cannot load what is not aligned.

/// A header that can be read from any bytes at any even offset.
///
/// # Safety
/// The type must have an alignment of at most 2, no padding, and no invalid bit patterns.
pub unsafe trait Wire: Copy {}

/// Two bytes in network order.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Be16(u16);

impl Be16 {
    #[inline(always)]
    pub(super) const fn get(self) -> u16 {
        u16::from_be(self.0)
    }
}

/// An IPv4 address.
pub(super) type Address4 = [Be16; 2];
/// An IPv6 address.
pub(super) type Address6 = [Be16; 8];

/// The four bytes of an IPv4 address.
#[inline(always)]
pub(super) const fn octets4([a, b]: Address4) -> [u8; 4] {
    // One number, so that the compiler never takes the bytes apart.
    (u16::from_le(a.0) as u32 | (u16::from_le(b.0) as u32) << 16).to_le_bytes()
}

/// The 16 bytes of an IPv6 address.
#[inline(always)]
pub(super) fn octets6(address: Address6) -> [u8; 16] {
    let mut octets = [0; 16];
    for (pair, bytes) in octets.chunks_exact_mut(2).zip(address) {
        pair.copy_from_slice(&bytes.0.to_ne_bytes());
    }
    octets
}

/// Declares wire headers; the compiler checks what makes them `Wire`.
macro_rules! wire {
    ($($(#[$doc:meta])* struct $name:ident($length:literal) { $($field:ident: $type:ty,)+ })+) => { $(
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub struct $name { $(pub(super) $field: $type,)+ }

        const _: () = assert!(align_of::<$name>() <= 2 && size_of::<$name>() == $length);
        const _: () = assert!($(size_of::<$type>() +)+ 0 == $length);

        // SAFETY: integers only; the assertions above show the alignment and that there is no padding.
        unsafe impl Wire for $name {}
    )+ };
}

wire! {
    /// Ethernet II (IEEE 802.3 §3.2).
    struct Ethernet(14) { _destination: [Be16; 3], _source: [Be16; 3], ether_type: Be16, }
    /// What follows the tag protocol identifier: priority and VLAN number, then the next EtherType
    /// (IEEE 802.1Q §9.6).
    struct VlanTag(4) { _control: Be16, ether_type: Be16, }
    /// IPv4 without options (RFC 791 §3.1).
    struct Ipv4(20) {
        version_and_length: u8, _service: u8, total_length: Be16,
        identification: Be16, flags_and_offset: Be16,
        time_to_live: u8, protocol: u8, _checksum: Be16,
        source: Address4, destination: Address4,
    }
    /// IPv6 (RFC 8200 §3).
    struct Ipv6(40) {
        version: u8, _class_and_flow: [u8; 3], payload_length: Be16, next_header: u8, hop_limit: u8,
        source: Address6, destination: Address6,
    }
    /// What all IPv6 extension headers that can be skipped start with (RFC 8200 §4, RFC 4302 §2), and all
    /// of the fragment header (RFC 8200 §4.5).
    struct Extension(8) {
        next_header: u8, length: u8, offset_and_flags: Be16, identification: [Be16; 2],
    }
    /// TCP without options (RFC 9293 §3.1).
    struct Tcp(20) {
        source: Be16, destination: Be16, sequence: [Be16; 2], _acknowledgment: [Be16; 2],
        data_offset: u8, flags: u8, window: Be16, _checksum: Be16, _urgent: Be16,
    }
    /// What TCP's header has behind its first eight bytes.
    struct TcpRest(12) {
        _acknowledgment: [Be16; 2], data_offset: u8, flags: u8, window: Be16, _checksum: Be16, _urgent: Be16,
    }
    /// UDP (RFC 768).
    struct Udp(8) { source: Be16, destination: Be16, length: Be16, _checksum: Be16, }
    /// What all ICMP and ICMPv6 messages start with (RFC 792, RFC 4443 §2.1); the body's first four bytes
    /// are there in every message defined.
    struct Icmp(8) { kind: u8, code: u8, _checksum: Be16, _body: [Be16; 2], }
    /// As much of an upper layer's header as an ICMP error quotes at least (RFC 792): the ports of TCP and
    /// UDP, or the type, code and identifier of an echo message.
    struct Leading(8) { first: Be16, second: Be16, rest: [Be16; 2], }
}

/// What most frames start with. Where it is UDP, its header is in `leading`, and the rest is payload. Looked at behind a
/// VLAN tag, only the EtherType of `ethernet` means anything.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Headers<N> {
    pub(super) ethernet: Ethernet,
    pub(super) network: N,
    pub(super) leading: Leading,
    pub(super) tcp: TcpRest,
}

const _: () = assert!(align_of::<Headers<Ipv4>>() <= 2 && size_of::<Headers<Ipv4>>() == 14 + 20 + 8 + 12);
const _: () = assert!(align_of::<Headers<Ipv6>>() <= 2 && size_of::<Headers<Ipv6>>() == 14 + 40 + 8 + 12);

// SAFETY: headers of which each is `Wire`; the assertions above show the alignment and that there is no padding.
unsafe impl Wire for Headers<Ipv4> {}
// SAFETY: likewise.
unsafe impl Wire for Headers<Ipv6> {}

/// The first bytes of a TCP header's options (RFC 9293 §3.1), as so many pairs.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Options<const PAIRS: usize>([Be16; PAIRS]);

// SAFETY: an array of `Be16`, which has an alignment of 2, no padding, and no invalid values.
unsafe impl<const PAIRS: usize> Wire for Options<PAIRS> {}

impl<const PAIRS: usize> Options<PAIRS> {
    /// The two bytes at this even offset.
    #[must_use]
    #[inline(always)]
    pub const fn pair(&self, at: usize) -> u16 {
        self.0[at / 2].get()
    }

    /// The four bytes at this even offset.
    #[must_use]
    #[inline(always)]
    pub const fn number(&self, at: usize) -> u32 {
        number([self.0[at / 2], self.0[at / 2 + 1]])
    }
}

/// Four bytes as a number.
#[inline(always)]
pub(super) const fn number([high, low]: [Be16; 2]) -> u32 {
    (high.get() as u32) << 16 | low.get() as u32
}

/// EtherTypes (IANA "IEEE 802 Numbers").
pub mod ether_type {
    /// IPv4 (RFC 894).
    pub const IPV4: u16 = 0x0800;
    /// IPv6 (RFC 2464).
    pub const IPV6: u16 = 0x86dd;
    /// A customer's VLAN tag (IEEE 802.1Q).
    pub const VLAN: u16 = 0x8100;
    /// A service's VLAN tag (IEEE 802.1ad).
    pub const SERVICE_VLAN: u16 = 0x88a8;

    /// Whether a VLAN tag follows.
    #[must_use]
    #[inline(always)]
    pub const fn is_tag(ether_type: u16) -> bool {
        matches!(ether_type, VLAN | SERVICE_VLAN)
    }
}

impl Ethernet {
    /// What the frame carries.
    #[must_use]
    #[inline(always)]
    pub const fn ether_type(&self) -> u16 {
        self.ether_type.get()
    }
}

impl VlanTag {
    #[inline(always)]
    pub(super) const fn ether_type(self) -> u16 {
        self.ether_type.get()
    }
}

impl Ipv4 {
    #[inline(always)]
    pub(super) const fn version(self) -> u8 {
        self.version_and_length >> 4
    }

    /// Header length in bytes, options included.
    #[inline(always)]
    pub(super) const fn header_length(self) -> usize {
        (self.version_and_length & 0x0f) as usize * 4
    }

    /// Of version 4, and without options: the first byte.
    pub(super) const PLAIN: u8 = 0x45;

    #[inline(always)]
    pub(super) const fn total_length(self) -> usize {
        self.total_length.get() as usize
    }

    /// No router may fragment it.
    #[inline(always)]
    pub(super) const fn dont_fragment(self) -> bool {
        self.flags_and_offset.get() & Self::DONT_FRAGMENT != 0
    }

    /// The bit of flags and offset that says that no router may fragment it.
    pub(super) const DONT_FRAGMENT: u16 = 0x4000;

    #[inline(always)]
    pub(super) const fn more_fragments(self) -> bool {
        self.flags_and_offset.get() & 0x2000 != 0
    }

    /// Fragment offset in units of 8 bytes.
    #[inline(always)]
    pub(super) const fn fragment_offset(self) -> u16 {
        self.flags_and_offset.get() & 0x1fff
    }

    /// A fragment, the first or a later one.
    #[inline(always)]
    pub(super) const fn is_fragment(self) -> bool {
        self.flags_and_offset.get() & Self::FRAGMENT != 0
    }

    /// Bits of flags and offset of which some are set in a fragment: more follow, or it is not the first.
    pub(super) const FRAGMENT: u16 = 0x3fff;
}

impl Ipv6 {
    #[inline(always)]
    pub(super) const fn version(self) -> u8 {
        self.version >> 4
    }

    #[inline(always)]
    pub(super) const fn payload_length(self) -> usize {
        self.payload_length.get() as usize
    }
}

impl Extension {
    /// Length in bytes of a header counted in 8-byte units, not including the first (RFC 8200 §4).
    #[inline(always)]
    pub(super) const fn byte_length(self) -> usize {
        (self.length as usize + 1) * 8
    }

    /// Length in bytes of an authentication header, counted in 4-byte units minus 2 (RFC 4302 §2.2).
    #[inline(always)]
    pub(super) const fn authentication_byte_length(self) -> usize {
        (self.length as usize + 2) * 4
    }

    /// In a fragment header: more fragments follow.
    #[inline(always)]
    pub(super) const fn more_fragments(self) -> bool {
        self.offset_and_flags.get() & 1 != 0
    }

    /// In a fragment header: the offset in units of 8 bytes.
    #[inline(always)]
    pub(super) const fn fragment_offset(self) -> u16 {
        self.offset_and_flags.get() >> 3
    }

    /// In a fragment header: it is not all of the datagram, which RFC 6946 allows.
    #[inline(always)]
    pub(super) const fn is_fragment(self) -> bool {
        self.offset_and_flags.get() & 0xfff9 != 0
    }

    /// In a fragment header: the datagram's number.
    #[inline(always)]
    pub(super) const fn identification(self) -> u32 {
        number(self.identification)
    }
}

impl Tcp {
    /// Header length in bytes, options included.
    #[inline(always)]
    pub(super) const fn header_length(self) -> usize {
        TcpRest::header_length(self.data_offset)
    }
}

impl TcpRest {
    /// As [`Tcp::header_length`], by the byte that tells it.
    #[inline(always)]
    pub(super) const fn header_length(data_offset: u8) -> usize {
        (data_offset >> 4) as usize * 4
    }
}

impl Udp {
    #[inline(always)]
    pub(super) const fn length(self) -> usize {
        self.length.get() as usize
    }
}
