//! What Prometheus has of a sensor's sources, by day.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::Result;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::{ByDay, Reader, check, whole};
use crate::report::expression::{self, DAY};
use crate::report::known::Known;
use crate::report::model::Notices;

impl Reader<'_> {
    /// What is known of a sensor's sources: nothing of days of which it tells nothing.
    ///
    /// # Errors
    /// Prometheus does not answer as it should.
    pub fn known(&self, sensor: &str) -> Result<Known> {
        let mut known = Known::default();
        let days = self.days.dates.len();
        for (series, values) in self.counted(expression::TOOLS, sensor)? {
            known.tool(&series, &by_day(days, values));
        }
        for (series, values) in self.counted(expression::ORIGINS, sensor)? {
            known.origin(&series, &by_day(days, values));
        }
        for (series, values) in self.said(&expression::sources(sensor))? {
            known.window(&series, &by_day(days, values));
        }
        Ok(known)
    }

    /// Notices that were begun on these of the days, by constituency, as far as they were recorded.
    ///
    /// # Errors
    /// Prometheus does not answer as it should.
    pub fn notices(&self, days: &Range<usize>) -> Result<Notices> {
        let mut told = BTreeSet::new();
        let mut constituencies = BTreeMap::new();
        for (series, values) in self.said(&expression::notices())? {
            let begun: &mut u64 = constituencies.entry(series.label("constituency").to_owned()).or_default();
            for (day, value) in values.into_iter().filter(|(day, _)| days.contains(day)) {
                told.insert(day);
                *begun = begun.saturating_add(whole(value));
            }
        }
        Ok(Notices { days: told.len(), constituencies })
    }

    /// Whose autonomous systems are, by their numbers: as agents tell now, else as they told last on the days that are read, as
    /// far as their samples are kept.
    ///
    /// # Errors
    /// Prometheus does not answer as it should.
    pub fn holders(&self) -> Result<BTreeMap<String, String>> {
        let expression = expression::holders();
        let now = self.client.range(&expression, (self.now, self.now), DAY)?;
        let told = self.said(&expression)?.into_iter();
        let told = told.map(|(series, values)| (series, values.iter().map(|(day, _)| *day).max()));
        let mut holders = BTreeMap::<String, (usize, String)>::new();
        for (series, day) in told.chain(now.into_iter().map(|series| (series, Some(usize::MAX)))) {
            let (number, name) = (series.label("as"), series.label("name"));
            let Some(day) = day.filter(|_| !name.is_empty()) else { continue };
            let last = holders.entry(number.to_owned()).or_default();
            if (day, name) >= (last.0, last.1.as_str()) {
                *last = (day, name.to_owned());
            }
        }
        Ok(holders.into_iter().map(|(number, (_, name))| (number, name)).collect())
    }

    /// The series that an expression gives of days in UTC, those of the same dates as the days that are read.
    fn said(&self, expression: &str) -> Result<Vec<ByDay>> {
        let ends: Option<Vec<i64>> = self.days.dates.iter().map(|date| utc_end(*date)).collect();
        let Some(ends) = ends else { return Ok(Vec::new()) };
        let (Some(first), Some(last)) = (ends.first(), ends.last()) else { return Ok(Vec::new()) };
        let mut read = Vec::new();
        for series in self.client.range(expression, (*first, *last), DAY)? {
            check(&series)?;
            let day = |(time, value): &(i64, f64)| Some((ends.binary_search(time).ok()?, *value));
            let days = series.values.iter().filter_map(day).collect();
            read.push((series, days));
        }
        Ok(read)
    }
}

/// When a day in UTC ends, in Unix seconds.
fn utc_end(date: Date) -> Option<i64> {
    let midnight = date.tomorrow().ok()?.to_datetime(Time::midnight());
    TimeZone::UTC.to_timestamp(midnight).ok().map(Timestamp::as_second)
}

/// Whole numbers by day, added up; nothing for days without any.
fn by_day(days: usize, values: Vec<(usize, f64)>) -> Vec<Option<u64>> {
    let mut sums = vec![None; days];
    for (day, value) in values {
        let sum: &mut Option<u64> = &mut sums[day];
        *sum = Some(sum.unwrap_or(0).saturating_add(whole(value)));
    }
    sums
}
