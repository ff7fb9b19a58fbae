//! A fleet's days, as Prometheus has them.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use anyhow::{Result, ensure};

use super::client::{Client, Series};
use super::expression::{self, DAY};
use super::period::{Days, HOUR};
use super::service::Service;

/// How long after a day's end its record is certain to be there: an hour until it is made, and one until it is
/// made again if the first time was missed.
const RECORDED_AFTER: i64 = 2 * HOUR;

/// A sensor, and how much of each day it observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Observer {
    /// Its name.
    pub name: String,
    /// The region that it was last in; empty if it has none.
    pub region: String,
    /// The part of each day, 0 to 1.
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
    /// The counters of a day that has no record yet.
    Counters,
}

/// Reads days.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    client: &'a Client,
    days: &'a Days,
    runs: Vec<Run>,
    now: i64,
}

impl<'a> Reader<'a> {
    /// Reads these days, at a moment in Unix seconds.
    #[must_use]
    pub fn new(client: &'a Client, days: &'a Days, now: i64) -> Self {
        Self { client, days, runs: runs(days, now), now }
    }

    /// All sensors that were seen on these days, by name.
    ///
    /// # Errors
    /// Prometheus does not answer as it should, or nothing was recorded.
    pub fn observers(&self) -> Result<Vec<Observer>> {
        let mut observers: BTreeMap<String, Observer> = BTreeMap::new();
        for run in &self.runs {
            for (day, series, share) in self.observed(run)? {
                let name = series.label("sensor");
                let observer = observers.entry(name.to_owned()).or_insert_with(|| Observer {
                    name: name.to_owned(),
                    region: String::new(),
                    observed: vec![0.0; self.days.dates.len()],
                });
                series.label("region").clone_into(&mut observer.region);
                observer.observed[day] = observer.observed[day].max(share.clamp(0.0, 1.0));
            }
        }
        ensure!(
            !observers.is_empty(),
            "Prometheus has no sensor in these days: have it scrape them and load fleet/rules/rollup.yml, and ask \
             for days after that"
        );
        Ok(observers.into_values().collect())
    }

    /// Days with the parts of them that sensors observed, in order of the days.
    fn observed(&self, run: &Run) -> Result<Vec<(usize, Series, f64)>> {
        let mut found = Vec::new();
        match run.source {
            Source::Records { seconds, utc } => {
                let expression = expression::recorded_observation(seconds, utc);
                for series in self.records(&expression, run, seconds)? {
                    found.extend(self.by_day(&series).map(|(day, share)| (day, series.clone(), share)));
                }
            }
            Source::Counters => {
                for day in run.days.clone() {
                    let (start, midnight) = self.days.span(day);
                    let end = midnight.min(self.now);
                    let expression = expression::observed_minutes(end - start);
                    #[expect(clippy::cast_precision_loss, reason = "a day's minutes")]
                    let minutes = ((midnight - start) / 60) as f64;
                    for series in self.client.range(&expression, (end, end), 1)? {
                        let share = series.values.first().map_or(0.0, |(_, counted)| counted / minutes);
                        found.push((day, series, share));
                    }
                }
            }
        }
        found.sort_by_key(|(day, ..)| *day);
        Ok(found)
    }

    /// What a sensor counted.
    ///
    /// # Errors
    /// Prometheus does not answer as it should.
    pub fn counts(&self, sensor: &str) -> Result<Counts> {
        let mut sums = Sums::new(self.days.dates.len());
        for run in &self.runs {
            match run.source {
                Source::Records { seconds, utc } => {
                    let expression = expression::recorded_packets(sensor, seconds, utc);
                    for series in self.records(&expression, run, seconds)? {
                        sums.add(&series, self.by_day(&series));
                    }
                }
                Source::Counters => {
                    for day in run.days.clone() {
                        for (expression, time) in self.counted(sensor, day) {
                            for series in self.client.range(&expression, (time, time), 1)? {
                                sums.add(&series, series.values.iter().map(|(_, packets)| (day, *packets)));
                            }
                        }
                    }
                }
            }
        }
        Ok(sums.counts())
    }

    /// What gives a day's packets from the counters, each with when it is to be evaluated: the whole hours, hour
    /// by hour as they will be recorded, and the minutes since.
    fn counted(&self, sensor: &str, day: usize) -> Vec<(String, i64)> {
        let (start, midnight) = self.days.span(day);
        let end = midnight.min(self.now);
        let full = end - end % HOUR;
        let mut queries = Vec::new();
        if full > start {
            queries.push((expression::counted_hours(sensor, (full - start) / HOUR), full));
        }
        if end > full {
            queries.push((expression::counted_packets(sensor, end - full), end));
        }
        queries
    }

