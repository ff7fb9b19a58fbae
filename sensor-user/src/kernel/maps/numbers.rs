//! Which sensor has which number, and with it which pages of the counters.
//!
//! A number stays with its name as long as the counters live, whatever the configuration leaves out or adds
//! meanwhile, so that counts go on where they were.

use anyhow::{Context, Result, bail};
use aya::maps::{Array, Map, MapData};
use sensor_common::layout::{MAX_SENSORS, Name};

use crate::config::Sensor;

/// The names of all sensors there ever were, by number.
pub struct Numbers {
    names: Array<MapData, Name>,
}

/// The numbers of the sensors of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// In the order of the configuration.
    pub numbers: Vec<u32>,
    /// Those that another sensor had before, whose counts must be wiped out.
    pub taken_over: Vec<u32>,
}

impl Numbers {
    pub(super) fn new(map: MapData) -> Result<Self> {
        let names = Map::from_map_data(map)
            .and_then(Array::try_from)
            .context("the map of the sensors' names is not an array of names")?;
        Ok(Self { names })
    }

    /// Gives each sensor the number that it had, or one that nobody has. Only when all are given away, one
    /// of a sensor that is not configured any more; `running` are those that programs count for now.
    ///
    /// # Errors
    /// The kernel does not read or write the map, or every number is in use.
    pub fn assign(&self, sensors: &[Sensor], running: &[u32]) -> Result<Assigned> {
        let names: Vec<Name> = self
            .names
            .iter()
            .collect::<Result<_, _>>()
            .context("cannot read the sensors' names from the kernel")?;
        assign(&names, sensors, running)
    }

    /// Writes down who has which number, once counters that another sensor had are wiped out.
    ///
    /// # Errors
    /// The kernel does not write the map.
    pub fn record(&mut self, numbers: &[u32], sensors: &[Sensor]) -> Result<()> {
        for (&number, sensor) in numbers.iter().zip(sensors) {
            self.names.set(number, Name::new(&sensor.name), 0).context("cannot give a sensor a number")?;
        }
        Ok(())
    }
}

fn assign(names: &[Name], sensors: &[Sensor], running: &[u32]) -> Result<Assigned> {
    let wanted: Vec<Name> = sensors.iter().map(|sensor| Name::new(&sensor.name)).collect();
    let all = || (0_u32..).zip(names);
    let mut never_given = all().filter(|(_, name)| **name == Name::NONE).map(|(number, _)| number);
    let mut retired = all()
        .filter(|(number, name)| **name != Name::NONE && !wanted.contains(name) && !running.contains(number))
        .map(|(number, _)| number);
    let mut assigned = Assigned { numbers: Vec::with_capacity(wanted.len()), taken_over: Vec::new() };
    for name in &wanted {
        let had = all().find(|(_, known)| *known == name).map(|(number, _)| number);
        let number = if let Some(number) = had.or_else(|| never_given.next()) {
            number
        } else {
            let Some(number) = retired.next() else {
                bail!(
                    "all {MAX_SENSORS} sensors' counters are in use: reload once without the sensors that are to \
                     go, then again with the new ones"
                );
            };
            assigned.taken_over.push(number);
            number
        };
        assigned.numbers.push(number);
    }
    Ok(assigned)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn names(names: &[&str], total: usize) -> Vec<Name> {
        let mut all: Vec<_> =
            names.iter().map(|name| if name.is_empty() { Name::NONE } else { Name::new(name) }).collect();
        all.resize(total, Name::NONE);
        all
    }

    #[rstest]
    #[case::first(&[], 4, &["a", "b"], &[0, 1], &[])]
    #[case::another_order(&["a", "b"], 4, &["b", "a"], &[1, 0], &[])]
    #[case::one_more_in_front(&["a", "b"], 4, &["c", "a", "b"], &[2, 0, 1], &[])]
    #[case::one_left_out_keeps_its_number(&["a", "b"], 4, &["c", "b"], &[2, 1], &[])]
    #[case::comes_back(&["a", "b", "c"], 4, &["a"], &[0], &[])]
    #[case::all_given_away(&["a", "b"], 2, &["b", "c"], &[1, 0], &[0])]
    fn numbers_stay_with_names(
        #[case] known: &[&str],
        #[case] total: usize,
        #[case] wanted: &[&str],
        #[case] numbers: &[u32],
        #[case] taken_over: &[u32],
    ) {
        let sensors: Vec<_> = wanted
            .iter()
            .map(|&name| Sensor { name: name.to_owned(), region: String::new(), prefixes: vec![] })
            .collect();
        let assigned = assign(&names(known, total), &sensors, &[]).unwrap();
        assert_eq!((&*assigned.numbers, &*assigned.taken_over), (numbers, taken_over));
    }

    #[test]
    fn what_is_counted_for_now_is_not_taken_over() {
        let sensor = Sensor { name: "c".to_owned(), region: String::new(), prefixes: vec![] };
        let known = names(&["a", "b"], 2);
        assert_eq!(assign(&known, std::slice::from_ref(&sensor), &[0]).unwrap().numbers, [1]);
        assert!(assign(&known, &[sensor], &[0, 1]).is_err());
    }
}
