//! When something was seen.

use jiff::Timestamp;

/// When something was seen first and last, in little room: to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    first: i64,
    last: i64,
}

impl Seen {
    pub(super) fn at(time: Timestamp) -> Self {
        Self { first: time.as_microsecond(), last: time.as_microsecond() }
    }

    pub(super) fn add(&mut self, time: Timestamp) {
        self.merge(Self::at(time));
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    pub(super) fn first(self) -> Timestamp {
        moment(self.first)
    }

    pub(super) fn last(self) -> Timestamp {
        moment(self.last)
    }
}

fn moment(microsecond: i64) -> Timestamp {
    // It was made of one.
    Timestamp::from_microsecond(microsecond).unwrap_or(Timestamp::MAX)
}
