//! Which constituency has which number, and with it which of a sensor's side counters.
//!
//! A number is a name's for as long as the counters live. It is never given to another: side counters are one page,
//! of which nothing can be set to zero while a program counts in it.

use anyhow::{Context as _, Result, bail};
use aya::maps::{Array, Map, MapData};
use sensor_common::layout::Name;
use sensor_common::policy::MAX_CONSTITUENCIES;

/// The names of all constituencies there ever were, by number.
pub(super) struct Constituencies {
    names: Array<MapData, Name>,
}

impl Constituencies {
    pub(super) fn new(map: MapData) -> Result<Self> {
        let names = Map::from_map_data(map)
            .and_then(Array::try_from)
            .context("the map of the constituencies' names is not an array of names")?;
        Ok(Self { names })
    }

    /// The number of each name, in their order: the one that it had, or one that none had.
    ///
    /// # Errors
    /// The kernel does not read or write the map, or every number has been given.
    pub(super) fn assign(&mut self, wanted: &[&str]) -> Result<Vec<u32>> {
        let known: Vec<Name> = self
            .names
            .iter()
            .collect::<Result<_, _>>()
            .context("cannot read the constituencies' names from the kernel")?;
        let numbers = assign(&known, wanted)?;
        for (&number, name) in numbers.iter().zip(wanted) {
            self.names.set(number, Name::new(name), 0).context("cannot give a constituency a number")?;
        }
        Ok(numbers)
    }
}

fn assign(known: &[Name], wanted: &[&str]) -> Result<Vec<u32>> {
    let all = || (0..).zip(known);
    let mut never_given = all().filter(|(_, name)| **name == Name::NONE).map(|(number, _)| number);
    let number = |name: &&str| {
        let had = all().find(|(_, known)| **known == Name::new(name)).map(|(number, _)| number);
        let Some(number) = had.or_else(|| never_given.next()) else {
            bail!(
                "all {MAX_CONSTITUENCIES} counters of constituencies have been given, and constituency {name:?} is new: \
                 give it a name that one had before, or begin all counts anew with `sensor detach`"
            );
        };
        Ok(number)
    };
    wanted.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::first(&[], 4, &["a", "b"], &[0, 1])]
    #[case::another_order(&["a", "b"], 4, &["b", "a"], &[1, 0])]
    #[case::one_more_in_front(&["a", "b"], 4, &["c", "a"], &[2, 0])]
    #[case::none_is_given_to_another(&["a", "b"], 2, &["c"], &[])]
    #[case::comes_back(&["a", "b"], 2, &["b"], &[1])]
    fn numbers_stay_with_names(
        #[case] known: &[&str],
        #[case] total: usize,
        #[case] wanted: &[&str],
        #[case] expected: &[u32],
    ) {
        let mut names: Vec<_> = known.iter().map(|name| Name::new(name)).collect();
        names.resize(total, Name::NONE);
        assert_eq!(assign(&names, wanted).unwrap_or_default(), expected);
    }
}
