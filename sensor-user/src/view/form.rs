//! How numbers, shares and times are written.

use jiff::Timestamp;
use sensor_common::grouped::Grouped;

use crate::sources::Count;
use crate::status::Share;

/// What stands where nothing is known.
pub(crate) const UNKNOWN: &str = "–";

/// A number with a comma before each three digits.
pub(crate) fn number(number: u64) -> String {
    Grouped(number).to_string()
}

/// A share of a whole in percent.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return UNKNOWN.to_owned();
    }
    match Share(part, whole).to_string() {
        all if all == "all" => "100 %".to_owned(),
        text if text.starts_with("less") => "< 0.1 %".to_owned(),
        text => text,
    }
}

/// Packets a second.
pub(crate) fn rate(per_second: Option<f64>) -> String {
    match per_second {
        None => UNKNOWN.to_owned(),
        Some(rate) if rate > 0.0 && rate < 10.0 => format!("{rate:.1}"),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded for people")]
        Some(rate) => number(rate.round() as u64),
    }
}

/// A number: a lower bound is called one.
pub(crate) fn at_least(count: u64, at_least: bool) -> String {
    if at_least { format!("≥ {}", number(count)) } else { number(count) }
}

/// Likewise, of a count of sources, which may be an estimate.
pub(crate) fn distinct(count: Count, at_least: bool) -> String {
    let about = if count.exact || at_least { "" } else { "≈ " };
    format!("{about}{}", self::at_least(count.count, at_least))
}

/// How much more or less than before: in percent, or how many times where it is more than twice as much.
pub(crate) fn change(now: Option<u64>, before: Option<u64>) -> String {
    let (Some(now), Some(before)) = (now, before) else { return UNKNOWN.to_owned() };
    #[expect(clippy::cast_precision_loss, reason = "rounded for people")]
    let (now_f, before_f) = (now as f64, before as f64);
    match (now, before) {
        (0, 0) => "±0 %".to_owned(),
        (_, 0) => "new".to_owned(),
        _ if now_f / before_f >= 2.0 => format!("×{:.1}", now_f / before_f),
        _ => {
            let percent = 100.0 * (now_f - before_f) / before_f;
            let sign = if percent >= 0.5 {
                "+"
            } else if percent <= -0.5 {
                "−"
            } else {
                "±"
            };
            format!("{sign}{:.0} %", percent.abs())
        }
    }
}

/// The time of day, in UTC.
pub(crate) fn time(time: Timestamp) -> String {
    time.strftime("%H:%M:%S").to_string()
}

/// The day and the time, in UTC.
pub(crate) fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::unknown(None, Some(5), "–")]
    #[case::nothing(Some(0), Some(0), "±0 %")]
    #[case::new(Some(5), Some(0), "new")]
    #[case::more(Some(112), Some(100), "+12 %")]
    #[case::the_same(Some(1_001), Some(1_000), "±0 %")]
    #[case::less(Some(60), Some(100), "−40 %")]
    #[case::gone(Some(0), Some(100), "−100 %")]
    #[case::many_times(Some(340), Some(100), "×3.4")]
    fn a_change_is_written_for_people(
        #[case] now: Option<u64>,
        #[case] before: Option<u64>,
        #[case] text: &str,
    ) {
        assert_eq!(change(now, before), text);
    }

    #[rstest]
    #[case(None, "–")]
    #[case(Some(0.0), "0")]
    #[case(Some(0.25), "0.2")]
    #[case(Some(12.6), "13")]
    #[case(Some(200_000.0), "200,000")]
    fn a_rate_is_written_for_people(#[case] per_second: Option<f64>, #[case] text: &str) {
        assert_eq!(rate(per_second), text);
    }

    #[rstest]
    #[case(0, 0, "–")]
    #[case(7, 7, "100 %")]
    #[case(1, 2, "50.0 %")]
    #[case(1, 100_000, "< 0.1 %")]
    fn a_share_is_written_for_people(#[case] part: u64, #[case] whole: u64, #[case] text: &str) {
        assert_eq!(share(part, whole), text);
    }
}
