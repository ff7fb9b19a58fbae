//! What this host monitors and whom it lets in: load-time constants first, hashes and tries only where they
//! leave no other way.

use aya_ebpf::macros::map;
use aya_ebpf::maps::lpm_trie::Key;
use aya_ebpf::maps::{HashMap, LpmTrie};
use sensor_common::classify::Policy;
use sensor_common::layout::Slot;
use sensor_common::parse::{Address, Read, Sensors, source, source_network};
use sensor_common::policy::{
    GATE_BYTES, Gate, MAX_CONSTITUENTS, MAX_INLINE_PREFIXES, MAX_PREFIXES, MAX_SERVICES, Monitored,
    NETWORKS_BYTES, Networks, RangeAt, RangeV4, Rules, find_range, lookup,
};

use crate::verifier::below;

#[map]
static PREFIXES_V4: LpmTrie<[u8; 4], u32> = LpmTrie::with_max_entries(MAX_PREFIXES, 0);

#[map]
static PREFIXES_V6: LpmTrie<[u8; 16], u32> = LpmTrie::with_max_entries(MAX_PREFIXES, 0);

#[unsafe(no_mangle)]
static MONITORED: Monitored = Monitored::EVERYTHING;

#[map]
static SERVICES: HashMap<u32, Rules> = HashMap::with_max_entries(MAX_SERVICES, 0);

#[map]
static SOURCES_V4: LpmTrie<[u8; 4], Rules> = LpmTrie::with_max_entries(MAX_PREFIXES, 0);

#[map]
static SOURCES_V6: LpmTrie<[u8; 16], Rules> = LpmTrie::with_max_entries(MAX_PREFIXES, 0);

#[unsafe(no_mangle)]
static GATE: Gate = Gate::CLOSED;

#[unsafe(no_mangle)]
static OPEN_V4: Gate = Gate::CLOSED;

#[unsafe(no_mangle)]
static OPEN_V6: Gate = Gate::CLOSED;

#[unsafe(no_mangle)]
static NETWORKS_V4: Networks = Networks::NONE;

#[unsafe(no_mangle)]
static NETWORKS_V6: Networks = Networks::NONE;

#[map]
static CONSTITUENTS_V4: LpmTrie<[u8; 4], u32> = LpmTrie::with_max_entries(MAX_CONSTITUENTS, 0);

#[map]
static CONSTITUENTS_V6: LpmTrie<[u8; 16], u32> = LpmTrie::with_max_entries(MAX_CONSTITUENTS, 0);

#[unsafe(no_mangle)]
static CONSTITUENCIES: u32 = 0;

#[unsafe(no_mangle)]
static CONSTITUENT_NETWORKS_V4: Networks = Networks::NONE;

#[unsafe(no_mangle)]
static CONSTITUENT_NETWORKS_V6: Networks = Networks::NONE;

#[unsafe(no_mangle)]
static OBSERVE: u32 = 0;

#[unsafe(no_mangle)]
static TOOLS: u32 = 1;

#[unsafe(no_mangle)]
static SINCE_1970: u64 = 0;

/// Reads a field of a load-time constant, which the agent has set behind the compiler's back.
macro_rules! load_time {
    ($($constant:tt)+) => {
        // SAFETY: a reference to an initialised static is valid for reads; nothing writes it after the load.
        unsafe { core::ptr::read_volatile(&raw const $($constant)+) }
    };
}
pub(crate) use load_time;

/// Whether a service passes one of the gates.
macro_rules! passes {
    ($gate:ident, $service:expr) => {{
        let (byte, bit) = Gate::place($service);
        load_time!($gate.any) != 0
            && below::<GATE_BYTES>(byte).is_some_and(|byte| load_time!($gate.bits[byte]) & bit != 0)
    }};
}

/// Whether every source of that IP version may reach the service.
#[inline(always)]
fn is_open(source: Address, service: Slot) -> bool {
    if source.is_ipv6() { passes!(OPEN_V6, service) } else { passes!(OPEN_V4, service) }
}

/// Whether a network is one of these.
macro_rules! may_be {
    ($network:expr, $is_v6:expr, $v4:ident, $v6:ident) => {{
        let (byte, bit) = Networks::place($network);
        below::<NETWORKS_BYTES>(byte).is_some_and(|byte| {
            let byte = if $is_v6 { load_time!($v6.0[byte]) } else { load_time!($v4.0[byte]) };
            byte & bit != 0
        })
    }};
}

/// Whether the network of a source is one of these.
macro_rules! is_of {
    ($source:expr, $v4:ident, $v6:ident) => {{
        let source: Address = $source;
        let network = if source.is_ipv6() {
            Networks::of_v6(source.octets())
        } else {
            Networks::of_v4(source.octets_v4())
        };
        may_be!(network, source.is_ipv6(), $v4, $v6)
    }};
}

/// Whether a rule that is not for everybody may hold for the source.
#[inline(always)]
fn is_known(source: Address) -> bool {
    is_of!(source, NETWORKS_V4, NETWORKS_V6)
}

/// Whether there are constituencies.
#[inline(always)]
pub fn has_constituencies() -> bool {
    load_time!(CONSTITUENCIES) != 0
}

