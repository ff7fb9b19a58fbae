//! What made a SYN, by the rules in [`super`].

use crate::layout::side::Tool;
use crate::parse::{Ipv4Fields, Options, Packet, Read, Segment};

/// Tells the time.
pub trait Clock {
    /// Seconds since 1970 (POSIX).
    fn unix_seconds(&self) -> u32;
}

/// How far a timestamp may be from the time: clocks go wrong, and the kernel's program knows the wall clock of when it was
/// loaded.
pub const WITHIN_SECONDS: u32 = 86_400;

/// What the network layer tells of a tool.
#[derive(Clone, Copy)]
pub(super) struct Network {
    is_ipv4: bool,
    /// Of IPv6: no destination and identification that a rule asks for, no DF, since no router fragments, and the hop limit.
    fields: Ipv4Fields,
}

impl Network {
    #[inline(always)]
    pub(super) const fn v4(fields: Ipv4Fields) -> Self {
        Self { is_ipv4: true, fields }
    }

    #[inline(always)]
    pub(super) fn of<R: Read + ?Sized>(frame: &R, packet: &Packet) -> Option<Self> {
        if !packet.is_ipv6() {
            return Some(Self::v4(packet.ipv4(frame)?));
        }
        let time_to_live = packet.hop_limit(frame)?;
        let fields = Ipv4Fields { destination: 0, identification: 0, dont_fragment: false, time_to_live };
        Some(Self { is_ipv4: false, fields })
    }
}

/// The tool that made a SYN, whose options are at this offset.
#[inline(always)]
pub(super) fn tool<R: Read + ?Sized, C: Clock>(
    frame: &R,
    network: Network,
    syn: Segment,
    options: usize,
    clock: &C,
) -> Tool {
    if network.is_ipv4 && syn.sequence == network.fields.destination {
        return Tool::Mirai;
    }
    // No tool here sets it, and every operating system does.
    if network.fields.dont_fragment {
        return Tool::Other;
    }
    if network.is_ipv4 {
        let mark = network.fields.destination ^ u32::from(syn.destination) ^ syn.sequence;
        // By its window and options too: Nmap's identifications are random.
        let is_masscan = matches!((syn.window, syn.options), (1024, 0) | (1025, 4));
        if is_masscan && u32::from(network.fields.identification) == mark & 0xffff {
            return Tool::Masscan;
        }
        if syn.window == 65_535 && network.fields.identification == 54_321 {
            return Tool::Zmap;
        }
    }
    by_options(frame, network, syn, options, clock)
}

#[inline(always)]
fn by_options<R: Read + ?Sized, C: Clock>(
    frame: &R,
    network: Network,
    syn: Segment,
    at: usize,
    clock: &C,
) -> Tool {
    // Fewer than these no rule asks for, and no other numbers.
    match syn.options {
        4 => match frame.read::<Options<2>>(at) {
            Some(options) if is_mss(&options) => by_window(network, syn.window),
            _ => Tool::Other,
        },
        12 => match frame.read::<Options<6>>(at) {
            Some(options)
                if syn.window == 65_535 && is_zmap(&options) && is_near(network.fields.time_to_live) =>
            {
                Tool::ZmapLikely
            }
            _ => Tool::Other,
        },
        20 | 24 => match frame.read::<Options<10>>(at) {
            Some(options) if is_timed(&options, clock) => Tool::Zmap,
            _ => Tool::Other,
        },
        _ => Tool::Other,
    }
}

#[inline(always)]
const fn by_window(network: Network, window: u16) -> Tool {
    match window {
        1024 | 2048 | 3072 | 4096 => Tool::NmapLikely,
        4128 if network.is_ipv4 && network.fields.time_to_live > 128 => Tool::Unicornscan,
        _ => Tool::Other,
    }
}

/// MSS, of any size.
#[inline(always)]
const fn is_mss<const PAIRS: usize>(options: &Options<PAIRS>) -> bool {
    options.pair(0) == 0x0204
}

/// MSS, NOP, window scale 8, NOP, NOP, SACK permitted.
#[inline(always)]
const fn is_zmap(options: &Options<6>) -> bool {
    is_mss(options)
        && options.pair(4) == 0x0103
        && options.pair(6) == 0x0308
        && options.pair(8) == 0x0101
        && options.pair(10) == 0x0402
}

/// MSS, SACK permitted, timestamp, NOP, window scale, as Linux has them; or MSS, NOP, window scale, NOP, NOP, timestamp, as
/// the BSDs have them: with a timestamp that is the time, and its echo 0.
#[inline(always)]
fn is_timed<C: Clock>(options: &Options<10>, clock: &C) -> bool {
    if !is_mss(options) {
        return false;
    }
    let linux = options.pair(4) == 0x0402 && options.pair(6) == 0x080a;
    let bsd = options.pair(4) == 0x0103 && options.pair(8) == 0x0101 && options.pair(10) == 0x080a;
    let (value, echo) = if linux {
        (options.number(8), options.number(12))
    } else if bsd {
        (options.number(12), options.number(16))
    } else {
        return false;
    };
    // Only here is the clock asked: that costs more than all before.
    echo == 0 && value.wrapping_sub(clock.unix_seconds()).wrapping_add(WITHIN_SECONDS) <= 2 * WITHIN_SECONDS
}

/// What is left of 64 or 255 after at most 32 hops.
#[inline(always)]
const fn is_near(time_to_live: u8) -> bool {
    matches!(time_to_live, 32..=64 | 223..=255)
}
