//! A fleet's days, as Prometheus has them.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use anyhow::{Result, bail, ensure};
use jiff::Timestamp;

use super::client::{Client, Series};
use super::expression::{self, Counters, DAY};
use super::moves::{Moved, Regions};
use super::period::{Days, HOUR};
use super::unrecorded::Unrecorded;
use crate::vocabulary::service::Service;

mod sources;
#[cfg(test)]
mod tests;

/// How long after a day's end its record is certain to be there: it is made within the second hour after it, and
/// within the third if that was missed.
const RECORDED_AFTER: i64 = 3 * HOUR;
/// The same for an hour: its record is made, and made again if that was missed, within the hour after it.
const HOUR_RECORDED_AFTER: i64 = HOUR;

/// Up to this, every whole number has a floating-point number of its own: 2^53.
pub const EXACT: u64 = 1 << 53;
/// What to do about numbers that cannot be.
const REMEDY: &str = "find out in Prometheus what recorded that, and delete it there";

/// A sensor, and how much of each day it observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Observer {
    /// Its name.
    pub name: String,
    /// The region that it was last in; empty if it has none.
    pub region: String,
    /// The part of each day, 0 to 1; more if its packets speak of more, as after a gap in which nobody asked for them.
    pub observed: Vec<f64>,
}

/// What a sensor counted on each day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Packets by service: nothing for days on which the service had no series.
    pub services: Vec<(Service, Vec<Option<u64>>)>,
    /// All packets.
    pub all: Vec<u64>,
    /// Of these, those to ports that had no series of their own.
    pub unranked: Vec<u64>,
}

/// Where days are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    days: Range<usize>,
    source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Records, of days that are all so many seconds long.
    Records { seconds: i64, utc: bool },
    /// A day that has no record yet.
    Parts,
}

/// A part of a day that has no record yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    of: PartOf,
    seconds: i64,
    end: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartOf {
    /// Hours that have a record.
    Records,
    /// Hours that have none yet: the counters, hour by hour, as they will be recorded.
    Hours,
    /// What there is of the last hour: the counters.
    Minutes,
    /// Hours that should have a record: the counters, each hour by itself.
    Missed,
}

/// A series, and its values with the days that they are of.
type ByDay = (Series, Vec<(usize, f64)>);

/// Reads days.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    client: &'a Client,
    days: &'a Days,
    runs: Vec<Run>,
    unrecorded: Unrecorded,
    now: i64,
}

impl<'a> Reader<'a> {
    /// Reads these days, at a moment in Unix seconds.
    ///
    /// # Errors
    /// Prometheus does not answer as it should.
    pub fn new(client: &'a Client, days: &'a Days, now: i64) -> Result<Self> {
        let unrecorded = Unrecorded::find(client, days, full(now - HOUR_RECORDED_AFTER))?;
        Ok(Self { client, days, runs: runs(days, &unrecorded, now), unrecorded, now })
    }

    /// The hours that should have a record and have none.
    #[must_use]
    pub const fn unrecorded(&self) -> &Unrecorded {
        &self.unrecorded
    }

    /// All sensors that were seen on these days, by name; and where those were that moved.
    ///
    /// # Errors
    /// Prometheus does not answer as it should, or nothing was recorded.
    pub fn observers(&self) -> Result<(Vec<Observer>, Moved)> {
        let mut observers: BTreeMap<String, Observer> = BTreeMap::new();
        let mut moved = Moved::new();
        // The last region is that of the last day; a sensor that moved on it was there for most of it.
        let mut last: HashMap<String, (usize, f64)> = HashMap::new();
        let expression = |of, seconds, utc| match of {
            PartOf::Records => expression::recorded_observation(seconds, utc),
            PartOf::Hours | PartOf::Minutes => expression::observed_hours(seconds),
            PartOf::Missed => expression::missed_observation(),
        };
        for (series, days) in self.read(expression)? {
            let name = series.label("sensor");
            for (day, hours) in days {
                let observer = observers.entry(name.to_owned()).or_insert_with(|| Observer {
                    name: name.to_owned(),
                    region: String::new(),
                    observed: vec![0.0; self.days.dates.len()],
                });
                let part = hours / self.hours(day);
                let newest = last.entry(name.to_owned()).or_default();
                if (day, part) >= *newest {
                    *newest = (day, part);
                    series.label("region").clone_into(&mut observer.region);
                }
                observer.observed[day] += part.max(0.0);
                let regions =
                    moved.entry(name.to_owned()).or_insert_with(|| Regions::new(self.days.dates.len()));
                regions.observe(day, series.label("region"), part.max(0.0));
            }
        }
        ensure!(
            !observers.is_empty(),
            "Prometheus has no sensor in these days: have it scrape them and load fleet/rules/rollup.yml, and ask \
             for days after that"
        );
        moved.retain(|_, regions| regions.is_several());
        for (sensor, regions) in &mut moved {
            for day in regions.divided().collect::<Vec<_>>() {
                self.divide(sensor, day, regions)?;
            }
        }
        Ok((observers.into_values().collect(), moved))
    }

