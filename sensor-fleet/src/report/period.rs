//! The days that a report covers, and when in time they begin and end.
//!
//! Prometheus has recorded whole UTC hours, so a day's midnight must be at one: every zone will do whose
//! offset from UTC is a number of hours.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};

use super::model;

/// Seconds of an hour: what Prometheus has recorded divides time by these.
pub const HOUR: i64 = 3600;

/// What was asked for: a calendar quarter, or days from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A quarter of a year.
    Quarter(Quarter),
    /// Whole days, the last included.
    Days {
        /// The first.
        from: Date,
        /// The last.
        to: Date,
    },
}

/// A calendar quarter, written `2023Q4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarter {
    year: i16,
    /// 1 to 4.
    number: i8,
}

impl Quarter {
    fn first_day(self) -> Date {
        date(self.year, self.number * 3 - 2, 1)
    }

    fn before(self) -> Self {
        match self.number {
            1 => Self { year: self.year - 1, number: 4 },
            number => Self { year: self.year, number: number - 1 },
        }
    }
}

impl FromStr for Quarter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "is no quarter: write one as 2023Q4";
        let (year, number) = text.split_once(['Q', 'q']).ok_or(wrong)?;
        let year = year.parse().map_err(|_| wrong)?;
        let number = number.parse().map_err(|_| wrong)?;
        if (1970..=9000).contains(&year) && (1..=4).contains(&number) {
            Ok(Self { year, number })
        } else {
            Err(wrong)
        }
    }
}

impl fmt::Display for Quarter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Q{}", self.year, self.number)
    }
}

/// Days in a row of one time zone, up to now at the latest.
#[derive(Clone, Debug)]
pub struct Days {
    /// The days.
    pub dates: Vec<Date>,
    /// When each begins and, as the last element, when the last ends: Unix seconds, at whole UTC hours. One more
    /// than there are days.
    pub midnights: Vec<i64>,
}

impl Days {
    /// From one day to another, both included.
    ///
    /// # Errors
    /// When a midnight of the zone is at no whole UTC hour.
    pub fn new(from: Date, to: Date, zone: &TimeZone) -> Result<Self> {
        let dates: Vec<Date> = from.series(1.day()).take_while(|day| *day <= to).collect();
        let after = to.tomorrow().context("the period ends at the end of time")?;
        let midnights =
            dates.iter().chain([&after]).map(|day| midnight(*day, zone)).collect::<Result<_>>()?;
        Ok(Self { dates, midnights })
    }

    /// When a day begins and ends, in Unix seconds.
    #[must_use]
    pub fn span(&self, day: usize) -> (i64, i64) {
        (self.midnights[day], self.midnights[day + 1])
    }

    /// The day with the hour that ends at a moment, in Unix seconds; nothing if that is in none of them.
    #[must_use]
    pub fn of_hour(&self, end: i64) -> Option<usize> {
        let day = self.midnights.partition_point(|midnight| *midnight < end).checked_sub(1)?;
        (day < self.dates.len()).then_some(day)
    }

    /// The place of a day among these.
    #[must_use]
    pub fn position(&self, day: Date) -> Option<usize> {
        self.dates.iter().position(|date| *date == day)
    }
}

fn midnight(day: Date, zone: &TimeZone) -> Result<i64> {
    let start = day.to_zoned_datetime(zone.clone()).and_then(|day| day.start_of_day());
    let second = start.with_context(|| format!("there is no midnight of {day}"))?.timestamp().as_second();
    ensure!(
        second % HOUR == 0,
        "the midnight of {day} is not at a whole hour of UTC, and Prometheus has whole hours: pass a --time-zone \
         with another offset, such as UTC"
    );
    Ok(second)
}

/// What a report is made of: its period, the one it is compared with, and all days that are needed for both.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is reported.
    pub period: model::Period,
    /// What it is compared with.
    pub previous: model::Period,
    /// Every day that is read, from the first of a baseline to the last of the period.
    pub days: Days,
    /// Whether the period goes on beyond now.
    pub unfinished: bool,
}

