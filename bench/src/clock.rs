//! What a thread or process has used of a CPU: other programs' time, and waiting, is not in it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// A clock of CPU time.
#[derive(Clone, Copy, Debug)]
pub struct CpuClock(ClockId);

impl CpuClock {
    /// The calling thread's.
    pub const fn of_this_thread() -> Self {
        Self(ClockId::CLOCK_THREAD_CPUTIME_ID)
    }

    /// A process's: all its threads, or a thread of the kernel.
    ///
    /// # Errors
    /// There is no such process.
    pub fn of_process(process: u32) -> Result<Self> {
        let clock = clock_getcpuclockid(Pid::from_raw(process.cast_signed()));
        clock.map(Self).with_context(|| format!("the process {process} is gone"))
    }

    /// CPU time used so far.
    ///
    /// # Errors
    /// The process has ended.
    pub fn now(self) -> Result<Duration> {
        Ok(clock_gettime(self.0).context("the kernel does not tell the CPU time")?.into())
    }

    /// What `work` makes this clock go on by.
    ///
    /// # Errors
    /// The work's, or the process has ended.
    pub fn time<T>(self, work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
        let start = self.now()?;
        let result = work()?;
        Ok((self.now()?.saturating_sub(start), result))
    }
}
