//! Hours and days that Prometheus should have recorded and has not, as when it was down over a full hour.
//!
//! What its rules record they mark. An hour without a mark, after one with it, is read from the counters, as long as
//! there are samples of it.

use std::collections::BTreeSet;
use std::iter;

use anyhow::Result;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::client::Client;
use super::expression::{self, DAY};
use super::language::Language;
use super::period::{Days, HOUR};
use super::words::note;

/// Points that a server gives at once: Prometheus refuses more than 11,000.
const POINTS: i64 = 10_000;
/// Hours that are read from counters at once.
const AT_ONCE: i64 = 24;
/// Stretches of hours that a note names.
const NAMED: usize = 5;

/// Hours and days without a record, by their ends in Unix seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unrecorded {
    hours: Vec<i64>,
    /// Of these, those of which there are samples.
    sampled: BTreeSet<i64>,
    days: BTreeSet<i64>,
}

impl Unrecorded {
    /// Those among `days` that are over by `last`. Before the first mark, nothing is missing: there were no rules.
    ///
    /// # Errors
    /// Prometheus does not answer as it should.
    pub fn find(client: &Client, days: &Days, last: i64) -> Result<Self> {
        let (Some(&start), Some(&end)) = (days.midnights.first(), days.midnights.last()) else {
            return Ok(Self::default());
        };
        let end = end.min(last);
        let hours = unmarked(client, &expression::hour_marker(), (start + HOUR, end), HOUR)?;
        let mut found = Self { hours, ..Self::default() };
        for (first, last) in found.runs().collect::<Vec<_>>() {
            for series in client.range(&expression::sampled_sensors(), (first, last), HOUR)? {
                found.sampled.extend(series.values.iter().map(|(end, _)| *end));
            }
        }
        let first = start + DAY - start.rem_euclid(DAY);
        found.days = unmarked(client, &expression::day_marker(), (first, end), DAY)?.into_iter().collect();
        Ok(found)
    }

    /// Whether the day in UTC that ended then is one.
    #[must_use]
    pub fn is_day(&self, end: i64) -> bool {
        self.days.contains(&end)
    }

    /// The first and the last end of hours in a row, at most a day of them.
    pub fn runs(&self) -> impl Iterator<Item = (i64, i64)> {
        in_a_row(&self.hours, AT_ONCE)
    }

    /// What a reader must know of them, if there are any.
    #[must_use]
    pub fn note(&self, language: Language, zone: &TimeZone) -> Option<String> {
        if self.hours.is_empty() {
            return None;
        }
        let (read, lost): (Vec<i64>, Vec<i64>) =
            self.hours.iter().partition(|end| self.sampled.contains(end));
        let all = (self.hours.len(), &*named(language, &self.hours, zone));
        Some(note::unrecorded(language, all, read.len(), (lost.len(), &named(language, &lost, zone))))
    }
}

/// The ends, from one to another in steps, that no mark has, after the first that has one.
fn unmarked(client: &Client, marker: &str, (first, last): (i64, i64), step: i64) -> Result<Vec<i64>> {
    let mut recorded = BTreeSet::new();
    let pieces = iter::successors(Some(first), |at| Some(at + POINTS * step)).take_while(|at| *at <= last);
    for at in pieces {
        let end = last.min(at + (POINTS - 1) * step);
        let series = client.range(marker, (at, end), step)?;
        #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "whole numbers below 2^53")]
        let own = |(end, mark): &&(i64, f64)| *end as f64 == *mark;
        recorded.extend(series.iter().flat_map(|it| it.values.iter().filter(own)).map(|(end, _)| *end));
    }
    let Some(&begin) = recorded.first() else { return Ok(Vec::new()) };
    let ends = iter::successors(Some(begin), |end| Some(end + step)).take_while(|end| *end <= last);
    Ok(ends.filter(|end| !recorded.contains(end)).collect())
}