impl Plan {
    /// For a period, with at least `baseline` days before it; what lies after `now` is left out.
    ///
    /// # Errors
    /// When the period is empty, too long or has not begun, or the zone's days do not begin at whole hours.
    pub fn new(asked: Asked, zone: &TimeZone, baseline: usize, now: Timestamp) -> Result<Self> {
        let (name, from, to, previous_name, previous_from) = match asked {
            Asked::Quarter(quarter) => {
                let next = quarter.first_day() + 3.months();
                let before = quarter.before();
                let last = next.yesterday().context("time has no beginning")?;
                (quarter.to_string(), quarter.first_day(), last, before.to_string(), before.first_day())
            }
            Asked::Days { from, to } => {
                ensure!(from <= to, "--from {from} is after --to {to}: exchange them");
                let length = days_between(from, to)? + 1;
                ensure!(length <= MAX_DAYS, "{length} days are too many: ask for {MAX_DAYS} at most");
                let previous = from.checked_sub(days(length)).context(TOO_EARLY)?;
                let name = |from, to| if from == to { format!("{from}") } else { format!("{from} to {to}") };
                let last = from.yesterday().context(TOO_EARLY)?;
                (name(from, to), from, to, name(previous, last), previous)
            }
        };
        let today = now.to_zoned_datetime(zone.clone()).date();
        if from > today {
            bail!("{name} has not begun, today is {today}: ask for days up to that");
        }
        let unfinished = to >= today;
        let to = to.min(today);
        let baseline = i64::try_from(baseline).unwrap_or(MAX_DAYS).min(MAX_DAYS);
        let first = previous_from.min(from.checked_sub(days(baseline)).context(TOO_EARLY)?);
        let last = from.yesterday().context(TOO_EARLY)?;
        let zone_name = zone_name(zone);
        let period = |name, from, to| model::Period { name, from, to, zone: zone_name.clone() };
        Ok(Self {
            period: period(name, from, to),
            previous: period(previous_name, previous_from, last),
            days: Days::new(first, to, zone)?,
            unfinished,
        })
    }

    /// The places of the period's days among all, and of those of the previous one.
    #[must_use]
    pub fn places(&self) -> (Range<usize>, Range<usize>) {
        let end = self.days.dates.len();
        let start = |day| self.days.position(day).unwrap_or(end);
        let period = start(self.period.from)..end;
        let previous = start(self.previous.from)..period.start;
        (period, previous)
    }
}

/// Most days of a period: ten years.
const MAX_DAYS: i64 = 3653;
/// Of a period with days before it that no calendar has.
const TOO_EARLY: &str = "the period is too early: ask for one after Prometheus was set up";

fn days(number: i64) -> Span {
    Span::new().days(number)
}

fn days_between(from: Date, to: Date) -> Result<i64> {
    Ok(i64::from(from.until(to).context("the period is too long")?.get_days()))
}

/// A zone's IANA name, or its offset.
fn zone_name(zone: &TimeZone) -> String {
    match (zone.iana_name(), zone.to_fixed_offset()) {
        (Some(name), _) => name.to_owned(),
        (None, Ok(offset)) if offset.is_zero() => "UTC".to_owned(),
        (None, Ok(offset)) => format!("UTC{offset}"),
        (None, Err(_)) => "local".to_owned(),
    }
}

