//! How long a server wants to be left alone: `Retry-After` (RFC 9110 §10.2.3).

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use ureq::http::header::RETRY_AFTER;
use ureq::http::{HeaderMap, StatusCode};

/// Nobody is asked again sooner, whatever it says.
const LEAST: Duration = Duration::from_secs(1);

/// How long to wait before asking again, if an answer asks for it: too many requests, or unavailable for now.
pub fn asked_for(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    until(text, Timestamp::now()).map(|wait| wait.max(LEAST))
}

/// A number of seconds, or a moment.
fn until(text: &str, now: Timestamp) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // What has too many digits is longer than anybody waits.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let moment = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(moment.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::seconds("120", Some(120))]
    #[case::at_once("0", Some(0))]
    #[case::endless("99999999999999999999999", Some(u64::MAX))]
    #[case::a_moment("Sun, 06 Nov 1994 08:50:37 GMT", Some(60))]
    #[case::long_past("Sun, 06 Nov 1994 08:00:00 GMT", Some(0))]
    #[case::negative("-1", None)]
    #[case::words("soon", None)]
    fn a_server_says_how_long(#[case] text: &str, #[case] seconds: Option<u64>) {
        let now = "1994-11-06T08:49:37Z".parse().unwrap();
        assert_eq!(until(text, now), seconds.map(Duration::from_secs));
    }
}
