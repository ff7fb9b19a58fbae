//! Bytes → packet: Ethernet, VLAN tags, IPv4, IPv6, and the first bytes of what they carry. Here, and nowhere
//! else, is decided which [`Slot`] a packet belongs to.
//!
//! Any bytes give exactly one outcome. The functions run in the kernel, where the verifier must see that
//! every loop ends and every read is within the packet, so all reading goes through [`Read`].

mod address;
mod header;
mod ip;
mod read;
mod short;
mod upper;

pub use address::{Address, Pair, halves, padded};
pub use header::{Ethernet, Headers, Ipv4, Ipv6, Options, Wire, ether_type};
pub use ip::MAX_EXTENSIONS;
pub use read::{Ipv4Fields, Leading, Quoted, Segment};
pub use short::{IpHeader, Short};
pub use upper::{TcpFlags, protocol};

/// Bytes of an Ethernet header, which every frame has.
pub const ETHERNET_LENGTH: usize = size_of::<Ethernet>();

/// Bytes of a VLAN tag (IEEE 802.1Q §9.3).
pub const VLAN_TAG_LENGTH: usize = size_of::<VlanTag>();

use crate::layout::Slot;
use crate::policy::Networks;
use header::{VlanTag, octets4, octets6};

/// A received frame.
pub trait Read {
    /// Length of the whole frame in bytes, from the Ethernet header on.
    fn length(&self) -> usize;

    /// The header at offset `at`; `None` if the frame ends before the header does.
    fn read<T: Wire>(&self, at: usize) -> Option<T>;

    /// What `look` makes of the header at offset `at`, where it lies; `None` too if it would have to be fetched.
    #[inline(always)]
    fn look_at<T: Wire, L>(&self, at: usize, look: impl FnOnce(&T) -> L) -> Option<L> {
        self.read(at).map(|header| look(&header))
    }

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

/// Tells whose packets are.
pub trait Sensors {
    /// The sensor that monitors packets to this address.
    fn sensor(&self, destination: Address) -> Option<u32>;
}

/// One sensor that monitors everything.
#[derive(Clone, Copy, Debug)]
pub struct Everything;

impl Sensors for Everything {
    #[inline(always)]
    fn sensor(&self, _destination: Address) -> Option<u32> {
        Some(0)
    }
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Neither IPv4 nor IPv6 within two VLAN tags.
    NonIp,
    /// An IP header too broken to say where the packet goes, by the slot of what is wrong with it.
    Unreadable(Slot),
    /// An IP packet that is nobody's.
    Elsewhere,
    /// An IP packet, broken or not.
    Ip(Packet),
}

/// An IP packet: what every packet is asked for. The rest is read when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Whose it is.
    pub sensor: u32,
    /// 4 or 6.
    pub version: u8,
    /// The slot of what it carries, or of what is wrong with it.
    pub slot: Slot,
    /// It is a TCP segment that asks for a connection: SYN without ACK.
    pub is_request: bool,
    /// Offset in the frame of the IP header.
    pub network: usize,
    /// Offset of the header that tells which datagram this is a fragment of, the first or, with a slot of
    /// fragments, a later one; 0 if it is none.
    pub fragment: usize,
    /// Offset of what it carries; anything if the IP headers are broken.
    pub at: usize,
    /// Offset behind it, never behind the frame's end; anything if the IP headers are broken.
    pub end: usize,
}

/// VLAN tags that are looked through: one customer tag within one service tag (IEEE 802.1ad).
const MAX_VLAN_TAGS: usize = 2;

/// Parses a frame from its Ethernet header on.
///
/// Whose a packet is, is asked as soon as its destination is read: what follows is read for nobody else, and
/// the kernel's program keeps no address in mind meanwhile.
#[inline(always)]
pub fn parse<R: Read + ?Sized, S: Sensors>(frame: &R, sensors: &S) -> Frame {
    match network(frame) {
        Some((ether_type::IPV4, at)) => ip::ipv4(frame, at, sensors),
        Some((ether_type::IPV6, at)) => ip::ipv6(frame, at, sensors),
        _ => Frame::NonIp,
    }
}

/// Where an IP packet comes from, whatever is wrong behind its addresses; `None` if the frame holds no IP header.
#[inline(always)]
pub fn source<R: Read + ?Sized>(frame: &R) -> Option<Address> {
    match network(frame)? {
        (ether_type::IPV4, at) => {
            let header = frame.read::<Ipv4>(at)?;
            (header.version() == 4).then(|| Pair::v4(&header).source())
        }
        (ether_type::IPV6, at) => {
            let header = frame.read::<Ipv6>(at)?;
            (header.version() == 6).then(|| Pair::v6(&header).source())
        }
        _ => None,
    }
}

/// The bit among [`Networks`] of where an IP packet comes from, and whether it is IPv6; `None` if the frame holds no IP header.
/// For less than all of [`source`], and of a header of another version too.
#[inline(always)]
pub fn source_network<R: Read + ?Sized>(frame: &R) -> Option<(u16, bool)> {
    let ether_type = frame.read::<Ethernet>(0)?.ether_type();
    // Where there is no tag, the offset is known to the verifier.
    let (ether_type, at) =
        if ether_type == ether_type::IPV4 { (ether_type, ETHERNET_LENGTH) } else { network(frame)? };
    match ether_type {
        ether_type::IPV4 => Some((Networks::of_v4(octets4(frame.read::<Ipv4>(at)?.source)), false)),
        ether_type::IPV6 => Some((Networks::of_v6(octets6(frame.read::<Ipv6>(at)?.source)), true)),
        _ => None,
    }
}

/// What lies behind the Ethernet header and its tags, by its `EtherType`, and at which offset; `None` if they are cut off.
#[inline(always)]
fn network<R: Read + ?Sized>(frame: &R) -> Option<(u16, usize)> {
    let mut ether_type = frame.read::<Ethernet>(0)?.ether_type();
    let mut at = ETHERNET_LENGTH;
    for _ in 0..MAX_VLAN_TAGS {
        if !ether_type::is_tag(ether_type) {
            break;
        }
        ether_type = frame.read::<VlanTag>(at)?.ether_type();
        at = frame.blurred(at + size_of::<VlanTag>());
    }
    Some((ether_type, at))
}
