//! When the counters are drained though nobody asks.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::pages::Pages;
use crate::config::Config;

/// Drains as often as configured, and where counts are stored at each full minute too: those of a minute are its own then.
pub(super) fn drain(pages: &Arc<Pages>, config: &Config) -> JoinHandle<()> {
    tokio::spawn(drain_on_interval(Arc::clone(pages), config.drain_interval, config.store.is_some()))
}

async fn drain_on_interval(pages: Arc<Pages>, interval: Duration, each_minute: bool) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = tokio::time::sleep(until_the_next_minute(Timestamp::now())), if each_minute => {}
        }
        let pages = Arc::clone(&pages);
        // What fails is logged there, and tried again.
        drop(tokio::task::spawn_blocking(move || pages.drain().map(drop)).await);
    }
}

/// How long it is until the next full minute: more than nothing, and a minute at most.
fn until_the_next_minute(now: Timestamp) -> Duration {
    const MINUTE: i64 = 60_000_000;
    let left = MINUTE - now.as_microsecond().rem_euclid(MINUTE);
    Duration::from_micros(left.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::full("2026-05-10T08:00:00Z", 60_000)]
    #[case::just_after("2026-05-10T08:00:00.001Z", 59_999)]
    #[case::just_before("2026-05-10T08:00:59.999Z", 1)]
    fn counts_are_drained_at_the_next_full_minute(#[case] now: Timestamp, #[case] milliseconds: u64) {
        assert_eq!(until_the_next_minute(now), Duration::from_millis(milliseconds));
    }
}
