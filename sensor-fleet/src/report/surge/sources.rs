//! Numbers of sources as days to be judged: in all, and by country.
//!
//! A day is observed if the sensor tells how many sources it had, and of nearly all its packets: what a thin share of them
//! tells is not what was there. A country without a number had no more sources than the countries without one together.

use std::collections::BTreeMap;

use super::analysis::{Analysis, Topic};
use super::{Cell, SensorDays, Settings};
use crate::report::history::Observer;
use crate::report::known::{Known, OTHER, UNKNOWN, at};

/// Fewer sources than this in a day are no event.
const FLOOR: u64 = 20;
/// The part of a day's packets whose sources must have been looked at.
const LEAST_SHARE: f64 = 0.9;

/// What sensors tell.
#[derive(Debug, Default)]
pub(super) struct SourceDays {
    sensors: Vec<SensorDays>,
    cells: BTreeMap<Topic, Vec<Cell>>,
}

impl SourceDays {
    /// Adds a sensor that was up on these days. One that tells nothing is one that observed nothing.
    pub(super) fn add(&mut self, observer: &Observer, known: &Known, up: &[bool], judge: (&Settings, usize)) {
        let days = up.len();
        let told = |day: usize| {
            let told = at(&known.sources, day).is_some();
            told && known.share(day).is_some_and(|share| share >= LEAST_SHARE)
        };
        let there: Vec<bool> = up.iter().enumerate().map(|(day, up)| *up && told(day)).collect();
        let others = known.country_sources.get(OTHER);
        let unseen = (0..days).map(|day| others.and_then(|days| at(days, day)).unwrap_or(0)).collect();
        let sensor = self.sensors.len();
        let mut cell = |topic: Topic, numbers: &[Option<u64>]| {
            let counts: Vec<Option<u64>> = (0..days).map(|day| at(numbers, day)).collect();
            if counts.iter().zip(&there).any(|(count, there)| count.is_some() && *there) {
                self.cells.entry(topic).or_default().push(Cell { sensor, counts });
            }
        };
        cell(Topic::Sources, &known.sources);
        for (country, days) in &known.country_sources {
            if ![OTHER, UNKNOWN].contains(&country.as_str()) {
                cell(Topic::Country(country.clone()), days);
            }
        }
        self.sensors.push(SensorDays::new(observer, there, unseen, judge));
    }

    /// What it is all judged in, if there is anything.
    pub(super) fn analysis(self, settings: Settings, first: usize, days: usize) -> Option<Analysis> {
        let settings = Settings { floor: FLOOR, ..settings };
        (!self.cells.is_empty()).then(|| Analysis::new(settings, first, days, self.sensors, self.cells))
    }
}
