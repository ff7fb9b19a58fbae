//! The short way: most frames are Ethernet, IPv4 without options, no fragment, and TCP or UDP in one piece. Those
//! are looked at where they lie, before the general parser would go from header to header; all others it leaves
//! alone.

use super::header::{Headers, Ipv4, Leading, TcpRest, ether_type, number};
use super::upper::{TcpFlags, protocol};
use super::{Address, ETHERNET_LENGTH, Ipv4Fields, Pair, Segment};

/// Such a frame. What is asked of it is what the general parser finds too.
#[derive(Clone, Copy)]
pub struct Short<'a> {
    headers: &'a Headers,
}

impl<'a> Short<'a> {
    /// The frame, if it is one of the kind that is common; `None` for every other, broken ones and UDP in less than
    /// 54 bytes included. `length` is that of the whole frame.
    #[must_use]
    #[inline(always)]
    pub fn new(headers: &'a Headers, length: usize) -> Option<Self> {
        let Headers { ethernet, ipv4, .. } = headers;
        let is_common = ethernet.ether_type() == ether_type::IPV4
            && ipv4.is_plain()
            && !ipv4.is_fragment()
            && ETHERNET_LENGTH + ipv4.total_length() <= length;
        is_common.then_some(Self { headers })
    }

    /// Where it goes.
    #[must_use]
    #[inline(always)]
    pub fn destination(self) -> Address {
        Pair::v4(&self.headers.ipv4).destination()
    }

    /// Where it comes from.
    #[must_use]
    #[inline(always)]
    pub fn source(self) -> Address {
        Pair::v4(&self.headers.ipv4).source()
    }

    /// The flags of a whole TCP header; `None` if there is none.
    #[must_use]
    #[inline(always)]
    pub fn tcp(self) -> Option<TcpFlags> {
        let tcp = &self.headers.tcp;
        let least = size_of::<Leading>() + size_of::<TcpRest>();
        self.carries(protocol::TCP, tcp.header_length(), least).then_some(TcpFlags(tcp.flags))
    }

    /// Whether there is a UDP header whose length is right.
    #[must_use]
    #[inline(always)]
    pub fn is_udp(self) -> bool {
        let length = self.headers.leading.third.get();
        self.carries(protocol::UDP, length.into(), size_of::<Leading>())
    }

    /// Whether it is this protocol, with a length in its header that is not below the `least`, and not beyond the packet.
    #[inline(always)]
    fn carries(self, protocol: u8, length: usize, least: usize) -> bool {
        let ipv4 = &self.headers.ipv4;
        ipv4.protocol == protocol && length >= least && size_of::<Ipv4>() + length <= ipv4.total_length()
    }

    /// Offset in the frame of TCP's options.
    pub(crate) const TCP_OPTIONS: usize = size_of::<Headers>();

    /// The TCP header, where [`Short::tcp`] says that there is one.
    #[must_use]
    #[inline(always)]
    pub const fn segment(self) -> Segment {
        let Headers { leading, tcp, .. } = self.headers;
        Segment {
            destination: leading.second.get(),
            sequence: number([leading.third, leading.fourth]),
            flags: TcpFlags(tcp.flags),
            window: tcp.window.get(),
            options: tcp.header_length().saturating_sub(size_of::<Leading>() + size_of::<TcpRest>()),
        }
    }

    /// The fields of the IPv4 header.
    #[must_use]
    #[inline(always)]
    pub const fn ipv4(self) -> Ipv4Fields {
        Ipv4Fields::new(&self.headers.ipv4)
    }

    /// The source port of either.
    #[must_use]
    #[inline(always)]
    pub const fn source_port(self) -> u16 {
        self.headers.leading.first.get()
    }

    /// The destination port of either.
    #[must_use]
    #[inline(always)]
    pub const fn port(self) -> u16 {
        self.headers.leading.second.get()
    }
}
