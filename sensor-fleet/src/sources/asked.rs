//! What is asked for: of which hours, and of which packets.

use jiff::{SignedDuration, Timestamp};

/// Rows that an agent is asked for: the most that it gives.
pub const ROWS: u32 = 10_000;
/// An hour, in seconds.
pub const HOUR: i64 = 3_600;

/// Packets of some hours in UTC for which all of it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The begin of the first hour.
    pub from: Timestamp,
    /// The end of the last.
    pub to: Timestamp,
    /// Sent to this, as in `23/tcp`.
    pub slot: Option<String>,
    /// Made by this tool.
    pub tool: Option<String>,
}

impl Asked {
    /// Whether it is of all packets: what sketches are of.
    #[must_use]
    pub const fn is_of_all(&self) -> bool {
        self.slot.is_none() && self.tool.is_none()
    }
}

/// The hours that a time touches, up to now: the last full one without any.
///
/// # Errors
/// There are none: it begins in the future, or ends before it begins.
pub fn hours(
    now: Timestamp,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    last: Option<SignedDuration>,
) -> Result<(Timestamp, Timestamp), String> {
    let before = |length: SignedDuration| {
        now.checked_sub(length).map_err(|_| "--last is before all time: name a shorter one".to_owned())
    };
    let (from, to) = match (from, to, last) {
        (None, None, None) => {
            let this = floor(now);
            return Ok((from_second(this - HOUR)?, from_second(this)?));
        }
        (_, _, Some(last)) => (before(last)?, now),
        (Some(from), to, None) => (from, to.unwrap_or(now)),
        (None, Some(_), None) => return Err("--to needs --from".to_owned()),
    };
    if from >= to {
        return Err(format!("there is no time from {from} to {to}: let it begin before it ends"));
    }
    let up = (to.as_second() + i64::from(to.subsec_nanosecond() > 0) + HOUR - 1).div_euclid(HOUR) * HOUR;
    Ok((from_second(floor(from))?, from_second(up)?))
}

/// The begin of an hour, in seconds.
fn floor(time: Timestamp) -> i64 {
    time.as_second().div_euclid(HOUR) * HOUR
}

fn from_second(second: i64) -> Result<Timestamp, String> {
    Timestamp::from_second(second).map_err(|_| "there is no such time: name another".to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(None, None, None, "07", "08")]
    #[case::the_last_hour(None, None, Some(1), "07", "09")]
    #[case::from(Some("2026-05-10T05:59:59Z"), None, None, "05", "09")]
    #[case::to_a_full_hour(Some("2026-05-10T05:00:00Z"), Some("2026-05-10T06:00:00Z"), None, "05", "06")]
    #[case::to_a_moment_after(Some("2026-05-10T05:00:00Z"), Some("2026-05-10T06:00:00.1Z"), None, "05", "07")]
    fn hours_are_those_that_a_time_touches(
        #[case] from: Option<&str>,
        #[case] to: Option<&str>,
        #[case] last: Option<i64>,
        #[case] first: &str,
        #[case] end: &str,
    ) {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = time("2026-05-10T08:20:00Z");
        let found = hours(now, from.map(time), to.map(time), last.map(SignedDuration::from_hours)).unwrap();
        assert_eq!(
            found,
            (time(&format!("2026-05-10T{first}:00:00Z")), time(&format!("2026-05-10T{end}:00:00Z")))
        );
    }

    #[rstest]
    #[case(Some("2026-05-10T09:00:00Z"), None, "let it begin before it ends")]
    #[case(None, Some("2026-05-10T06:00:00Z"), "--to needs --from")]
    fn what_is_no_time_is_refused(#[case] from: Option<&str>, #[case] to: Option<&str>, #[case] words: &str) {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let error = hours(time("2026-05-10T08:20:00Z"), from.map(time), to.map(time), None).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}
