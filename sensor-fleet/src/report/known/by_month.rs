//! Averages per sensor and day by country, month by month.

use std::collections::BTreeMap;
use std::ops::Range;

use super::keyed::Keyed;
use super::{Days, at};
use crate::report::model::CountryMonths;
use crate::report::period;
use crate::report::tally::{month, per};

/// Numbers of sensors' days by country.
#[derive(Debug)]
pub(super) struct ByMonth {
    months: Vec<Month>,
}

#[derive(Debug)]
struct Month {
    name: String,
    /// Its days among all that are read.
    days: Range<usize>,
    sums: Keyed<String>,
    /// Days of sensors that tell something.
    sensor_days: f64,
}

impl ByMonth {
    /// For the months of some of these days.
    pub(super) fn new(days: &period::Days, of: &Range<usize>) -> Self {
        let mut months: Vec<Month> = Vec::new();
        for day in of.clone() {
            let name = month(days.dates[day]);
            if let Some(last) = months.last_mut().filter(|last| last.name == name) {
                last.days.end = day + 1;
            } else {
                let days = day..day + 1;
                months.push(Month { name, days, sums: Keyed::default(), sensor_days: 0.0 });
            }
        }
        Self { months }
    }

    /// Adds what a sensor had on those days that count.
    pub(super) fn add(&mut self, all: &BTreeMap<String, Days>, counts: impl Fn(usize) -> bool) {
        for month in &mut self.months {
            month.sums.add(all, &[month.days.clone(), 0..0], &counts);
            let told = |day: &usize| counts(*day) && all.values().any(|days| at(days, *day).is_some());
            month.sensor_days += month.days.clone().filter(told).map(|_| 1.0).sum::<f64>();
        }
    }

    /// The first countries of all months together, of those that have a rank; to be published, of three sensors or more.
    pub(super) fn rows(
        &self,
        length: usize,
        publish: bool,
        has_rank: impl Fn(&str) -> bool,
    ) -> Vec<CountryMonths> {
        let sums: Vec<BTreeMap<String, u64>> = self
            .months
            .iter()
            .map(|month| {
                month.sums.sums(publish).into_iter().map(|(country, sum, _)| (country, sum)).collect()
            })
            .collect();
        let mut all = BTreeMap::<&str, u64>::new();
        for (country, sum) in sums.iter().flatten().filter(|(country, _)| has_rank(country)) {
            let of = all.entry(country).or_default();
            *of = of.saturating_add(*sum);
        }
        let mut order: Vec<(&str, u64)> = all.into_iter().filter(|(_, sum)| *sum > 0).collect();
        order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let rows = order.into_iter().take(length).map(|(country, sum)| CountryMonths {
            country: country.to_owned(),
            sum,
            months: self
                .months
                .iter()
                .zip(&sums)
                .map(|(month, sums)| {
                    let sum = sums.get(country).copied().unwrap_or(0);
                    (month.name.clone(), per(sum, month.sensor_days))
                })
                .collect(),
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn countries_have_averages_of_the_days_that_tell() {
        let days = period::Days::new(date(2023, 10, 30), date(2023, 11, 2), &TimeZone::UTC).unwrap();
        let mut months = ByMonth::new(&days, &(0..4));
        let known = |jp: [Option<u64>; 4], other: [Option<u64>; 4]| {
            BTreeMap::from([("JP".to_owned(), jp.to_vec()), ("other".to_owned(), other.to_vec())])
        };
        months.add(&known([Some(4), None, Some(1), Some(9)], [Some(5); 4]), |day| day < 3);
        months.add(&known([None, Some(2), None, None], [None; 4]), |_| true);
        months.add(&BTreeMap::new(), |_| true);
        let rows = months.rows(10, false, |country| country != "other");
        let expected = [("2023-10".to_owned(), Some(2.0)), ("2023-11".to_owned(), Some(1.0))];
        assert_eq!(rows, [CountryMonths { country: "JP".to_owned(), sum: 7, months: expected.to_vec() }]);
        assert_eq!(months.rows(10, true, |_| true), [], "no three sensors have it");
    }
}
