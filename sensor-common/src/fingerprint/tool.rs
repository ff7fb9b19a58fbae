//! What made a SYN, by the rules in [`super`].

use crate::layout::side::Tool;
use crate::parse::{IpHeader, Ipv4Fields, Options, Packet, Read, Segment, Short, ether_type};

/// Tells the time.
pub trait Clock {
    /// Seconds since 1970 (POSIX).
    fn unix_seconds(&self) -> u32;
}

/// How far a timestamp may be from the time: clocks go wrong, and the kernel's program knows the wall clock of when it was
/// loaded.
pub const WITHIN_SECONDS: u32 = 86_400;

/// A SYN, of which is read what a rule asks for.
pub(super) trait Syn {
    /// Whether it came over IPv4.
    fn is_ipv4(&self) -> bool;
    /// The destination address as a number.
    fn destination(&self) -> u32;
    /// The datagram's identification.
    fn identification(&self) -> u16;
    /// DF: no router may fragment it.
    fn dont_fragment(&self) -> bool;
    /// The time to live, or the hop limit.
    fn time_to_live(&self) -> u8;
    /// The destination port.
    fn port(&self) -> u16;
    /// The sequence number.
    fn sequence(&self) -> u32;
    /// The window, as it is written.
    fn window(&self) -> u16;
    /// Length of the header in words of 32 bits, as it is written: five without options.
    fn data_offset(&self) -> u8;
    /// Offset in the frame of the options.
    fn options(&self) -> usize;
}

impl<N: IpHeader> Syn for Short<'_, N> {
    #[inline(always)]
    fn is_ipv4(&self) -> bool {
        N::ETHER_TYPE == ether_type::IPV4
    }

    #[inline(always)]
    fn destination(&self) -> u32 {
        self.ip().destination_number()
    }

    #[inline(always)]
    fn identification(&self) -> u16 {
        self.ip().identification()
    }

    #[inline(always)]
    fn dont_fragment(&self) -> bool {
        self.ip().dont_fragment()
    }

    #[inline(always)]
    fn time_to_live(&self) -> u8 {
        self.ip().time_to_live()
    }

    #[inline(always)]
    fn port(&self) -> u16 {
        Self::port(*self)
    }

    #[inline(always)]
    fn sequence(&self) -> u32 {
        Self::sequence(*self)
    }

    #[inline(always)]
    fn window(&self) -> u16 {
        Self::window(*self)
    }

    #[inline(always)]
    fn data_offset(&self) -> u8 {
        Self::data_offset(*self)
    }

    #[inline(always)]
    fn options(&self) -> usize {
        self.tcp_options()
    }
}

/// A SYN that the general parser has found.
pub(super) struct Parsed {
    is_ipv4: bool,
    network: Ipv4Fields,
    segment: Segment,
    options: usize,
}

impl Parsed {
    #[inline(always)]
    pub(super) fn new<R: Read + ?Sized>(frame: &R, packet: &Packet, segment: Segment) -> Option<Self> {
        let network = if packet.is_ipv6() {
            Ipv4Fields::of_v6(packet.hop_limit(frame)?)
        } else {
            packet.ipv4(frame)?
        };
        Some(Self { is_ipv4: !packet.is_ipv6(), network, segment, options: packet.tcp_options() })
    }
}

impl Syn for Parsed {
    #[inline(always)]
    fn is_ipv4(&self) -> bool {
        self.is_ipv4
    }

    #[inline(always)]
    fn destination(&self) -> u32 {
        self.network.destination
    }

    #[inline(always)]
    fn identification(&self) -> u16 {
        self.network.identification
    }

    #[inline(always)]
    fn dont_fragment(&self) -> bool {
        self.network.dont_fragment
    }

    #[inline(always)]
    fn time_to_live(&self) -> u8 {
        self.network.time_to_live
    }

    #[inline(always)]
    fn port(&self) -> u16 {
        self.segment.destination
    }

    #[inline(always)]
    fn sequence(&self) -> u32 {
        self.segment.sequence
    }

    #[inline(always)]
    fn window(&self) -> u16 {
        self.segment.window
    }

    #[inline(always)]
    fn data_offset(&self) -> u8 {
        self.segment.data_offset
    }

    #[inline(always)]
    fn options(&self) -> usize {
        self.options
    }
}

/// The tool that made a SYN.
#[inline(always)]
pub(super) fn tool<R: Read + ?Sized, C: Clock>(frame: &R, syn: &impl Syn, clock: &C) -> Tool {
    if syn.is_ipv4() && syn.sequence() == syn.destination() {
        return Tool::Mirai;
    }
    // No tool here sets it, and every operating system does.
    if syn.dont_fragment() {
        return Tool::Other;
    }
    let (window, data_offset) = (syn.window(), syn.data_offset());
    if syn.is_ipv4() {
        if window == 65_535 {
            if syn.identification() == 54_321 {
                return Tool::Zmap;
            }
        } else if matches!((window, data_offset), (1024, 5) | (1025, 6)) {
            // By its window and options too: Nmap's identifications are random.
            let mark = syn.destination() ^ u32::from(syn.port()) ^ syn.sequence();
            if u32::from(syn.identification()) == mark & 0xffff {
                return Tool::Masscan;
            }
        }
    }
    // No rule asks for other lengths.
    match data_offset {
        6 => match frame.read::<Options<2>>(syn.options()) {
            Some(options) if is_mss(&options) => by_window(syn, window),
            _ => Tool::Other,
        },
        8 => match frame.read::<Options<6>>(syn.options()) {
            Some(options) if window == 65_535 && is_zmap(&options) && is_near(syn.time_to_live()) => {
                Tool::ZmapLikely
            }
            _ => Tool::Other,
        },
        10 | 11 => match frame.read::<Options<10>>(syn.options()) {
            Some(options) if is_timed(&options, clock) => Tool::Zmap,
            _ => Tool::Other,
        },
        _ => Tool::Other,
    }
}

#[inline(always)]
fn by_window(syn: &impl Syn, window: u16) -> Tool {
    match window {
        1024 | 2048 | 3072 | 4096 => Tool::NmapLikely,
        4128 if syn.is_ipv4() && syn.time_to_live() > 128 => Tool::Unicornscan,
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
