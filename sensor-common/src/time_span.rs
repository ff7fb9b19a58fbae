//! Times that people write: `10s`, `5m`, `1h`.

use core::time::Duration;

/// Shortest that can be written.
pub const MIN_TIME_SPAN: Duration = Duration::from_secs(1);
/// Longest that can be written.
pub const MAX_TIME_SPAN: Duration = Duration::from_hours(1);

/// A time from [`MIN_TIME_SPAN`] to [`MAX_TIME_SPAN`]: a whole number and a unit, such as `10s`, `5m` or `1h`.
///
/// # Errors
///
/// It isn't one, or is out of bounds.
pub fn time_span(text: &str) -> Result<Duration, &'static str> {
    const FORM: &str = "is not a time: write a whole number and s, m or h, such as 10s";
    let (number, seconds) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "s")) => (number, 1),
        Some((number, "m")) => (number, 60),
        Some((number, "h")) => (number, 3_600),
        _ => return Err(FORM),
    };
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FORM);
    }
    // Only digits: parsing fails when the number is beyond a u32.
    let interval = Duration::from_secs(u64::from(number.parse().unwrap_or(u32::MAX)) * seconds);
    if (MIN_TIME_SPAN..=MAX_TIME_SPAN).contains(&interval) {
        Ok(interval)
    } else {
        Err("is out of bounds: write a time from 1s to 1h")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::seconds("10s", Some(10))]
    #[case::minutes("5m", Some(300))]
    #[case::shortest("1s", Some(1))]
    #[case::longest("1h", Some(3_600))]
    #[case::too_short("0s", None)]
    #[case::too_long("3601s", None)]
    #[case::far_too_long("99999999999999999999h", None)]
    #[case::no_unit("10", None)]
    #[case::other_unit("10ms", None)]
    #[case::fraction("1.5s", None)]
    #[case::signed("+5s", None)]
    #[case::no_number("s", None)]
    #[case::not_ascii("10秒", None)]
    #[case::empty("", None)]
    fn time_spans(#[case] text: &str, #[case] seconds: Option<u64>) {
        assert_eq!(time_span(text).ok(), seconds.map(Duration::from_secs));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9smh]*|\\PC*") {
            let _ = time_span(&text);
        }
    }
}
