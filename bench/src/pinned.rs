//! A thread that stays on one CPU.

use std::panic::resume_unwind;
use std::thread;

use anyhow::{Context as _, Result};
use sensor_harness::sender::{cpus, pin_to_cpu};

/// Measures on one CPU, whose caches have what they have on a busy sensor; in a thread of its own, so that nothing else
/// stays there.
///
/// # Errors
/// The kernel does not tell the CPUs, or what `measure` gives.
pub fn pinned<T: Send>(measure: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let measuring = || {
        pin_to_cpu(*cpus()?.last().context("there is no CPU")?)?;
        measure()
    };
    thread::scope(|scope| scope.spawn(measuring).join()).unwrap_or_else(|panic| resume_unwind(panic))
}
