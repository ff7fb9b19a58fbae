//! Values of flags that are written in a form of their own.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use sensor_common::layout::side::Tool;

/// A moment, or the begin of a day in UTC.
pub(super) fn instant(text: &str) -> Result<Timestamp, &'static str> {
    let day = || text.parse::<Date>().ok()?.to_zoned_datetime(TimeZone::UTC).ok().map(|day| day.timestamp());
    text.parse().ok().or_else(day).ok_or("write it as in 2026-11-29T02:00:00Z or 2026-11-29")
}

/// A time that is over, of some hours or days.
pub(super) fn duration(text: &str) -> Result<SignedDuration, &'static str> {
    let days = || {
        text.strip_suffix('d')?
            .parse::<u16>()
            .ok()
            .map(|days| SignedDuration::from_hours(24 * i64::from(days)))
    };
    let duration = days().or_else(|| text.parse().ok()).filter(SignedDuration::is_positive);
    duration.ok_or("write it as in 30m, 1h or 2d")
}

pub(super) fn tool(text: &str) -> Result<String, String> {
    let names: Vec<_> = Tool::ALL.iter().map(|tool| tool.label()).collect();
    let known = names.contains(&text).then(|| text.to_owned());
    known.ok_or_else(|| format!("there is no such tool: write one of {}", names.join(", ")))
}

/// How far a time zone is from UTC, as in +09:00 or UTC. The agent carries no time zones of names.
pub(super) fn offset(text: &str) -> Result<Offset, &'static str> {
    let offset = || {
        let (sign, rest) = match text.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
        let is_number =
            |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(hours) || !is_number(minutes) {
            return None;
        }
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let is_one = hours <= 14 && minutes < 60;
        is_one.then(|| Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()).flatten()
    };
    match text {
        "UTC" | "Z" => Ok(Offset::UTC),
        _ => offset().ok_or("write how far it is from UTC, as in +09:00, or UTC"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("UTC", Some(0))]
    #[case("+09:00", Some(32_400))]
    #[case("-3:30", Some(-12_600))]
    #[case("+9", Some(32_400))]
    #[case("+15:00", None)]
    #[case("+09:60", None)]
    #[case("Asia/Tokyo", None)]
    #[case("09:00", None)]
    #[case("", None)]
    fn time_zones_are_read(#[case] text: &str, #[case] seconds: Option<i32>) {
        assert_eq!(offset(text).ok().map(Offset::seconds), seconds);
    }
}
