//! What the kernel remembers of what the host sends: the maps behind `sensor_common::flow`.
//!
//! Several CPUs read and write an entry at once. Each field is written whole, and whichever write comes
//! last is a true account of some packet, so no lock is needed.

use aya_ebpf::helpers::{bpf_jiffies64, bpf_ktime_get_ns};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, LruHashMap};
use sensor_common::flow::{
    Flow, FlowKey, Fragment, FragmentKey, MAX_FLOWS, MAX_FRAGMENTS, Memory, Stamp, USES_LENGTH, Use, Uses,
};
use sensor_common::parse::protocol;

use crate::verifier::below;

/// `BPF_F_MMAPABLE` (Linux 5.5): the agent can set one stamp without writing all of them.
const MMAPABLE: u32 = 1 << 10;

#[map]
static FLOWS_TCP: LruHashMap<FlowKey, Flow> = LruHashMap::with_max_entries(MAX_FLOWS, 0);

#[map]
static FLOWS: LruHashMap<FlowKey, Flow> = LruHashMap::with_max_entries(MAX_FLOWS, 0);

#[map]
static USES: Array<Uses> = Array::with_max_entries(1, MMAPABLE);

#[map]
static FRAGMENTS: LruHashMap<FragmentKey, Fragment> = LruHashMap::with_max_entries(MAX_FRAGMENTS, 0);

/// The kernel's clocks and maps.
pub struct Maps;

impl Memory for Maps {
    #[inline(always)]
    fn now(&self) -> u64 {
        // SAFETY: the helper only reads a clock.
        unsafe { bpf_ktime_get_ns() }
    }

    #[inline(always)]
    fn jiffies(&self) -> u64 {
        // SAFETY: the helper only reads a counter.
        unsafe { bpf_jiffies64() }
    }

    #[inline(always)]
    fn stamp(&self, place: Use) -> Stamp {
        let Some(stamp) = stamp(place) else { return Stamp::NEVER };
        // SAFETY: it points into the map's element, which lives as long as the program runs.
        unsafe { stamp.read_volatile() }
    }

    #[inline(always)]
    fn set_stamp(&self, place: Use, value: Stamp) {
        let Some(stamp) = stamp(place) else { return };
        // SAFETY: it points into the map's element, which lives as long as the program runs.
        unsafe { stamp.write_volatile(value) }
    }

    #[inline(always)]
    fn flow(&self, key: &FlowKey) -> Option<Flow> {
        let flow = table(key).get_ptr(key)?;
        // SAFETY: the kernel keeps an element's memory while the program runs, whoever else gets it.
        Some(unsafe { flow.read_volatile() })
    }

    #[inline(always)]
    fn update_flow(&self, key: &FlowKey, next: impl FnOnce(Flow) -> Option<Flow>) -> bool {
        let Some(flow) = table(key).get_ptr_mut(key) else { return false };
        // SAFETY: the kernel keeps an element's memory while the program runs, whoever else gets it.
        let Some(next) = next(unsafe { flow.read_volatile() }) else { return false };
        // SAFETY: likewise.
        unsafe { flow.write_volatile(next) };
        true
    }

    #[inline(always)]
    fn insert_flow(&self, key: &FlowKey, flow: Flow) {
        // It fails only while other CPUs take the last free elements; the next packet tries again.
        let _ = table(key).insert(key, flow, 0);
    }

    #[inline(always)]
    fn fragment(&self, key: &FragmentKey) -> Option<Fragment> {
        let fragment = FRAGMENTS.get_ptr(key)?;
        // SAFETY: the kernel keeps an element's memory while the program runs, whoever else gets it.
        Some(unsafe { fragment.read_volatile() })
    }

    #[inline(always)]
    fn insert_fragment(&self, key: &FragmentKey, fragment: Fragment) {
        // It fails only while other CPUs take the last free elements.
        let _ = FRAGMENTS.insert(key, fragment, 0);
    }
}

#[inline(always)]
fn table(key: &FlowKey) -> &'static LruHashMap<FlowKey, Flow> {
    if key.protocol == protocol::TCP { &FLOWS_TCP } else { &FLOWS }
}

#[inline(always)]
fn stamp(place: Use) -> Option<*mut Stamp> {
    let uses = USES.get_ptr_mut(0)?;
    let index = below::<USES_LENGTH>(place.index() as usize)?;
    // SAFETY: the element is `USES_LENGTH` bytes long.
    Some(unsafe { uses.cast::<Stamp>().add(index) })
}
