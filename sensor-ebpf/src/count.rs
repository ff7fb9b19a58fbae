//! Adds a packet to its one slot.
//!
//! XDP runs with bottom halves disabled, so nothing else on this CPU touches its copy of a counter: plain
//! additions lose nothing.

use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use sensor_common::layout::{Page, Passed, Slot, first_page, pages};

/// Sized by the agent for its sensors.
#[map]
static COUNTERS: PerCpuArray<Page> = PerCpuArray::with_max_entries(pages(1), 0);

/// Counts a dropped packet of `length` bytes.
#[inline(always)]
pub fn slot(sensor: u32, slot: Slot, length: usize) {
    add(first_page(sensor) + slot.page(), slot.offset(), length);
}

/// Counts a packet that is let through.
#[inline(always)]
pub fn passed(reason: Passed, length: usize) {
    add(0, reason as u32, length);
}

#[inline(always)]
fn add(page: u32, offset: u32, length: usize) {
    // The agent sizes the map for the sensors it names in the policy, so the page is always there.
    let Some(page) = COUNTERS.get_ptr_mut(page) else { return };
    // SAFETY: the kernel hands out this CPU's copy of the page, which lives as long as the program runs.
    let page = unsafe { &mut *page };
    let Some(counter) = page.0.get_mut(offset as usize) else { return };
    counter.packets += 1;
    counter.bytes += length as u64;
}
