//! How days are divided, and what is read from them.

use rstest::rstest;

use super::super::period::zone;
use super::*;

fn records(seconds: i64, utc: bool) -> Source {
    Source::Records { seconds, utc }
}

#[rstest]
#[case::over("UTC", "2023-10-05T00:00:00Z", &[(0..3, records(DAY, true))])]
#[case::record_to_come("UTC", "2023-10-04T02:59:59Z", &[(0..2, records(DAY, true)), (2..3, Source::Parts)])]
#[case::in_progress("UTC", "2023-10-03T12:00:00Z", &[(0..2, records(DAY, true)), (2..3, Source::Parts)])]
#[case::after_midnight("UTC", "2023-10-03T00:30:00Z", &[(0..1, records(DAY, true)), (1..3, Source::Parts)])]
#[case::japan("Asia/Tokyo", "2023-10-05T00:00:00Z", &[(0..3, records(DAY, false))])]
fn days_are_read_in_runs(#[case] tz: &str, #[case] now: &str, #[case] expected: &[(Range<usize>, Source)]) {
    let day = |text: &str| text.parse().unwrap();
    let days = Days::new(day("2023-10-01"), day("2023-10-03"), &zone(tz).unwrap()).unwrap();
    let now: Timestamp = now.parse().unwrap();
    let found: Vec<_> = runs(&days, &Unrecorded::default(), now.as_second())
        .into_iter()
        .map(|run| (run.days, run.source))
        .collect();
    assert_eq!(found, expected);
}

#[rstest]
#[case::a_minute_old("2023-10-03T00:01:00Z", &[(PartOf::Minutes, 60)])]
#[case::an_hour_without_a_record("2023-10-03T01:59:00Z", &[(PartOf::Hours, HOUR), (PartOf::Minutes, 59 * 60)])]
#[case::an_hour_with_a_record("2023-10-03T02:00:00Z", &[(PartOf::Records, HOUR), (PartOf::Hours, HOUR)])]
#[case::all(
    "2023-10-03T12:30:00Z",
    &[(PartOf::Records, 11 * HOUR), (PartOf::Hours, HOUR), (PartOf::Minutes, 30 * 60)]
)]
#[case::over("2023-10-04T00:59:00Z", &[(PartOf::Records, 23 * HOUR), (PartOf::Hours, HOUR)])]
#[case::long_over("2023-10-04T01:00:00Z", &[(PartOf::Records, DAY)])]
#[case::to_come("2023-10-02T23:00:00Z", &[])]
fn a_day_without_a_record_is_read_in_parts(#[case] now: &str, #[case] expected: &[(PartOf, i64)]) {
    let day: jiff::civil::Date = "2023-10-03".parse().unwrap();
    let days = Days::new(day, day, &zone("UTC").unwrap()).unwrap();
    let now: Timestamp = now.parse().unwrap();
    let found = parts(&days, 0, now.as_second());
    assert_eq!(found.iter().map(|part| (part.of, part.seconds)).collect::<Vec<_>>(), expected);
    // One follows the other.
    let start = days.span(0).0;
    let ends: Vec<i64> = found.iter().map(|part| part.end - part.seconds).collect();
    let before: Vec<i64> =
        [start].into_iter().chain(found.iter().map(|part| part.end)).take(found.len()).collect();
    assert_eq!(ends, before);
}

#[test]
fn a_day_of_another_length_is_a_run_of_its_own() {
    let day = |text: &str| text.parse().unwrap();
    let days = Days::new(day("2023-10-28"), day("2023-10-30"), &zone("Europe/Berlin").unwrap()).unwrap();
    let found: Vec<_> =
        runs(&days, &Unrecorded::default(), i64::MAX / 2).into_iter().map(|run| run.source).collect();
    assert_eq!(found, [records(DAY, false), records(25 * HOUR, false), records(DAY, false)]);
}

#[rstest]
#[case::counts(&[0.0, 17.5, 9_007_199_254_740_992.0], "")]
#[case::infinite(&[100.0, f64::INFINITY], "{port=\"23\", sensor=\"a\\u{1b}\"} has inf at 2023-10-02T00:00:00Z")]
#[case::no_number(&[f64::NAN], "has NaN at 2023-10-01T00:00:00Z")]
#[case::negative(&[-1.0], "has -1 at")]
#[case::not_exact(&[9_007_199_254_740_994.0], "has 9007199254740994 at")]
fn what_is_no_count_is_refused_by_name(#[case] values: &[f64], #[case] words: &str) {
    let labels = [("port", "23"), ("sensor", "a\u{1b}")];
    let labels = labels.map(|(name, value)| (name, value.to_owned()));
    let days = (0..).map(|day| 1_696_118_400 + day * DAY);
    let series = Series { labels: labels.into(), values: days.zip(values.iter().copied()).collect() };
    let said = check(&series).map_or_else(|error| error.to_string(), |()| String::new());
    assert!(said.contains(words) && said.is_empty() == words.is_empty(), "{said}");
}

#[test]
fn everything_counts_and_only_services_rank() {
    let mut sums = Sums::new(2);
    let mut add = |protocol: &str, port: &str, values: &[(usize, f64)]| {
        let labels = [("protocol", protocol), ("port", port)];
        let labels = labels.map(|(name, value)| (name, value.to_owned()));
        sums.add(&Series { labels: labels.into(), values: Vec::new() }, values.iter().copied());
    };
    add("tcp", "23", &[(0, 5.0)]);
    add("tcp", "23", &[(0, 1.0), (1, 9_007_199_254_740_991.0)]);
    add("tcp", "other", &[(1, 2.0)]);
    add("udp", "fragment", &[(0, 3.0)]);
    add("malformed", "", &[(0, 4.0)]);
    add("icmp", "", &[(1, f64::NAN)]);
    let counts = sums.counts();
    let shown: Vec<_> =
        counts.services.iter().map(|(service, days)| (service.to_string(), days.clone())).collect();
    assert_eq!(
        shown,
        [("ICMP".to_owned(), vec![None, Some(0)]), ("23/TCP".to_owned(), vec![Some(6), Some((1 << 53) - 1)])]
    );
    assert_eq!(counts.all, [13, (1 << 53) + 1]);
    assert_eq!(counts.unranked, [0, 2]);
}
