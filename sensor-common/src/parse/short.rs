//! The short way: most frames are Ethernet, at most one VLAN tag, IP without options, no fragment, and TCP or UDP in one
//! piece. Those are looked at where they lie, before the general parser would go from header to header; all others it
//! leaves alone.

use super::header::{Address6, Be16, Headers, Ipv4, Ipv6, Leading, TcpRest, ether_type};
use super::upper::{TcpFlags, protocol};
use super::{Address, ETHERNET_LENGTH, Wire, padded};

/// Reads a field when it is asked for, and each time that it is: a compiler that read it once, and early, would keep
/// more on the stack than the program has registers for, which costs more than reading it again.
macro_rules! field {
    ($field:expr) => {
        // SAFETY: a reference to it is valid for reads.
        unsafe { core::ptr::read_volatile(&raw const $field) }
    };
}

/// Loads bytes as larger numbers than their alignment allows for.
macro_rules! load {
    ($bytes:expr, $number:ty) => {{
        #[expect(clippy::cast_ptr_alignment, reason = "it is read as what is not aligned")]
        let place = core::ptr::from_ref($bytes).cast::<$number>();
        // SAFETY: the reference is valid for reads of as many bytes, and all of them are integers. What the function asks
        // for, an alignment, BPF's loads do not; without it the compiler would load byte by byte.
        #[cfg(target_arch = "bpf")]
        let number = unsafe { place.read_volatile() };
        // SAFETY: the reference is valid for reads of as many bytes, and all of them are integers.
        #[cfg(not(target_arch = "bpf"))]
        let number = unsafe { place.read_unaligned() };
        number
    }};
}

/// An IP header, as the short way asks for it.
pub trait IpHeader: Wire {
    /// What Ethernet calls it.
    const ETHER_TYPE: u16;
    /// The UDP port of a DHCP client (RFC 2131 §4.1, RFC 8415 §7.2), whose packets may belong to the link.
    const DHCP_CLIENT: u16;

    /// Of the right version, without options, and no fragment. IPv6's extension headers are no TCP and no UDP.
    fn is_plain(&self) -> bool;
    /// The protocol that it carries.
    fn protocol(&self) -> u8;
    /// Length of the whole packet, this header included.
    fn packet_length(&self) -> usize;
    /// Where the packet comes from.
    fn source(&self) -> Address;
    /// Where it goes.
    fn destination(&self) -> Address;
    /// IPv4's destination as a number; 0 of IPv6, of which no tool is told by it.
    fn destination_number(&self) -> u32;
    /// IPv4's identification; IPv6 has none: 0.
    fn identification(&self) -> u16;
    /// IPv4's DF; IPv6 has none: false.
    fn dont_fragment(&self) -> bool;
    /// The time to live, or the hop limit.
    fn time_to_live(&self) -> u8;
}

impl IpHeader for Ipv4 {
    const ETHER_TYPE: u16 = ether_type::IPV4;
    const DHCP_CLIENT: u16 = 68;

    #[inline(always)]
    fn is_plain(&self) -> bool {
        field!(self.version_and_length) == Self::PLAIN
            && field!(self.flags_and_offset).get() & Self::FRAGMENT == 0
    }

    #[inline(always)]
    fn protocol(&self) -> u8 {
        field!(self.protocol)
    }

    #[inline(always)]
    fn packet_length(&self) -> usize {
        field!(self.total_length).get().into()
    }

    #[inline(always)]
    fn source(&self) -> Address {
        Address { halves: padded(wide4(&self.source).to_ne_bytes()), version: 4 }
    }

    #[inline(always)]
    fn destination(&self) -> Address {
        Address { halves: padded(wide4(&self.destination).to_ne_bytes()), version: 4 }
    }

    #[inline(always)]
    fn destination_number(&self) -> u32 {
        u32::from_be(wide4(&self.destination))
    }

    #[inline(always)]
    fn identification(&self) -> u16 {
        field!(self.identification).get()
    }

    #[inline(always)]
    fn dont_fragment(&self) -> bool {
        field!(self.flags_and_offset).get() & Self::DONT_FRAGMENT != 0
    }

    #[inline(always)]
    fn time_to_live(&self) -> u8 {
        field!(self.time_to_live)
    }
}

impl IpHeader for Ipv6 {
    const ETHER_TYPE: u16 = ether_type::IPV6;
    const DHCP_CLIENT: u16 = 546;

    #[inline(always)]
    fn is_plain(&self) -> bool {
        field!(self.version) >> 4 == 6
    }

    #[inline(always)]
    fn protocol(&self) -> u8 {
        field!(self.next_header)
    }

