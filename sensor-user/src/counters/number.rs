//! Which snapshot a document was made of.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A snapshot's number. No two snapshots of a host have the same, restarts included, and a later one has a larger: it is
/// when the counters were read, in microseconds since 1970, unless somebody has set the clock back. JSON's numbers hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotNumber(pub u64);

impl SnapshotNumber {
    /// Goes on to that of the next snapshot.
    pub fn next(&mut self, now: Timestamp) {
        let now = u64::try_from(now.as_microsecond()).unwrap_or_default();
        self.0 = now.max(self.0 + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_though_a_clock_is_set_back() {
        let mut number = SnapshotNumber::default();
        let mut before = number;
        for second in [100, 100, 99, 0, 101] {
            number.next(Timestamp::from_second(second).unwrap());
            assert!(number > before, "{second}");
            before = number;
        }
        assert_eq!(number, SnapshotNumber(101_000_000));
    }
}
