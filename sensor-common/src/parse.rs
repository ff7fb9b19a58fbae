//! Bytes → packet: Ethernet, VLAN tags, IPv4, IPv6, and the first bytes of what they carry.
//!
//! Any bytes give exactly one outcome. The functions run in the kernel, where the verifier must see that
//! every loop ends and every read is within the packet, so all reading goes through [`Read`].

mod header;
mod ip;
mod read;
mod upper;

pub use header::Wire;
pub use ip::{Addresses, MAX_EXTENSIONS};
pub use read::{Leading, Pair, Quoted, halves, padded};
pub use upper::{TcpFlags, Upper, protocol};

use crate::layout::Malformed;
use header::{Ethernet, VlanTag, ether_type};
use upper::Payload;

/// A received frame.
pub trait Read {
    /// Length of the whole frame in bytes, from the Ethernet header on.
    fn length(&self) -> usize;

    /// The header at offset `at`; `None` if the frame ends before the header does.
    fn read<T: Wire>(&self, at: usize) -> Option<T>;

    /// The same offset, as if it could have been any.
    ///
    /// The verifier walks on with each offset that it has seen come about. Where that many ways meet, it has
    /// to see one.
    #[inline(always)]
    fn blurred(&self, at: usize) -> usize {
        at
    }
}

impl Read for [u8] {
    fn length(&self) -> usize {
        self.len()
    }

    fn read<T: Wire>(&self, at: usize) -> Option<T> {
        let bytes = self.get(at..)?.get(..size_of::<T>())?;
        // SAFETY: `bytes` is `size_of::<T>()` long, and any bytes are a valid `T: Wire`.
        Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
    }
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Neither IPv4 nor IPv6 within two VLAN tags.
    NonIp,
    /// An IP packet, broken or not.
    Ip(Packet),
}

/// An IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Where it comes from and goes to; `None` if the header is too broken to say.
    pub addresses: Option<Addresses>,
    /// The IPv4 time to live or the IPv6 hop limit; 0 if the header is too broken to say.
    pub hop_limit: u8,
    /// What it carries, or what is wrong with it.
    pub upper: Result<Upper, Malformed>,
    /// Offset in the frame of the IP header.
    pub network: usize,
    /// Offset of the header that tells which datagram this is a fragment of, the first or with
    /// [`Upper::Fragment`] a later one; 0 if it is none.
    pub fragment: usize,
    /// Offset of what it carries; 0 if the IP headers are broken.
    pub at: usize,
    /// Offset behind it, never behind the frame's end; 0 if the IP headers are broken.
    pub end: usize,
}

impl Packet {
    #[inline(always)]
    const fn unreadable(reason: Malformed) -> Self {
        Self { addresses: None, hop_limit: 0, upper: Err(reason), network: 0, fragment: 0, at: 0, end: 0 }
    }

    /// What the payload says; the network header's own fields are to be filled in.
    #[inline(always)]
    fn carrying<R: Read + ?Sized>(frame: &R, network: usize, payload: Result<Payload, Malformed>) -> Self {
        match payload {
            Err(reason) => Self { network, ..Self::unreadable(reason) },
            Ok(payload) => Self {
                addresses: None,
                hop_limit: 0,
                upper: upper::upper(frame, &payload),
                network,
                fragment: payload.fragment,
                at: payload.at,
                end: payload.end,
            },
        }
    }
}

/// VLAN tags that are looked through: one customer tag within one service tag (IEEE 802.1ad).
const MAX_VLAN_TAGS: usize = 2;

/// Parses a frame from its Ethernet header on.
#[inline(always)]
pub fn parse<R: Read + ?Sized>(frame: &R) -> Frame {
    let Some(ethernet) = frame.read::<Ethernet>(0) else {
        return Frame::NonIp;
    };
    let mut ether_type = ethernet.ether_type();
    let mut at = size_of::<Ethernet>();
    for _ in 0..MAX_VLAN_TAGS {
        if !matches!(ether_type, ether_type::VLAN | ether_type::SERVICE_VLAN) {
            break;
        }
        let Some(tag) = frame.read::<VlanTag>(at) else {
            return Frame::NonIp;
        };
        ether_type = tag.ether_type();
        at = frame.blurred(at + size_of::<VlanTag>());
    }
    match ether_type {
        ether_type::IPV4 => Frame::Ip(ip::ipv4(frame, at)),
        ether_type::IPV6 => Frame::Ip(ip::ipv6(frame, at)),
        _ => Frame::NonIp,
    }
}
