//! Numbers of sources as they may be judged for a report that leaves the house: of each day, with no sensor counting for more
//! than the third.

use std::collections::BTreeMap;

use super::{Days, Known};
use crate::report::spread::Backed;

/// What the third sensor had, day by day.
#[derive(Clone, Debug, Default)]
pub struct Caps {
    sources: Vec<Backed>,
    countries: BTreeMap<String, Vec<Backed>>,
}

impl Caps {
    /// Adds a sensor.
    pub fn add(&mut self, known: &Known) {
        add(&mut self.sources, &known.sources);
        for (country, days) in &known.country_sources {
            add(self.countries.entry(country.clone()).or_default(), days);
        }
    }

    /// A sensor's numbers of sources, each day no more than the third sensor's; and nothing else of what is known.
    #[must_use]
    pub fn capped(&self, known: &Known) -> Known {
        let countries = known.country_sources.iter().map(|(country, days)| {
            let caps = self.countries.get(country).map_or(&[][..], Vec::as_slice);
            (country.clone(), cap(days, caps))
        });
        Known {
            sources: cap(&known.sources, &self.sources),
            country_sources: countries.collect(),
            observed: known.observed.clone(),
            missed: known.missed.clone(),
            ..Known::default()
        }
    }
}

fn add(sums: &mut Vec<Backed>, days: &Days) {
    sums.resize(sums.len().max(days.len()), Backed::default());
    for (sum, number) in sums.iter_mut().zip(days) {
        sum.add(number.unwrap_or(0));
    }
}

fn cap(days: &Days, caps: &[Backed]) -> Days {
    let cap = |day: usize| caps.get(day).map_or(0, |sum| sum.cap());
    days.iter().enumerate().map(|(day, number)| number.map(|number| number.min(cap(day)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sensors_count_for_no_more_than_the_third() {
        let known = |sources: u64, rare: u64| Known {
            sources: vec![Some(sources), None],
            country_sources: BTreeMap::from([("KP".to_owned(), vec![Some(rare), None])]),
            ..Known::default()
        };
        let all = [known(9, 4), known(5, 1), known(7, 0)];
        let mut caps = Caps::default();
        for known in &all {
            caps.add(known);
        }
        let found = all.map(|known| caps.capped(&known));
        assert_eq!(
            found.map(|known| (known.sources[0], known.country_sources["KP"][0])),
            [(Some(5), Some(0)), (Some(5), Some(0)), (Some(5), Some(0)),]
        );
    }
}
