//! Memory that is free goes back to the host.

/// Allocations from this size on, in bytes, have memory of their own, which is the host's again when they end.
const LARGE: i32 = 1 << 20;

/// Returns each large piece of memory when it is freed.
///
/// Left to itself, the allocator takes the first free of a large piece for a habit and keeps what is freed afterwards:
/// one answer of all slots would make the agent larger for good.
pub fn return_what_is_free() {
    // SAFETY: it only sets how later allocations are made, which any thread may do at any time.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
}
