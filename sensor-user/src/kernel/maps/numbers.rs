//! Which sensor has which number, and with it which pages of the counters.
//!
//! A number stays with its name as long as the counters live, whatever the configuration leaves out or adds
//! meanwhile, so that counts go on where they were.

use anyhow::{Context, Result, bail};
use aya::maps::{Array, Map, MapData};
use sensor_common::layout::{MAX_SENSORS, Name};

use crate::config::{NumberedSensor, Sensor, SensorNumber};

/// The names of all sensors there ever were, by number.
pub struct Numbers {
    names: Array<MapData, Name>,
}

/// The sensors of a configuration, numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// In the order of the configuration.
    pub sensors: Vec<NumberedSensor>,
    /// Numbers that another sensor had before, whose counts must be wiped out.
    pub taken_over: Vec<SensorNumber>,
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
    pub fn assign(&self, sensors: &[Sensor], running: &[NumberedSensor]) -> Result<Assigned> {
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
    pub fn record(&mut self, sensors: &[NumberedSensor]) -> Result<()> {
        for NumberedSensor { number, sensor } in sensors {
            self.names.set(number.0, Name::new(&sensor.name), 0).context("cannot give a sensor a number")?;
        }
        Ok(())
    }
}

fn assign(names: &[Name], sensors: &[Sensor], running: &[NumberedSensor]) -> Result<Assigned> {
    let wanted: Vec<Name> = sensors.iter().map(|sensor| Name::new(&sensor.name)).collect();
    let is_running = |number| running.iter().any(|running| running.number == number);
    let all = || (0..).map(SensorNumber).zip(names);
    let mut never_given = all().filter(|(_, name)| **name == Name::NONE).map(|(number, _)| number);
    let mut retired = all()
        .filter(|(number, name)| **name != Name::NONE && !wanted.contains(name) && !is_running(*number))
        .map(|(number, _)| number);
    let mut assigned = Assigned { sensors: Vec::with_capacity(sensors.len()), taken_over: Vec::new() };
    for sensor in sensors {
        let name = Name::new(&sensor.name);
        let had = all().find(|(_, known)| **known == name).map(|(number, _)| number);
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
        assigned.sensors.push(NumberedSensor { number, sensor: sensor.clone() });
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

    fn sensor(name: &str) -> Sensor {
        Sensor { name: name.to_owned(), region: String::new(), alias: None, prefixes: vec![] }
    }

    fn numbered(numbers: &[u32], names: &[&str]) -> Vec<NumberedSensor> {
        let number = |(&number, &name): (&u32, &&str)| NumberedSensor {
            number: SensorNumber(number),
            sensor: sensor(name),
        };
        numbers.iter().zip(names).map(number).collect()
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
        let sensors: Vec<_> = wanted.iter().map(|&name| sensor(name)).collect();
        let assigned = assign(&names(known, total), &sensors, &[]).unwrap();
        let taken_over: Vec<_> = taken_over.iter().copied().map(SensorNumber).collect();
        assert_eq!((assigned.sensors, assigned.taken_over), (numbered(numbers, wanted), taken_over));
    }

    #[test]
    fn what_is_counted_for_now_is_not_taken_over() {
        let known = names(&["a", "b"], 2);
        let wanted = [sensor("c")];
        let running = numbered(&[0, 1], &["a", "b"]);
        assert_eq!(assign(&known, &wanted, &running[..1]).unwrap().sensors, numbered(&[1], &["c"]));
        assert!(assign(&known, &wanted, &running).is_err());
    }
}
