//! How many packets of a sensor were observed, and how many were not: which share a number rests on.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// How long it is known what was counted by when: longer than an event goes on after its last packet.
const KNOWN: SignedDuration = SignedDuration::from_mins(20);
/// Moments of which that is known are so far apart, at least.
const APART: SignedDuration = SignedDuration::from_secs(10);

/// Packets of a sensor, since something began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Those that were observed.
    pub observed: u64,
    /// Those that were counted and not observed.
    pub missed: u64,
}

impl Account {
    /// Which share of what was counted was observed: 1 if nothing was.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(super) fn share(self) -> f64 {
        let Self { observed, missed } = self;
        if missed == 0 { 1.0 } else { observed as f64 / (observed + missed) as f64 }
    }

    /// What came since then.
    pub(super) const fn since(self, then: Self) -> Self {
        Self {
            observed: self.observed.saturating_sub(then.observed),
            missed: self.missed.saturating_sub(then.missed),
        }
    }
}

/// What a sensor had by when. What was not handed over is known of moments alone at which its counters were looked at: so a
/// time of which a share is told reaches from the last such moment before it to the first behind it.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    now: Account,
    looks: VecDeque<(Timestamp, Account)>,
}

impl Accounts {
    /// Notes a packet that was observed, and how many were lost before it.
    pub(super) const fn observe(&mut self, lost: u64) {
        self.now.observed += 1;
        self.now.missed += lost;
    }

    /// Notes what the counters say was missed until some moment.
    pub(super) fn look(&mut self, time: Timestamp, missed: u64) {
        self.now.missed += missed;
        match self.looks.back() {
            // A clock that was set back: what was before it is of no time any more.
            Some((last, _)) if time < *last => self.looks.clear(),
            Some((last, _)) if time.duration_since(*last) < APART => return,
            _ => {}
        }
        self.looks.push_back((time, self.now));
        while self.looks.front().is_some_and(|(first, _)| time.duration_since(*first) > KNOWN) {
            self.looks.pop_front();
        }
    }

    /// What there was at the last such moment.
    pub(super) fn begun(&self) -> Account {
        self.looks.back().map_or(self.now, |(_, account)| *account)
    }

    /// Which share was observed from a begin, as [`Self::begun`] gave it, until a time that is not long ago.
    pub(super) fn share(&self, begun: Account, until: Timestamp) -> f64 {
        let behind = self.looks.iter().find(|(time, _)| *time >= until);
        behind.map_or(self.now, |(_, account)| *account).since(begun).share()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn a_share_is_of_its_own_time() {
        let mut accounts = Accounts::default();
        accounts.look(at(0), 0);
        let begun = accounts.begun();
        (0..30).for_each(|_| accounts.observe(0));
        accounts.look(at(60), 10);
        // A flood later on, of which most is missed.
        accounts.observe(3);
        accounts.look(at(120), 100_000);
        assert!((accounts.share(begun, at(55)) - 0.75).abs() < 1e-9);
        assert!(accounts.share(begun, at(100)) < 0.001);
        let later = accounts.begun();
        accounts.observe(1);
        assert!(
            (accounts.share(later, at(130)) - 0.5).abs() < 1e-9,
            "of what is not looked at yet, what there is by now"
        );
    }

    #[test]
    fn what_is_known_is_bounded_and_a_clock_may_be_set_back() {
        let mut accounts = Accounts::default();
        (0..100_000).for_each(|second| accounts.look(at(second), 1));
        assert!(accounts.looks.len() <= 121, "{}", accounts.looks.len());
        accounts.look(at(5), 1);
        assert_eq!(accounts.looks.len(), 1);
    }
}