    #[inline(always)]
    fn packet_length(&self) -> usize {
        size_of::<Self>() + usize::from(field!(self.payload_length).get())
    }

    #[inline(always)]
    fn source(&self) -> Address {
        Address { halves: wide6(&self.source), version: 6 }
    }

    #[inline(always)]
    fn destination(&self) -> Address {
        Address { halves: wide6(&self.destination), version: 6 }
    }

    #[inline(always)]
    fn destination_number(&self) -> u32 {
        0
    }

    #[inline(always)]
    fn identification(&self) -> u16 {
        0
    }

    #[inline(always)]
    fn dont_fragment(&self) -> bool {
        false
    }

    #[inline(always)]
    fn time_to_live(&self) -> u8 {
        field!(self.hop_limit)
    }
}

/// Loads four bytes, an IPv4 address for one, at once.
#[inline(always)]
fn wide4(bytes: &[Be16; 2]) -> u32 {
    load!(bytes, u32)
}

/// Loads an IPv6 address, its halves at once.
#[inline(always)]
fn wide6(address: &Address6) -> [u64; 2] {
    load!(address, [u64; 2])
}

/// Such a frame. What is asked of it is what the general parser finds too.
#[derive(Clone, Copy)]
pub struct Short<'a, N> {
    headers: &'a Headers<N>,
    /// Offset in the frame of the headers.
    at: usize,
}

impl<'a, N: IpHeader> Short<'a, N> {
    /// The frame, if it is one of the kind that is common; `None` for every other, broken ones and UDP in less than
    /// 54 bytes (IPv6: 74) and a tag included. `at` is where the headers lie in the frame, whose whole length is `length`.
    #[must_use]
    #[inline(always)]
    pub fn new(headers: &'a Headers<N>, at: usize, length: usize) -> Option<Self> {
        let network = &headers.network;
        let is_common = field!(headers.ethernet.ether_type).get() == N::ETHER_TYPE
            && network.is_plain()
            && at + ETHERNET_LENGTH + network.packet_length() <= length;
        is_common.then_some(Self { headers, at })
    }

    /// Where it goes.
    #[must_use]
    #[inline(always)]
    pub fn destination(self) -> Address {
        self.headers.network.destination()
    }

    /// Where it comes from.
    #[must_use]
    #[inline(always)]
    pub fn source(self) -> Address {
        self.headers.network.source()
    }

    /// The flags of a whole TCP header; `None` if there is none.
    #[must_use]
    #[inline(always)]
    pub fn tcp(self) -> Option<TcpFlags> {
        let least = size_of::<Leading>() + size_of::<TcpRest>();
        let is_whole = self.headers.network.protocol() == protocol::TCP
            && self.holds(TcpRest::header_length(field!(self.headers.tcp.data_offset)), least);
        is_whole.then(|| TcpFlags(field!(self.headers.tcp.flags)))
    }

    /// Whether there is a UDP header whose length is right.
    #[must_use]
    #[inline(always)]
    pub fn is_udp(self) -> bool {
        self.headers.network.protocol() == protocol::UDP
            && self.holds(field!(self.headers.leading.rest[0]).get().into(), size_of::<Leading>())
    }

    /// Whether a length is not below the `least`, and not beyond the packet.
    #[inline(always)]
    fn holds(self, length: usize, least: usize) -> bool {
        length >= least && size_of::<N>() + length <= self.headers.network.packet_length()
    }

    /// Offset in the frame of TCP's options.
    #[inline(always)]
    pub(crate) const fn tcp_options(self) -> usize {
        self.at + size_of::<Headers<N>>()
    }

    /// TCP's data offset in words of 32 bits, where [`Short::tcp`] says that there is a header.
    #[inline(always)]
    pub(crate) fn data_offset(self) -> u8 {
        field!(self.headers.tcp.data_offset) >> 4
    }

    /// TCP's sequence number, likewise.
    #[inline(always)]
    pub(crate) fn sequence(self) -> u32 {
        u32::from_be(wide4(&self.headers.leading.rest))
    }

    /// TCP's window, likewise.
    #[inline(always)]
    pub(crate) fn window(self) -> u16 {
        field!(self.headers.tcp.window).get()
    }

    /// The IP header.
    #[inline(always)]
    pub(crate) const fn ip(self) -> &'a N {
        &self.headers.network
    }

    /// The source port of either.
    #[must_use]
    #[inline(always)]
    pub fn source_port(self) -> u16 {
        field!(self.headers.leading.first).get()
    }

    /// The destination port of either.
    #[must_use]
    #[inline(always)]
    pub fn port(self) -> u16 {
        field!(self.headers.leading.second).get()
    }
}
