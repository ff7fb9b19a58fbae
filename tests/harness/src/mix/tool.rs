//! What the SYNs of well-known scanners look like on the wire.

use std::net::Ipv4Addr;

use rand::RngExt as _;
use rand_xoshiro::SplitMix64;

use crate::frame::{Frame, frame};

/// What sends a SYN.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tool {
    /// The botnet: the sequence number is the destination address.
    Mirai,
    /// `ZMap` 4.1 and later: options of its own, no IP ID to know it by.
    ZMap,
    /// `ZMap` up to 4.0: IP ID 54321.
    OldZMap,
    /// masscan since 2023-11: an MSS option.
    Masscan,
    /// masscan before: no options.
    OldMasscan,
    /// Nmap's SYN scan.
    Nmap,
    /// `connect()` on Linux.
    Linux,
    /// `connect()` on Windows.
    Windows,
}

/// MSS 1460, window scale 8, SACK permitted.
pub(super) const ZMAP_OPTIONS: [u8; 12] = [2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];
const MSS: [u8; 4] = [2, 4, 5, 0xb4];

impl Tool {
    pub(super) fn syn(self, from: Ipv4Addr, to: Ipv4Addr, port: u16, random: &mut SplitMix64) -> Frame {
        // Real packets have crossed some routers.
        let way = random.random::<u8>() % 24;
        let sequence = random.random::<u32>();
        let source_port = 1024 | random.random::<u16>();
        let frame = frame().ipv4().from(from).to(to).ip_id(random.random());
        let syn = |frame: Frame| frame.tcp(port).source_port(source_port).syn().sequence(sequence);
        match self {
            Self::Mirai => {
                let window = random.random::<u16>();
                syn(frame.hops(64 - way)).sequence(to.to_bits()).window(window)
            }
            Self::ZMap => syn(frame.hops(255 - way)).tcp_options(&ZMAP_OPTIONS),
            Self::OldZMap => syn(frame.hops(255 - way).ip_id(54_321)),
            Self::Masscan => {
                let id = masscan_id(to, port, sequence);
                syn(frame.hops(255 - way).ip_id(id)).window(1025).tcp_options(&MSS)
            }
            Self::OldMasscan => {
                let id = masscan_id(to, port, sequence);
                syn(frame.hops(255 - way).ip_id(id)).window(1024)
            }
            Self::Nmap => {
                let hops = 37 + random.random::<u8>() % 23;
                syn(frame.hops(hops)).window(1024 * u16::from(hops % 4 + 1)).tcp_options(&MSS)
            }
            Self::Linux => {
                let mut options = vec![2, 4, 5, 0xb4, 4, 2, 8, 10];
                options.extend(random.random::<u32>().to_be_bytes());
                options.extend([0, 0, 0, 0, 1, 3, 3, 7]);
                syn(frame.hops(64 - way).dont_fragment()).window(64_240).tcp_options(&options)
            }
            Self::Windows => {
                let options = [2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];
                syn(frame.hops(128 - way).dont_fragment()).window(8192).tcp_options(&options)
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "masscan keeps the low 16 bits")]
fn masscan_id(to: Ipv4Addr, port: u16, sequence: u32) -> u16 {
    to.to_bits() as u16 ^ port ^ sequence as u16
}