/// The number of the constituency that a frame comes from.
#[inline(always)]
pub fn constituency<R: Read>(frame: &R) -> Option<u32> {
    if !has_constituencies() {
        return None;
    }
    let (network, is_v6) = source_network(frame)?;
    if !may_be!(network, is_v6, CONSTITUENT_NETWORKS_V4, CONSTITUENT_NETWORKS_V6) {
        return None;
    }
    let source = source(frame)?;
    let found = if source.is_ipv6() {
        CONSTITUENTS_V6.get(Key::new(128, source.octets()))
    } else {
        CONSTITUENTS_V4.get(Key::new(32, source.octets_v4()))
    };
    found.copied()
}

/// Whether counted packets are let through.
#[inline(always)]
pub fn observing() -> bool {
    load_time!(OBSERVE) != 0
}

/// The policy that the agent set when it loaded the program.
pub struct LoadTime;

impl Sensors for LoadTime {
    #[inline(always)]
    fn sensor(&self, destination: Address) -> Option<u32> {
        if destination.is_ipv6() { sensor_v6(destination) } else { sensor_v4(destination) }
    }
}

impl Policy for LoadTime {
    #[inline(always)]
    fn first(&self) -> u32 {
        load_time!(MONITORED.first)
    }

    #[inline(always)]
    fn is_named(&self, service: Slot) -> bool {
        passes!(GATE, service)
    }

    #[inline(always)]
    fn may_allow(&self, source: Address, service: Slot) -> bool {
        self.is_named(service) && (is_open(source, service) || is_known(source))
    }

    #[inline(always)]
    fn is_allowed(&self, source: Address, service: Slot) -> bool {
        if is_open(source, service) {
            return true;
        }
        if !is_known(source) {
            return false;
        }
        // SAFETY: the agent fills the map before it attaches the program, and nothing changes it afterwards.
        let Some(naming) = (unsafe { SERVICES.get(service.index()) }) else { return false };
        let holding = if source.is_ipv6() {
            SOURCES_V6.get(Key::new(128, source.octets()))
        } else {
            SOURCES_V4.get(Key::new(32, source.octets_v4()))
        };
        holding.is_some_and(|holding| holding & naming != 0)
    }

    #[inline(always)]
    fn tells_tools(&self) -> bool {
        load_time!(TOOLS) != 0
    }

    #[inline(always)]
    fn since_1970(&self) -> u64 {
        load_time!(SINCE_1970)
    }
}

/// A place among the ranges of [`MONITORED`].
#[derive(Clone, Copy)]
struct At(*const RangeV4);

/// Reads a field of the range at a place.
macro_rules! at {
    ($place:expr, $field:ident) => {
        // SAFETY: `find_range` asks at `MAX_RANGES` places from the first on, which are within an initialised
        // static; nothing writes it after the load.
        unsafe { (&raw const (*$place.0).$field).read_volatile() }
    };
}

impl RangeAt for At {
    #[inline(always)]
    fn ahead(self, ranges: usize) -> Self {
        Self(self.0.wrapping_add(ranges))
    }

    #[inline(always)]
    fn first(self) -> u64 {
        at!(self, first)
    }

    #[inline(always)]
    fn range(self) -> RangeV4 {
        RangeV4 { first: at!(self, first), last: at!(self, last), sensor: at!(self, sensor) }
    }
}

#[inline(always)]
fn sensor_v4(destination: Address) -> Option<u32> {
    let known = match load_time!(MONITORED.lookup_v4) {
        lookup::EVERYTHING => return Some(load_time!(MONITORED.first)),
        lookup::TRIE => return PREFIXES_V4.get(Key::new(32, destination.octets_v4())).copied(),
        lookup::RANGES => {
            return find_range(
                u32::from_be_bytes(destination.octets_v4()),
                load_time!(MONITORED.ranges) as usize,
                At((&raw const MONITORED.ranges_v4).cast()),
            );
        }
        known => known as usize,
    };
    let destination = u32::from_ne_bytes(destination.octets_v4());
    let holds = |index: usize| {
        (destination ^ load_time!(MONITORED.v4[index].address)) & load_time!(MONITORED.v4[index].mask) == 0
    };
    // Most hosts have one address. It is not worth a loop.
    if known == 0 {
        return None;
    }
    if holds(0) {
        return Some(load_time!(MONITORED.v4[0].sensor));
    }
    for index in 1..MAX_INLINE_PREFIXES {
        if index >= known {
            break;
        }
        if holds(index) {
            return Some(load_time!(MONITORED.v4[index].sensor));
        }
    }
    None
}

#[inline(always)]
fn sensor_v6(destination: Address) -> Option<u32> {
    let known = match load_time!(MONITORED.lookup_v6) {
        lookup::EVERYTHING => return Some(load_time!(MONITORED.first)),
        lookup::TRIE => return PREFIXES_V6.get(Key::new(128, destination.octets())).copied(),
        known => known as usize,
    };
    let destination = destination.halves;
    let holds = |index: usize| {
        let high = (destination[0] ^ load_time!(MONITORED.v6[index].address[0]))
            & load_time!(MONITORED.v6[index].mask[0]);
        let low = (destination[1] ^ load_time!(MONITORED.v6[index].address[1]))
            & load_time!(MONITORED.v6[index].mask[1]);
        high | low == 0
    };
    if known == 0 {
        return None;
    }
    if holds(0) {
        return Some(load_time!(MONITORED.v6[0].sensor) as u32);
    }
    for index in 1..MAX_INLINE_PREFIXES {
        if index >= known {
            break;
        }
        if holds(index) {
            return Some(load_time!(MONITORED.v6[index].sensor) as u32);
        }
    }
    None
}
