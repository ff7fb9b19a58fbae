//! Which conversation a packet belongs to.

use core::net::{IpAddr, SocketAddr};

use crate::parse::{Pair, halves, padded};

/// A conversation, seen from this host. Protocols without ports have 0 for both; an echo's identifier is its
/// local port.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// This host's address as its bytes lie in memory; an IPv4 address is followed by zeros.
    pub local: [u64; 2],
    /// The other side's, likewise.
    pub remote: [u64; 2],
    /// This host's port.
    pub local_port: u16,
    /// The other side's port.
    pub remote_port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// 4 or 6.
    pub version: u8,
    /// Always 0: the kernel hashes and compares every byte of a key.
    pub padding: u16,
}

const _: () = assert!(size_of::<FlowKey>() == 40);

// SAFETY: integers only, laid out without padding (the assertion above): any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for FlowKey {}

impl FlowKey {
    /// The conversation of a socket; `None` if one end is IPv4 and the other IPv6. IPv4 addresses in IPv6's
    /// clothes (RFC 4291 §2.5.5.2) are what they are on the wire: IPv4.
    #[must_use]
    pub fn new(protocol: u8, local: SocketAddr, remote: SocketAddr) -> Option<Self> {
        let (version, local_address, remote_address) =
            match (local.ip().to_canonical(), remote.ip().to_canonical()) {
                (IpAddr::V4(local), IpAddr::V4(remote)) => {
                    (4, padded(local.octets()), padded(remote.octets()))
                }
                (IpAddr::V6(local), IpAddr::V6(remote)) => {
                    (6, halves(local.octets()), halves(remote.octets()))
                }
                _ => return None,
            };
        Some(Self {
            local: local_address,
            remote: remote_address,
            local_port: local.port(),
            remote_port: remote.port(),
            protocol,
            version,
            padding: 0,
        })
    }

    /// The conversation of a packet that this host sends from the first to the second of these addresses.
    #[must_use]
    #[inline(always)]
    pub const fn outgoing(pair: Pair, protocol: u8, local_port: u16, remote_port: u16) -> Self {
        let Pair { source: local, destination: remote, version } = pair;
        Self { local, remote, local_port, remote_port, protocol, version, padding: 0 }
    }
}
