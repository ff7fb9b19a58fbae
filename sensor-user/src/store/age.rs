//! Whether the clock is to be trusted when it says that something is old.
//!
//! A clock that jumps years ahead for a moment, as one without a battery does until it is set, must not have everything
//! removed. So after a jump, and after a start long after the clock was last trusted, nothing is removed for its age until
//! the clock has run evenly for an hour.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// For so long the clock has to run evenly.
const EVENLY: Duration = Duration::from_hours(1);
/// A clock that goes ahead by more between two looks has jumped.
const JUMP: SignedDuration = SignedDuration::from_mins(5);
/// A start within so long after the clock was last trusted is an ordinary one.
const ORDINARY: SignedDuration = SignedDuration::from_hours(24);

/// Since when the clock runs evenly.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The last look, and since when it runs evenly; `None` in place of the latter if it always has.
    last: Option<(Instant, Timestamp)>,
    since: Option<Instant>,
}

impl Clock {
    /// Looks at the clock, and says whether it is to be trusted. `trusted`: what it said when it last was.
    pub(super) fn is_trusted(
        &mut self,
        monotonic: Instant,
        now: Timestamp,
        trusted: Option<Timestamp>,
    ) -> bool {
        let is_even = match self.last.replace((monotonic, now)) {
            Some((then, wall)) => {
                let passed = SignedDuration::try_from(monotonic.saturating_duration_since(then));
                now.duration_since(wall) - passed.unwrap_or(SignedDuration::MAX) <= JUMP
            }
            None => trusted.is_none_or(|trusted| now.duration_since(trusted) <= ORDINARY),
        };
        if !is_even {
            self.since = Some(monotonic);
        }
        self.since.is_none_or(|since| monotonic.saturating_duration_since(since) >= EVENLY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * minute).unwrap()
    }

    #[test]
    fn a_clock_that_jumps_is_not_trusted_for_an_hour() {
        let mut clock = Clock::default();
        let start = Instant::now();
        assert!(clock.is_trusted(start, at(0), Some(at(-3))));
        assert!(clock.is_trusted(start + MINUTE, at(1), None));
        let day = 24 * 60;
        assert!(!clock.is_trusted(start + 2 * MINUTE, at(2 + day), None));
        assert!(!clock.is_trusted(start + 30 * MINUTE, at(30 + day), None));
        // Set right again: that it goes back makes nothing old.
        assert!(!clock.is_trusted(start + 31 * MINUTE, at(31), None));
        assert!(clock.is_trusted(start + 62 * MINUTE, at(62), None));
    }

    #[test]
    fn a_start_long_after_it_was_last_trusted_waits_an_hour() {
        let mut clock = Clock::default();
        let start = Instant::now();
        assert!(!clock.is_trusted(start, at(0), Some(at(-3 * 24 * 60))));
        assert!(!clock.is_trusted(start + 59 * MINUTE, at(59), None));
        assert!(clock.is_trusted(start + 60 * MINUTE, at(60), None));
    }
}