/// The first and the last of those that are an hour apart, at most so many.
fn in_a_row(ends: &[i64], most: i64) -> impl Iterator<Item = (i64, i64)> {
    let mut rest = ends;
    iter::from_fn(move || {
        let first = *rest.first()?;
        let next = (0..).zip(rest).take_while(|(at, end)| *at < most && **end == first + at * HOUR).count();
        let last = rest[next - 1];
        rest = &rest[next..];
        Some((first, last))
    })
}

/// Stretches of hours, the first few, from when to when.
fn named(language: Language, ends: &[i64], zone: &TimeZone) -> String {
    let moment = |second: i64| Timestamp::from_second(second).map(|time| zone.to_datetime(time));
    let stretches: Vec<_> = in_a_row(ends, i64::MAX)
        .filter_map(|(first, last)| Some((moment(first - HOUR).ok()?, moment(last).ok()?)))
        .collect();
    let more = stretches.len().saturating_sub(NAMED);
    note::stretches(language, &stretches[..stretches.len() - more], more)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Noon of 2023-10-05 in UTC.
    const NOON: i64 = 1_696_507_200;

    fn hours(of: &[i64], sampled: &[i64]) -> Unrecorded {
        let ends = |hours: &[i64]| hours.iter().map(|hour| NOON + hour * HOUR).collect::<Vec<_>>();
        Unrecorded { hours: ends(of), sampled: ends(sampled).into_iter().collect(), days: BTreeSet::new() }
    }

    #[rstest]
    #[case::none(&[], &[])]
    #[case::one(&[0], &[(0, 0)])]
    #[case::some(&[0, 1, 3], &[(0, 1), (3, 3)])]
    fn hours_are_read_in_a_row(#[case] of: &[i64], #[case] expected: &[(i64, i64)]) {
        let found = hours(of, &[]);
        let runs = found.runs().map(|(first, last)| ((first - NOON) / HOUR, (last - NOON) / HOUR));
        assert_eq!(runs.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_more_than_a_day_is_read_at_once() {
        let all: Vec<i64> = (0..50).collect();
        let found = hours(&all, &[]);
        let runs = found.runs().map(|(first, last)| (last - first) / HOUR + 1);
        assert_eq!(runs.collect::<Vec<_>>(), [24, 24, 2]);
    }

    #[rstest]
    #[case::none(&[], &[], "")]
    #[case::read(&[0], &[0], "1 (5 Oct 2023, 11:00 – 12:00). They were read from the counters, to the packet.")]
    #[case::lost(&[1, 2], &[], "2 (5 Oct 2023, 12:00 – 14:00). Of 2 there are no samples (5 Oct 2023, 12:00 – 14:00)")]
    #[case::both(&[0, 1], &[0], "1 of them were read from the counters, to the packet. Of 1 there are no samples")]
    #[case::overnight(&[12, 13], &[12, 13], "(5 Oct 2023, 23:00 – 6 Oct 2023, 01:00)")]
    #[case::often(&[0, 2, 4, 6, 8, 10, 12], &[], "19:00 – 20:00 and 2 more times)")]
    fn what_was_not_recorded_is_said(#[case] of: &[i64], #[case] sampled: &[i64], #[case] words: &str) {
        let note = hours(of, sampled).note(Language::English, &TimeZone::UTC).unwrap_or_default();
        assert!(note.contains(words) && note.is_empty() == words.is_empty(), "{note}");
    }

    #[rstest]
    #[case::one(&[0], "1時間あります(2023年10月5日11:00~12:00)。")]
    #[case::overnight(&[12, 13], "(2023年10月5日23:00~2023年10月6日01:00)")]
    #[case::often(&[0, 2, 4, 6, 8, 10, 12], "19:00~20:00、ほか2回)")]
    fn it_is_said_in_japanese(#[case] of: &[i64], #[case] words: &str) {
        let note = hours(of, &[]).note(Language::Japanese, &TimeZone::UTC).unwrap_or_default();
        assert!(note.contains(words), "{note}");
    }
}
