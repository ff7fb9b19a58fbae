//! Hands what the programs log to the agent's log, at a rate that no flood can fill a disk with.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::{Log, Metadata, Record};

/// Lines that are let through in a [`PERIOD`].
const LINES: u32 = 20;
/// The time over which lines are counted.
const PERIOD: Duration = Duration::from_secs(1);

/// The agent's log, for what packets cause to be logged.
#[derive(Debug)]
pub struct RateLimited {
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    start: Instant,
    lines: u32,
}

impl RateLimited {
    pub(super) fn new() -> Self {
        Self { window: Mutex::new(Window { start: Instant::now(), lines: 0 }) }
    }
}

impl Window {
    /// Counts a line at `now`: whether it is let through, and how many were not in a window that ended.
    fn count(&mut self, now: Instant) -> (bool, u32) {
        let mut suppressed = 0;
        if now.duration_since(self.start) >= PERIOD {
            suppressed = self.lines.saturating_sub(LINES);
            *self = Self { start: now, lines: 0 };
        }
        self.lines = self.lines.saturating_add(1);
        (self.lines <= LINES, suppressed)
    }
}

impl Log for RateLimited {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        log::logger().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let (let_through, suppressed) =
            self.window.lock().unwrap_or_else(PoisonError::into_inner).count(Instant::now());
        if suppressed > 0 {
            tracing::warn!("{suppressed} more lines of the programs' log were suppressed");
        }
        if let_through {
            log::logger().log(record);
        }
    }

    fn flush(&self) {
        log::logger().flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let start = Instant::now();
        let mut window = Window { start, lines: 0 };
        let counted: Vec<_> = (0..100).map(|_| window.count(start)).collect();
        assert_eq!(counted.iter().filter(|(let_through, _)| *let_through).count(), LINES as usize);
        assert_eq!(window.count(start + PERIOD), (true, 100 - LINES));
        assert_eq!(window.count(start + 2 * PERIOD), (true, 0));
    }
}
