//! Whether the time went by as it was watched: a clock that is set, or a pause, leaves windows that are not full.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How far the clock may differ from what went by, from one look to the next, in seconds: clocks are slewed.
const LEAP: f64 = 5.0;
/// How long nobody may have looked: it is done each second.
const PAUSE: Duration = Duration::from_mins(1);

/// Time that was not watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// What the clock said before.
    pub before: Timestamp,
    /// What it says now: later, or earlier.
    pub now: Timestamp,
}

/// What the clock said, and when that was.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last: Option<(Timestamp, Instant)>,
}

impl Clock {
    /// Looks, and tells what was not watched since the last look.
    pub(super) fn look(&mut self, now: Timestamp, monotonic: Instant) -> Option<Doubt> {
        let (before, then) = self.last.replace((now, monotonic))?;
        let passed = monotonic.saturating_duration_since(then);
        let leap = (now.duration_since(before).as_secs_f64() - passed.as_secs_f64()).abs();
        (leap > LEAP || passed > PAUSE).then_some(Doubt { before, now })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::as_usual(1, 1, false)]
    #[case::slewed(2, 1, false)]
    #[case::busy(40, 40, false)]
    #[case::leapt(3_000, 1, true)]
    #[case::set_back(-30, 1, true)]
    #[case::paused(90, 90, true)]
    #[case::slept(90, 1, true)]
    fn what_was_not_watched_is_told(#[case] clock: i64, #[case] passed: u64, #[case] is_told: bool) {
        let (mut watched, start) = (Clock::default(), Instant::now());
        let at = |second| Timestamp::from_second(1_700_000_000 + second).unwrap();
        assert_eq!(watched.look(at(0), start), None);
        let doubt = watched.look(at(clock), start + Duration::from_secs(passed));
        assert_eq!(doubt, is_told.then_some(Doubt { before: at(0), now: at(clock) }));
    }
}
