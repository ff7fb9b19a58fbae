//! How fast packets come, by the counters as they were looked at: now, and in each minute of the last hour.
//!
//! A store knows the hour better, across restarts too; this is for an agent without one.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The rate of now is over this time at least, where the counters are looked at so often.
const SHORTEST: Duration = Duration::from_secs(2);
/// Looks are so far apart at least.
const APART: Duration = Duration::from_millis(500);
/// Looks that are remembered: ten seconds' worth and more.
const LOOKS: usize = 24;
/// Minutes that are told.
pub const MINUTES: usize = 60;

/// How fast the packets of each sensor come, by its name.
#[derive(Debug, Default)]
pub struct Pace(BTreeMap<String, Of>);

#[derive(Debug, Default)]
struct Of {
    looks: VecDeque<(Instant, u64)>,
    /// The last that was seen in each minute, in minutes since 1970.
    minutes: VecDeque<(i64, u64)>,
}

impl Pace {
    /// Notes what each sensor has counted by now; those that are not named any more are forgotten.
    pub fn note<'a>(&mut self, now: Instant, time: Timestamp, counted: impl Iterator<Item = (&'a str, u64)>) {
        let mut before = std::mem::take(&mut self.0);
        for (name, packets) in counted {
            let mut of = before.remove(name).unwrap_or_default();
            of.note(now, minute(time), packets);
            self.0.insert(name.to_owned(), of);
        }
    }

    /// Packets a second of a sensor, by the last looks; `None` before the second.
    #[must_use]
    pub fn per_second(&self, sensor: &str) -> Option<f64> {
        self.0.get(sensor)?.per_second()
    }

    /// Packets of a sensor in each of the last sixty full minutes, the last one last; `None` where nobody looked.
    #[must_use]
    pub fn minutes(&self, sensor: &str, now: Timestamp) -> Vec<Option<u64>> {
        let first = minute(now) - i64::try_from(MINUTES).unwrap_or(i64::MAX);
        let of = self.0.get(sensor);
        (first..minute(now)).map(|minute| of?.in_minute(minute)).collect()
    }
}

impl Of {
    fn note(&mut self, now: Instant, minute: i64, packets: u64) {
        // Counters that were made anew, or a clock that was set back.
        if self.looks.back().is_some_and(|(_, before)| packets < *before) {
            *self = Self::default();
        }
        if self.minutes.back().is_some_and(|(before, _)| minute < *before) {
            self.minutes.clear();
        }
        if self.looks.back().is_none_or(|(before, _)| now.duration_since(*before) >= APART) {
            self.looks.push_back((now, packets));
            if self.looks.len() > LOOKS {
                self.looks.pop_front();
            }
        }
        match self.minutes.back_mut() {
            Some((last, seen)) if *last == minute => *seen = packets,
            _ => self.minutes.push_back((minute, packets)),
        }
        if self.minutes.len() > MINUTES + 2 {
            self.minutes.pop_front();
        }
    }

    fn per_second(&self) -> Option<f64> {
        let (now, packets) = *self.looks.back()?;
        let is_long_ago = |(then, _): &&(Instant, u64)| now.duration_since(*then) >= SHORTEST;
        let (then, before) = self.looks.iter().rev().find(is_long_ago).or_else(|| self.looks.front())?;
        let seconds = now.duration_since(*then).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let grown = packets.saturating_sub(*before) as f64;
        (seconds > 0.0).then(|| grown / seconds)
    }

    fn in_minute(&self, minute: i64) -> Option<u64> {
        let at = self.minutes.iter().position(|(of, _)| *of == minute)?;
        let (before, packets) = *self.minutes.get(at.checked_sub(1)?)?;
        // What came while nobody looked is of no one minute.
        (before == minute - 1).then(|| self.minutes[at].1.saturating_sub(packets))
    }
}

fn minute(time: Timestamp) -> i64 {
    time.as_second().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// A pace of a sensor whose packets were so many at these seconds.
    fn pace(looks: &[(u64, u64)]) -> Pace {
        let (start, mut pace) = (Instant::now(), Pace::default());
        for &(second, packets) in looks {
            let time = Timestamp::from_second(6_000 + i64::try_from(second).unwrap()).unwrap();
            pace.note(start + Duration::from_secs(second), time, [("a", packets)].into_iter());
        }
        pace
    }

    #[rstest]
    #[case::once(&[(0, 100)], None)]
    #[case::each_ten_seconds(&[(0, 100), (10, 200)], Some(10.0))]
    #[case::each_second(&[(0, 0), (1, 0), (2, 0), (3, 50), (4, 100)], Some(50.0))]
    #[case::of_now(&[(0, 0), (10, 1_000), (20, 1_000)], Some(0.0))]
    #[case::made_anew(&[(0, 1_000), (10, 5), (20, 25)], Some(2.0))]
    fn a_rate_is_of_the_last_looks(#[case] looks: &[(u64, u64)], #[case] expected: Option<f64>) {
        assert_eq!(pace(looks).per_second("a"), expected);
        assert_eq!(pace(looks).per_second("b"), None);
    }

    #[test]
    fn minutes_are_those_that_were_watched() {
        let looks = [(0, 10), (59, 20), (60, 21), (119, 50), (130, 60), (300, 1_000), (360, 1_001)];
        let minutes = pace(&looks).minutes("a", Timestamp::from_second(6_000 + 420).unwrap());
        assert_eq!(minutes.len(), MINUTES);
        let last: Vec<_> = minutes[MINUTES - 7..].to_vec();
        // What came between 130 and 300 is of three minutes.
        assert_eq!(last, [None, Some(30), Some(10), None, None, None, Some(1)]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut long = Pace::default();
        let start = Instant::now();
        for second in 0..20_000_u32 {
            let time = Timestamp::from_second(second.into()).unwrap();
            long.note(start + Duration::from_secs(second.into()), time, [("a", 1)].into_iter());
        }
        let of = &long.0["a"];
        assert!(of.looks.len() <= LOOKS && of.minutes.len() <= MINUTES + 2);
    }
}
