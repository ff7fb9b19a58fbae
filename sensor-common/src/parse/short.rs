//! The short way: most frames are Ethernet, IPv4 without options, no fragment, and TCP or UDP in one piece. Those
//! are read at once, before the general parser would go from header to header; all others it leaves alone.

use super::header::{Headers, ether_type};
use super::upper::{TcpFlags, protocol};
use super::{Address, Pair, Read};
use crate::layout::Slot;

/// What such a frame carries; the general parser finds the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short {
    /// Where it came from and goes to.
    pub pair: Pair,
    /// The slot of the port.
    pub slot: Slot,
    /// The destination port.
    pub port: u16,
    /// TCP, and not UDP.
    pub is_tcp: bool,
    /// It is a TCP segment that asks for a connection: SYN without ACK.
    pub is_request: bool,
}

impl Short {
    /// Where it goes.
    #[must_use]
    #[inline(always)]
    pub const fn destination(&self) -> Address {
        self.pair.destination()
    }
}

/// Reads a frame of the kind that is common; `None` for every other, broken ones and UDP in less than 54 bytes
/// included.
#[must_use]
#[inline(always)]
pub fn short<R: Read + ?Sized>(frame: &R) -> Option<Short> {
    let Headers { ethernet, ipv4, leading, tcp } = frame.at_hand::<Headers>(0)?;
    if ethernet.ether_type() != ether_type::IPV4 || !ipv4.is_plain() || ipv4.is_fragment() {
        return None;
    }
    let total = ipv4.total_length();
    if size_of_val(&ethernet) + total > frame.length() {
        return None;
    }
    // At least what the header has, and not beyond the packet.
    let fits = |length: usize, least: usize| length >= least && size_of_val(&ipv4) + length <= total;
    let pair = Pair::v4(&ipv4);
    let port = leading.second.get();
    match ipv4.protocol {
        protocol::TCP if fits(tcp.header_length(), size_of_val(&leading) + size_of_val(&tcp)) => {
            Some(Short {
                pair,
                slot: Slot::tcp(port),
                port,
                is_tcp: true,
                is_request: TcpFlags(tcp.flags).is_request(),
            })
        }
        protocol::UDP if fits(leading.third.get().into(), size_of_val(&leading)) => {
            Some(Short { pair, slot: Slot::udp(port), port, is_tcp: false, is_request: false })
        }
        _ => None,
    }
}
