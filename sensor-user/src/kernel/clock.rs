//! The clocks that the programs in the kernel go by.

/// Nanoseconds of the clock that `bpf_ktime_get_ns` reads.
pub(super) fn monotonic() -> u64 {
    now(libc::CLOCK_MONOTONIC)
}

/// What to add to that for the nanoseconds since 1970 (POSIX).
#[must_use]
pub fn since_1970() -> u64 {
    now(libc::CLOCK_REALTIME).wrapping_sub(monotonic())
}

fn now(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to a struct that outlives it.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut now) } != 0;
    assert!(!failed, "every kernel has these clocks");
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}