    fn records(&self, expression: &str, run: &Run, step: i64) -> Result<Vec<Series>> {
        let ends = (self.days.midnights[run.days.start + 1], self.days.midnights[run.days.end]);
        self.client.range(expression, ends, step)
    }

    /// A series' values, each with the day that ends when it was evaluated.
    fn by_day<'s>(&'s self, series: &'s Series) -> impl Iterator<Item = (usize, f64)> + 's {
        series.values.iter().filter_map(|(time, value)| {
            let end = self.days.midnights.binary_search(time).ok()?;
            Some((end.checked_sub(1)?, *value))
        })
    }
}

/// Divides days into runs that one query reads each.
fn runs(days: &Days, now: i64) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for day in 0..days.dates.len() {
        let (start, end) = days.span(day);
        let source = if end + RECORDED_AFTER > now {
            Source::Counters
        } else {
            let seconds = end - start;
            Source::Records { seconds, utc: seconds == DAY && start % DAY == 0 }
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

    fn add(&mut self, series: &Series, days: impl Iterator<Item = (usize, f64)>) {
        let (protocol, port) = (series.label("protocol"), series.label("port"));
        let service = Service::from_labels(protocol, port);
        let length = self.all.len();
        let mut cells =
            service.map(|service| self.services.entry(service).or_insert_with(|| vec![None; length]));
        for (day, packets) in days {
            let packets = whole(packets);
            self.all[day] += packets;
            if let Some(cells) = &mut cells {
                cells[day] = Some(cells[day].unwrap_or(0) + packets);
            } else if port == "other" {
                self.unranked[day] += packets;
            }
        }
    }

    fn counts(self) -> Counts {
        let mut services: Vec<_> = self.services.into_iter().collect();
        services.sort_by(|(a, _), (b, _)| a.cmp(b));
        Counts { services, all: self.all, unranked: self.unranked }
    }
}

/// A number of packets; records are whole numbers, exact below 2^53.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast saturates, and NaN gives 0"
)]
fn whole(packets: f64) -> u64 {
    packets.round() as u64
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::period::zone;
    use super::*;

    fn records(seconds: i64, utc: bool) -> Source {
        Source::Records { seconds, utc }
    }

    #[rstest]
    #[case::over("UTC", "2023-10-05T00:00:00Z", &[(0..3, records(DAY, true))])]
    #[case::record_to_come("UTC", "2023-10-04T01:59:59Z", &[(0..2, records(DAY, true)), (2..3, Source::Counters)])]
    #[case::in_progress("UTC", "2023-10-03T12:00:00Z", &[(0..2, records(DAY, true)), (2..3, Source::Counters)])]
    #[case::after_midnight("UTC", "2023-10-03T00:30:00Z", &[(0..1, records(DAY, true)), (1..3, Source::Counters)])]
    #[case::japan("Asia/Tokyo", "2023-10-05T00:00:00Z", &[(0..3, records(DAY, false))])]
    fn days_are_read_in_runs(
        #[case] tz: &str,
        #[case] now: &str,
        #[case] expected: &[(Range<usize>, Source)],
    ) {
        let day = |text: &str| text.parse().unwrap();
        let days = Days::new(day("2023-10-01"), day("2023-10-03"), &zone(tz).unwrap()).unwrap();
        let now: jiff::Timestamp = now.parse().unwrap();
        let found: Vec<_> =
            runs(&days, now.as_second()).into_iter().map(|run| (run.days, run.source)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_day_of_another_length_is_a_run_of_its_own() {
        let day = |text: &str| text.parse().unwrap();
        let days = Days::new(day("2023-10-28"), day("2023-10-30"), &zone("Europe/Berlin").unwrap()).unwrap();
        let found: Vec<_> = runs(&days, i64::MAX / 2).into_iter().map(|run| run.source).collect();
        assert_eq!(found, [records(DAY, false), records(25 * HOUR, false), records(DAY, false)]);
    }

    #[test]
    fn everything_counts_and_only_services_rank() {
        let mut sums = Sums::new(2);
        let mut add = |protocol: &str, port: &str, values: &[(usize, f64)]| {
            let labels = [("protocol", protocol), ("port", port)];
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
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
            [
                ("ICMP".to_owned(), vec![None, Some(0)]),
                ("23/TCP".to_owned(), vec![Some(6), Some((1 << 53) - 1)])
            ]
        );
        assert_eq!(counts.all, [13, (1 << 53) + 1]);
        assert_eq!(counts.unranked, [0, 2]);
    }
}
