//! Values of flags that are written in a form of their own.

use jiff::civil::Date;
use jiff::tz::TimeZone;
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
