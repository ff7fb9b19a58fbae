//! Hands counted packets over as evidence, while there is budget for it.
//!
//! In a flood this is what most packets come by: without budget it is one lookup, a comparison and an addition.

use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_jiffies64, bpf_ktime_get_ns};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{PerCpuArray, RingBuf};
use aya_ebpf::programs::XdpContext;
use sensor_common::evidence::{Bucket, Budget, MIN_SNAP_LENGTH, RING_BYTES, Record, record_bytes};
use sensor_common::layout::side::{Side, Skipped};
use sensor_common::layout::{MAX_SENSORS, Slot};

use crate::count::SideCounters;
use crate::frame::Capture;
use crate::policy::{has_constituencies, load_time, observing};

#[unsafe(no_mangle)]
static RECORD_COST: u64 = 0;

#[unsafe(no_mangle)]
static SNAP_LENGTH: u32 = MIN_SNAP_LENGTH;

// Made by the agent, where evidence is kept.
#[map]
static EVIDENCE: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);

#[map]
static NUMBERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(MAX_SENSORS, 0);

#[map]
static BUCKETS: PerCpuArray<Bucket> = PerCpuArray::with_max_entries(Budget::ALL.len() as u32, 0);

/// `BPF_RB_NO_WAKEUP` and `BPF_RB_FORCE_WAKEUP`: waking the reader up costs several times what a record costs.
const NO_WAKEUP: u64 = 1;
const FORCE_WAKEUP: u64 = 2;
/// The reader is woken up by one record of so many of a sensor on a CPU, and looks by itself now and then.
const WAKE_UP_EACH: u64 = 128;

/// A packet as it was counted.
#[derive(Clone, Copy)]
pub struct Counted {
    pub sensor: u32,
    pub slot: Slot,
    pub side: Side,
    pub budget: Budget,
}

/// Whether evidence is kept.
#[inline(always)]
pub fn is_kept() -> bool {
    load_time!(RECORD_COST) != 0
}

/// Hands a counted packet over, or counts why not.
#[inline(always)]
pub fn hand_over<F: Capture>(ctx: &XdpContext, frame: &F, packet: Counted, counters: &SideCounters) {
    let mut budget = packet.budget as u32;
    if has_constituencies() {
        // The verifier would walk on with either.
        budget = frame.blurred(budget as usize) as u32;
    }
    if !pays(budget) {
        counters.add(Side::skipped(Skipped::Budget));
        return;
    }
    let Some(numbers) = NUMBERS.get_ptr_mut(packet.sensor) else { return };
    let snap_length = load_time!(SNAP_LENGTH);
    let Some(mut bytes) = EVIDENCE.reserve_bytes(record_bytes(snap_length), 0) else {
        counters.add(Side::skipped(Skipped::Buffer));
        return;
    };
    // SAFETY: it points to this CPU's copy of the element, which lives as long as the program runs.
    let number = unsafe { numbers.read_volatile() } + 1;
    // SAFETY: likewise.
    unsafe { numbers.write_volatile(number) };
    #[expect(
        clippy::cast_ptr_alignment,
        reason = "the ring buffer gives addresses that are multiples of eight"
    )]
    let place = bytes.as_mut_ptr().cast::<Record>();
    // SAFETY: there is room for the record, and behind it for as much, rounded up to eight.
    let captured = unsafe { frame.capture(place.wrapping_add(1).cast(), snap_length as usize) };
    // SAFETY: the helper only reads a clock.
    let time = unsafe { bpf_ktime_get_ns() };
    // SAFETY: the kernel hands over a valid context.
    let interface = unsafe { (*ctx.ctx).ingress_ifindex };
    let Counted { sensor, slot, side, .. } = packet;
    let skipped = |reason| counters.packets(Side::skipped(reason));
    let record = Record {
        number,
        skipped: skipped(Skipped::Budget) + skipped(Skipped::Buffer),
        time,
        sensor,
        slot: slot.index(),
        interface,
        length: frame.length() as u32,
        captured: captured as u32,
        side: side.offset() as u16,
        // SAFETY: the helper only reads the CPU's number.
        cpu: unsafe { bpf_get_smp_processor_id() } as u16,
        flags: if observing() { Record::OBSERVED } else { 0 }
            | if budget == Budget::Constituencies as u32 { Record::CONSTITUENCY } else { 0 },
    };
    // SAFETY: there is room for it.
    unsafe { place.write(record) };
    bytes.submit(if number % WAKE_UP_EACH == 0 { FORCE_WAKEUP } else { NO_WAKEUP });
    counters.add(Side::HANDED_OVER);
}

/// Pays for a record, if there is budget left.
#[inline(always)]
fn pays(budget: u32) -> bool {
    let cost = load_time!(RECORD_COST);
    let Some(bucket) = BUCKETS.get_ptr_mut(budget) else { return false };
    // SAFETY: the helper only reads a counter.
    let jiffies = unsafe { bpf_jiffies64() };
    // SAFETY: it points to this CPU's copy of the element, which lives as long as the program runs.
    let mut now = unsafe { bucket.read_volatile() };
    if now.jiffies != jiffies {
        // SAFETY: the helper only reads a clock.
        now = now.filled(jiffies, unsafe { bpf_ktime_get_ns() }, cost);
    } else if now.credit < cost {
        return false;
    }
    let pays = now.credit >= cost;
    if pays {
        now.credit -= cost;
    }
    // SAFETY: as above.
    unsafe { bucket.write_volatile(now) };
    pays
}
