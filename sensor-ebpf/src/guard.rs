//! Stops the program by itself, unless somebody confirms in time that the host can still be reached.
//!
//! The deadline lies in a map, so it holds whatever becomes of the agent.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::macros::map;
use aya_ebpf::maps::Array;

use crate::policy::load_time;

#[unsafe(no_mangle)]
static GUARDED: u32 = 0;

#[map]
static GUARD: Array<u64> = Array::with_max_entries(1, 0);

/// Whether the deadline has passed and nobody has confirmed.
#[inline(always)]
pub fn is_unconfirmed() -> bool {
    if load_time!(GUARDED) == 0 {
        return false;
    }
    let Some(deadline) = GUARD.get_ptr(0) else { return false };
    // SAFETY: it points to the map's element, which lives as long as the program runs.
    let deadline = unsafe { deadline.read_volatile() };
    // SAFETY: the helper only reads a clock.
    deadline != 0 && unsafe { bpf_ktime_get_ns() } >= deadline
}