/// A time zone by its IANA name (`Asia/Tokyo`) or offset (`+09:00`).
///
/// # Errors
/// Reads on from the text.
pub fn zone(text: &str) -> Result<TimeZone, &'static str> {
    let wrong = "is no time zone: write UTC, a name such as Asia/Tokyo, or an offset such as +09:00";
    if let Some(sign @ ('+' | '-')) = text.chars().next() {
        let (hours, minutes) = text[1..].split_once(':').unwrap_or((&text[1..], "00"));
        let number = |digits: &str| match digits.len() {
            1 | 2 if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse::<i32>().ok(),
            _ => None,
        };
        let (hours, minutes) = number(hours).zip(number(minutes)).ok_or(wrong)?;
        if hours > 14 || minutes > 59 {
            return Err(wrong);
        }
        let seconds = (hours * 60 + minutes) * 60;
        let seconds = if sign == '-' { -seconds } else { seconds };
        return jiff::tz::Offset::from_seconds(seconds).map(TimeZone::fixed).map_err(|_| wrong);
    }
    TimeZone::get(text).map_err(|_| wrong)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn now() -> Timestamp {
        "2023-11-15T12:00:00Z".parse().unwrap()
    }

    fn quarter(text: &str) -> Asked {
        Asked::Quarter(text.parse().unwrap())
    }

    fn span(from: &str, to: &str) -> Asked {
        Asked::Days { from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    #[rstest]
    #[case::quarter(
        quarter("2023Q3"),
        "2023Q3",
        "2023-07-01",
        "2023-09-30",
        "2023Q2",
        "2023-04-01",
        "2023-06-30"
    )]
    #[case::first(
        quarter("2023q1"),
        "2023Q1",
        "2023-01-01",
        "2023-03-31",
        "2022Q4",
        "2022-10-01",
        "2022-12-31"
    )]
    #[case::running(
        quarter("2023Q4"),
        "2023Q4",
        "2023-10-01",
        "2023-11-15",
        "2023Q3",
        "2023-07-01",
        "2023-09-30"
    )]
    #[case::days(
        span("2023-11-01", "2023-11-02"),
        "2023-11-01 to 2023-11-02",
        "2023-11-01",
        "2023-11-02",
        "2023-10-30 to 2023-10-31",
        "2023-10-30",
        "2023-10-31"
    )]
    #[case::a_day(
        span("2023-03-01", "2023-03-01"),
        "2023-03-01",
        "2023-03-01",
        "2023-03-01",
        "2023-02-28",
        "2023-02-28",
        "2023-02-28"
    )]
    fn a_period_follows_the_one_before(
        #[case] asked: Asked,
        #[case] name: &str,
        #[case] from: &str,
        #[case] to: &str,
        #[case] previous: &str,
        #[case] previous_from: &str,
        #[case] previous_to: &str,
    ) {
        let plan = Plan::new(asked, &TimeZone::UTC, 28, now()).unwrap();
        let shown = |period: &model::Period| {
            [period.name.clone(), period.from.to_string(), period.to.to_string(), period.zone.clone()]
        };
        assert_eq!(shown(&plan.period), [name, from, to, "UTC"]);
        assert_eq!(shown(&plan.previous), [previous, previous_from, previous_to, "UTC"]);
        assert!(plan.days.dates[0] <= plan.period.from - 28.days());
        assert_eq!(plan.days.dates.last(), Some(&plan.period.to));
    }

    #[rstest]
    #[case::reversed(span("2023-11-02", "2023-11-01"), "UTC", "exchange")]
    #[case::future(quarter("2024Q1"), "UTC", "2024Q1 has not begun, today is 2023-11-15: ask for")]
    #[case::tomorrow(span("2023-11-16", "2023-11-16"), "UTC", "has not begun")]
    #[case::no_days_before(span("-009999-01-01", "-009999-01-02"), "UTC", "too early: ask for")]
    #[case::no_baseline(span("-009999-01-10", "-009999-01-11"), "UTC", "too early: ask for")]
    #[case::endless(span("1999-11-02", "2023-11-01"), "UTC", "too many")]
    #[case::half_hours(quarter("2023Q3"), "Asia/Kolkata", "whole hour")]
    fn a_period_that_cannot_be(#[case] asked: Asked, #[case] tz: &str, #[case] words: &str) {
        let error = Plan::new(asked, &zone(tz).unwrap(), 28, now()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[rstest]
    #[case::utc("UTC", "2023-10-01", "2023-10-02", &[24, 24])]
    #[case::japan("Asia/Tokyo", "2023-10-01", "2023-10-02", &[24, 24])]
    #[case::offset("+09:00", "2023-10-01", "2023-10-01", &[24])]
    #[case::into_summer("Europe/Berlin", "2023-03-25", "2023-03-27", &[24, 23, 24])]
    #[case::out_of_summer("Europe/Berlin", "2023-10-29", "2023-10-29", &[25])]
    fn days_are_as_long_as_they_are(
        #[case] tz: &str,
        #[case] from: &str,
        #[case] to: &str,
        #[case] hours: &[i64],
    ) {
        let days = Days::new(from.parse().unwrap(), to.parse().unwrap(), &zone(tz).unwrap()).unwrap();
        let lengths: Vec<i64> = days.midnights.windows(2).map(|pair| (pair[1] - pair[0]) / HOUR).collect();
        assert_eq!(lengths, hours);
        assert_eq!(days.dates.len(), hours.len());
    }

    #[test]
    fn a_day_in_japan_begins_nine_hours_early() {
        let day = "2023-10-01".parse().unwrap();
        let of = |tz: &str| Days::new(day, day, &zone(tz).unwrap()).unwrap().midnights[0];
        assert_eq!(of("UTC") - of("Asia/Tokyo"), 9 * HOUR);
        assert_eq!(of("+09:00"), of("Asia/Tokyo"));
    }

    #[rstest]
    #[case("2023Q5")]
    #[case("2023Q0")]
    #[case("Q4")]
    #[case("2023-4")]
    #[case("4Q2023")]
    #[case("")]
    fn no_quarter(#[case] text: &str) {
        assert!(text.parse::<Quarter>().is_err());
    }

    #[rstest]
    #[case("Mars/Olympus")]
    #[case("+25:00")]
    #[case("+9:0:0")]
    #[case("+")]
    #[case("")]
    fn no_zone(#[case] text: &str) {
        assert!(zone(text).is_err());
    }
}