    /// Reads which packets of a day were counted in which region, of the hours that are recorded.
    fn divide(&self, sensor: &str, day: usize, regions: &mut Regions) -> Result<()> {
        let (start, end) = self.days.span(day);
        let expression = expression::packets_by_region(sensor, end - start);
        for series in self.client.range(&expression, (end, end), 1)? {
            check(&series)?;
            for (_, packets) in &series.values {
                regions.count(day, series.label("region"), whole(*packets));
            }
        }
        Ok(())
    }

    /// How many hours a day has.
    #[expect(clippy::cast_precision_loss, reason = "23 to 25")]
    fn hours(&self, day: usize) -> f64 {
        let (start, end) = self.days.span(day);
        (end - start) as f64 / HOUR as f64
    }

    /// What a sensor counted.
    ///
    /// # Errors
    /// Prometheus does not answer as it should.
    pub fn counts(&self, sensor: &str) -> Result<Counts> {
        let mut sums = Sums::new(self.days.dates.len());
        for (series, days) in self.counted(expression::PACKETS, sensor)? {
            sums.add(&series, days);
        }
        let all = sums.all.iter().fold(0, |sum: u64, day| sum.saturating_add(*day));
        ensure!(all <= EXACT, "the sensor {sensor} has counted {all} packets, more than 2^53: {REMEDY}");
        Ok(sums.counts())
    }

    /// What some counters of a sensor have grown by, in series with their values by day.
    fn counted(&self, counters: Counters, sensor: &str) -> Result<Vec<ByDay>> {
        self.read(|of, seconds, utc| match of {
            PartOf::Records => counters.recorded(sensor, seconds, utc),
            PartOf::Hours => counters.counted_hours(sensor, seconds / HOUR),
            PartOf::Minutes => counters.counted(sensor, seconds),
            PartOf::Missed => counters.missed(sensor),
        })
    }

    /// The series that an expression gives, with their values by day; a day that is read in parts has several. It is
    /// asked for what to read, of how many seconds, and whether those are a UTC day.
    fn read(&self, expression: impl Fn(PartOf, i64, bool) -> String) -> Result<Vec<ByDay>> {
        let mut read = Vec::new();
        for run in &self.runs {
            match run.source {
                Source::Records { seconds, utc } => {
                    let ends = (self.days.midnights[run.days.start + 1], self.days.midnights[run.days.end]);
                    let expression = expression(PartOf::Records, seconds, utc);
                    for series in self.client.range(&expression, ends, seconds)? {
                        check(&series)?;
                        let days = self.by_day(&series).collect();
                        read.push((series, days));
                    }
                }
                Source::Parts => {
                    for day in run.days.clone() {
                        for Part { of, seconds, end } in parts(self.days, day, self.now) {
                            let expression = expression(of, seconds, false);
                            for series in self.client.range(&expression, (end, end), 1)? {
                                check(&series)?;
                                let values = series.values.iter().map(|(_, value)| (day, *value)).collect();
                                read.push((series, values));
                            }
                        }
                    }
                }
            }
        }
        for ends in self.unrecorded.runs() {
            for series in self.client.range(&expression(PartOf::Missed, HOUR, false), ends, HOUR)? {
                check(&series)?;
                let of = |(end, value): &(i64, f64)| Some((self.days.of_hour(*end)?, *value));
                let days = series.values.iter().filter_map(of).collect();
                read.push((series, days));
            }
        }
        Ok(read)
    }

