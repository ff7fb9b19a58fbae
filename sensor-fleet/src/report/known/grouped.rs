//! Averages per sensor and day, month by month, at home and overseas.

use std::collections::{BTreeMap, BTreeSet};

use super::keyed::Sum;
use crate::report::model::{Mean, MeanMonth};
use crate::report::spread::SENSORS;
use crate::report::tally::per;

/// What a sensor had in a month in one group.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    sum: u64,
    days: f64,
}

/// Numbers of sensors' days. The groups are the home region and all others; without a home region all is overseas.
#[derive(Clone, Debug, Default)]
pub(super) struct Grouped {
    /// By month, group and sensor.
    parts: BTreeMap<(String, bool), BTreeMap<usize, Part>>,
}

impl Grouped {
    /// Adds a sensor's day, or the part of it that it observed.
    pub(super) fn add(&mut self, sensor: usize, (month, is_home): (&str, bool), number: u64, days: f64) {
        let part = self.parts.entry((month.to_owned(), is_home)).or_default().entry(sensor).or_default();
        part.sum = part.sum.saturating_add(number);
        part.days += days;
    }

    /// Month by month; to be published, of groups of three sensors or more, and none that the others would tell.
    pub(super) fn months(&self, has_home: bool, publish: bool) -> Vec<MeanMonth> {
        let months: BTreeSet<&String> = self.parts.keys().map(|(month, _)| month).collect();
        let month = |month: &String| {
            let groups = [true, false].map(|is_home| self.parts.get(&(month.clone(), is_home)));
            let enough = |parts: &BTreeMap<usize, Part>| !publish || parts.len() >= SENSORS;
            let both = groups.iter().flatten().all(|group| enough(group));
            let of = |group: Option<&BTreeMap<usize, Part>>| {
                mean(group.filter(|_| has_home && both)?.values().copied(), publish)
            };
            let mut all = BTreeMap::<usize, Part>::new();
            for (sensor, part) in groups.iter().flatten().flat_map(|group| group.iter()) {
                let sum = all.entry(*sensor).or_default();
                sum.sum = sum.sum.saturating_add(part.sum);
                sum.days += part.days;
            }
            let all = Some(all).filter(enough).and_then(|all| mean(all.into_values(), publish));
            MeanMonth { month: month.clone(), home: of(groups[0]), overseas: of(groups[1]), all }
        };
        months.into_iter().map(month).collect()
    }
}

/// Nothing if no sensor told anything.
fn mean(parts: impl Iterator<Item = Part>, publish: bool) -> Option<Mean> {
    let (mut sum, mut sensor_days) = (Sum::default(), 0.0);
    for part in parts {
        sum.add(part.sum);
        sensor_days += part.days;
    }
    let sum = sum.of(publish);
    Some(Mean { sum, sensor_days, per_sensor_day: per(sum, sensor_days)? })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::house(&[1, 2], &[9], false, [Some(1.5), Some(9.0), Some(4.0)])]
    #[case::only_overseas(&[], &[4, 6], false, [None, Some(5.0), Some(5.0)])]
    #[case::public(&[1, 2, 6], &[30, 6, 9], true, [Some(1.0), Some(6.0), Some(4.5)])]
    #[case::two_at_home_would_be_told(&[1, 2], &[9, 9, 9], true, [None, None, Some(6.0)])]
    #[case::two_in_all(&[1], &[9], true, [None, None, None])]
    fn what_is_published_has_three_sensors(
        #[case] home: &[u64],
        #[case] overseas: &[u64],
        #[case] publish: bool,
        #[case] expected: [Option<f64>; 3],
    ) {
        let mut grouped = Grouped::default();
        let all = home.iter().map(|it| (true, it)).chain(overseas.iter().map(|it| (false, it)));
        for (sensor, (is_home, number)) in all.enumerate() {
            grouped.add(sensor, ("2023-10", is_home), *number, 1.0);
        }
        let months = grouped.months(true, publish);
        let value = |mean: Option<Mean>| mean.map(|mean| mean.per_sensor_day);
        let found = months.iter().map(|it| [it.home, it.overseas, it.all].map(value)).next();
        assert_eq!(found, Some(expected));
    }

    /// A sensor that moves within a month is one of three only once.
    #[test]
    fn a_sensor_in_both_groups_is_one() {
        let mut grouped = Grouped::default();
        for (sensor, is_home) in [(0, true), (0, false), (1, false)] {
            grouped.add(sensor, ("2023-10", is_home), 5, 1.0);
        }
        assert_eq!(grouped.months(true, true)[0].all, None);
    }
}
