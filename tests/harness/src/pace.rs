//! How long tests wait and how much they send, on this machine and on an emulated one.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

/// Far longer than anything takes, on an emulated processor of a busy machine too: it only keeps a test from hanging.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// How often a test looks whether what it waits for has come.
const GLANCE: Duration = Duration::from_millis(10);

/// How many times slower than on a processor of its own a test may be where processors are emulated.
const SLOWER: u32 = 3;

/// How many times less is sent there.
const LESS: usize = 20;

/// Whether the processors are emulated, and take turns: who starts the machine says so in `SENSOR_TESTS_EMULATED`.
#[must_use]
pub fn is_emulated() -> bool {
    std::env::var_os("SENSOR_TESTS_EMULATED").is_some()
}

/// A time within which something must have happened, or must not happen; longer where processors are emulated.
#[must_use]
pub fn time(usual: Duration) -> Duration {
    if is_emulated() { usual * SLOWER } else { usual }
}

/// How much a long test does: less where processors are emulated, and never nothing.
#[must_use]
pub fn amount(usual: usize) -> usize {
    if is_emulated() { usual.div_ceil(LESS) } else { usual }
}

/// Waits for the next day in UTC where this one is about to end: what is told of a day is then of one.
pub fn within_a_day() {
    const DAY: u64 = 86_400;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let left = Duration::from_secs(DAY - now % DAY);
    if left < time(Duration::from_mins(2)) {
        thread::sleep(left);
    }
}

/// Waits for something to come true.
///
/// # Errors
/// If it does not, with what there is instead; or if it cannot be told.
pub fn until(mut is_so: impl FnMut() -> Result<bool>, instead: impl FnOnce() -> String) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so()? {
        ensure!(Instant::now() < deadline, "still not so after {PATIENCE:?}: {}", instead());
        thread::sleep(GLANCE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_waited_for() -> Result<()> {
        let mut looks = 0;
        until(
            || {
                looks += 1;
                Ok(looks == 3)
            },
            String::new,
        )?;
        assert_eq!(looks, 3);
        Ok(())
    }
}
