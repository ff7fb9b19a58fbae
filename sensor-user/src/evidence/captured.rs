//! What is kept of a frame, read by the parser that counted it: as long as the frame was, however much is kept.

use std::net::IpAddr;

use sensor_common::parse::{Everything, Frame, Packet, Read, Wire, parse};

/// The first bytes of a frame, and how long it was.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    bytes: &'a [u8],
    length: usize,
}

impl<'a> Captured<'a> {
    /// Of a frame of this length in bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8], length: u32) -> Self {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Self { bytes, length: length.max(bytes.len()) }
    }

    /// What is kept of it.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The IP packet that it carries; `None` if it is too broken to be one. What is behind the bytes that are kept is
    /// missing from it.
    #[must_use]
    pub fn packet(self) -> Option<Packet> {
        match parse(&self, &Everything) {
            Frame::Ip(packet) => Some(packet),
            Frame::NonIp | Frame::Unreadable(_) | Frame::Elsewhere => None,
        }
    }

    /// Source and destination, if what is kept of the frame says them.
    #[must_use]
    pub fn addresses(self) -> Option<(IpAddr, IpAddr)> {
        let pair = self.packet()?.pair(&self)?;
        Some((pair.source().ip(), pair.destination().ip()))
    }
}

impl Read for Captured<'_> {
    fn length(&self) -> usize {
        self.length
    }

    fn read<T: Wire>(&self, at: usize) -> Option<T> {
        self.bytes.read(at)
    }
}