    /// A series' values, each with the day that ends when it was evaluated.
    fn by_day<'s>(&'s self, series: &'s Series) -> impl Iterator<Item = (usize, f64)> + 's {
        series.values.iter().filter_map(|(time, value)| {
            let end = self.days.midnights.binary_search(time).ok()?;
            Some((end.checked_sub(1)?, *value))
        })
    }
}

/// Makes sure that a series has numbers of packets or of hours, and no others.
///
/// # Errors
/// It has something else: which series, what, and when.
fn check(series: &Series) -> Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "2^53 is exact")]
    let counts = 0.0..=EXACT as f64;
    // Nothing is in a range that is not a number.
    let wrong = series.values.iter().find(|(_, value)| !counts.contains(value));
    if let Some((time, value)) = wrong {
        let time = Timestamp::from_second(*time).map_or_else(|_| time.to_string(), |time| time.to_string());
        bail!("the series {series} has {value} at {time}, which is no number from 0 to 2^53: {REMEDY}");
    }
    Ok(())
}

/// The last full hour.
const fn full(time: i64) -> i64 {
    time - time.rem_euclid(HOUR)
}

/// What a day that has no record yet is made of, as far as it is over.
fn parts(days: &Days, day: usize, now: i64) -> Vec<Part> {
    let (start, midnight) = days.span(day);
    let end = midnight.min(now);
    let hours = full(end).max(start);
    let records = full(now - HOUR_RECORDED_AFTER).clamp(start, hours);
    [(PartOf::Records, start, records), (PartOf::Hours, records, hours), (PartOf::Minutes, hours, end)]
        .into_iter()
        .filter(|(_, start, end)| end > start)
        .map(|(of, start, end)| Part { of, seconds: end - start, end })
        .collect()
}

/// Divides days into runs that one query reads each. A day in UTC that was not recorded is read from its hours.
fn runs(days: &Days, unrecorded: &Unrecorded, now: i64) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for day in 0..days.dates.len() {
        let (start, end) = days.span(day);
        let source = if end + RECORDED_AFTER > now {
            Source::Parts
        } else {
            let seconds = end - start;
            let utc = seconds == DAY && start % DAY == 0 && !unrecorded.is_day(end);
            Source::Records { seconds, utc }
        };
        match runs.last_mut() {
            Some(run) if run.source == source => run.days.end = day + 1,
            _ => runs.push(Run { days: day..day + 1, source }),
        }
    }
    runs
}

/// Counts being added up.
struct Sums {
    services: HashMap<Service, Vec<Option<u64>>>,
    all: Vec<u64>,
    unranked: Vec<u64>,
}

impl Sums {
    fn new(days: usize) -> Self {
        Self { services: HashMap::new(), all: vec![0; days], unranked: vec![0; days] }
    }

    fn add(&mut self, series: &Series, days: impl IntoIterator<Item = (usize, f64)>) {
        let (protocol, port) = (series.label("protocol"), series.label("port"));
        let service = Service::from_labels(protocol, port);
        let length = self.all.len();
        let mut cells =
            service.map(|service| self.services.entry(service).or_insert_with(|| vec![None; length]));
        for (day, packets) in days {
            let packets = whole(packets);
            // What gets too large is refused later.
            self.all[day] = self.all[day].saturating_add(packets);
            if let Some(cells) = &mut cells {
                cells[day] = Some(cells[day].unwrap_or(0).saturating_add(packets));
            } else if port == "other" {
                self.unranked[day] = self.unranked[day].saturating_add(packets);
            }
        }
    }

    fn counts(self) -> Counts {
        let mut services: Vec<_> = self.services.into_iter().collect();
        services.sort_by(|(a, _), (b, _)| a.cmp(b));
        Counts { services, all: self.all, unranked: self.unranked }
    }
}

/// A number of packets; records are whole numbers, exact up to 2^53.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is read has been checked; a cast saturates, and NaN gives 0"
)]
fn whole(packets: f64) -> u64 {
    packets.round() as u64
}
