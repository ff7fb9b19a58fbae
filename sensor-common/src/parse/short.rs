//! The short way: most frames are Ethernet, IPv4 without options, no fragment, and TCP or UDP in one piece. Those
//! are looked at where they lie, before the general parser would go from header to header; all others it leaves
//! alone.

use super::header::{Ethernet, Headers, Ipv4, Leading, TcpRest, ether_type};
use super::upper::{TcpFlags, protocol};
use super::{Address, Pair};
use crate::layout::Slot;

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
        let Headers { ipv4, tcp, .. } = self.headers;
        let length = tcp.header_length();
        let is_whole = ipv4.protocol == protocol::TCP
            && length >= size_of::<Leading>() + size_of::<TcpRest>()
            && size_of::<Ipv4>() + length <= ipv4.total_length();
        is_whole.then_some(TcpFlags(tcp.flags))
    }

    /// Whether there is a UDP header whose length is right.
    #[must_use]
    #[inline(always)]
    pub fn is_udp(self) -> bool {
        let Headers { ipv4, leading, .. } = self.headers;
        let length = usize::from(leading.third.get());
        ipv4.protocol == protocol::UDP
            && length >= size_of::<Leading>()
            && size_of::<Ipv4>() + length <= ipv4.total_length()
    }

    /// The destination port of either.
    #[must_use]
    #[inline(always)]
    pub const fn port(self) -> u16 {
        self.headers.leading.second.get()
    }

    /// The slot, if it is one of the two.
    #[must_use]
    #[inline(always)]
    pub fn slot(self) -> Option<Slot> {
        if self.tcp().is_some() {
            Some(Slot::tcp(self.port()))
        } else if self.is_udp() {
            Some(Slot::udp(self.port()))
        } else {
            None
        }
    }
}
