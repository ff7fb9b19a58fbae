//! The short way: most frames are Ethernet, IPv4 without options, no fragment, and TCP or UDP in one piece. Those
//! are looked at where they lie, before the general parser would go from header to header; all others it leaves
//! alone.

use super::header::{Ethernet, Headers, Ipv4, Leading, TcpRest, ether_type};
use super::upper::{TcpFlags, protocol};
use super::{Address, Pair};

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
            && size_of::<Ethernet>() + ipv4.total_length() <= length;
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

    /// The destination port of either.
    #[must_use]
    #[inline(always)]
    pub const fn port(self) -> u16 {
        self.headers.leading.second.get()
    }
}
