//! Which windows an answer rests on, as they are at one moment: rows are made of them while memory is nobody's.

use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;

use super::super::ask::Ask;
use super::super::distinct::Distinct;
use super::super::memory::{Memory, OfSensor};
use super::super::window::{Span, Window};
use super::{Line, WindowLine};
use crate::obstacle::WrongUse;

/// Windows, each with its sensor's name.
pub(in crate::sources) type Chosen = Vec<(String, Arc<Window>)>;

impl Memory {
    /// The sensors that are asked for.
    ///
    /// # Errors
    /// There is none of that name.
    pub(super) fn named<'a>(
        &'a self,
        name: Option<&'a str>,
    ) -> Result<impl Iterator<Item = &'a OfSensor> + Clone> {
        let is_it = move |of_sensor: &&OfSensor| name.is_none_or(|name| name == of_sensor.name);
        let found = self.sensors.values().filter(is_it);
        match name {
            Some(name) if found.clone().next().is_none() => Err(WrongUse::no_sensor(name).into()),
            _ => Ok(found),
        }
    }

    /// The windows of the time that is asked for: hours, if they reach back to its begin, else days. Without one, the
    /// current hour and the last.
    ///
    /// # Errors
    /// There is no such sensor, or that is no time.
    pub(in crate::sources) fn chosen(&self, ask: &Ask) -> Result<Chosen> {
        is_time(ask.from, ask.to)?;
        let sensors = self.named(ask.sensor.as_deref())?;
        let first = |span| {
            let windows = sensors.clone().flat_map(|of_sensor| of_sensor.windows(span).both());
            windows.map(|window| window.start).min()
        };
        let reaches_back = |span| match (ask.from, first(span)) {
            (Some(from), Some(first)) => first <= from.as_second(),
            _ => true,
        };
        let span = if reaches_back(Span::Hour) { Span::Hour } else { Span::Day };
        let is_touched = |window: &Window| {
            ask.to.is_none_or(|to| window.start < to.as_second())
                && ask.from.is_none_or(|from| window.end() > from.as_second())
        };
        let windows = sensors
            .flat_map(|of_sensor| of_sensor.windows(span).both().map(|window| (&of_sensor.name, window)));
        let touched = windows.filter(|(_, window)| is_touched(window));
        Ok(touched.map(|(sensor, window)| (sensor.clone(), Arc::clone(window))).collect())
    }
}

impl Memory {
    /// All windows that there are.
    pub(in crate::sources) fn all_windows(&self) -> Chosen {
        let of_sensor = |of_sensor: &OfSensor| {
            let windows = Span::ALL.into_iter().flat_map(|span| of_sensor.windows(span).both());
            windows.map(|window| (of_sensor.name.clone(), Arc::clone(window))).collect::<Chosen>()
        };
        self.sensors.values().flat_map(of_sensor).collect()
    }

    /// Whether windows hold that time, of some sensor that is asked for, and no more than the rest of the hours that it begins
    /// and ends in: hours do from any moment, days from their begin to their end.
    ///
    /// # Errors
    /// There is no such sensor.
    pub(super) fn holds(&self, from: Timestamp, ask: &Ask) -> Result<bool> {
        let begins_or_ends_a_day = |time: Timestamp| time.as_second() % Span::Day.seconds() == 0;
        let is_of_days = begins_or_ends_a_day(from) && ask.to.is_none_or(begins_or_ends_a_day);
        let sensors = self.named(ask.sensor.as_deref())?;
        let holds = |span| {
            let windows = sensors.clone().flat_map(move |of_sensor| of_sensor.windows(span).both());
            windows.map(|window| window.since).min().is_some_and(|first| first <= from)
        };
        Ok(holds(Span::Hour) || is_of_days && holds(Span::Day))
    }
}

/// A line for each window.
pub(super) fn lines(chosen: &Chosen) -> impl Iterator<Item = Line> {
    chosen.iter().map(|(sensor, window)| {
        Line::Window(WindowLine {
            sensor: sensor.clone(),
            from: window.since,
            to: end(window),
            observed: window.observed,
            missed: window.missed,
            share: window.account().share(),
            sources: Some(window.sources()),
            summed_up: 0,
        })
    })
}

/// When a window ends.
pub(super) fn end(window: &Window) -> Timestamp {
    Timestamp::from_second(window.end()).unwrap_or(Timestamp::MAX)
}

/// Whether a time ends after it begins.
///
/// # Errors
/// It does not.
pub(super) fn in_order(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<()> {
    match (from, to) {
        (Some(from), Some(to)) if to <= from => {
            Err(WrongUse(format!("{to} is not after {from}: say the earlier time first")).into())
        }
        _ => Ok(()),
    }
}

/// Refuses an end without a beginning, too.
pub(super) fn is_time(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<()> {
    if from.is_none() && to.is_some() {
        return Err(WrongUse("an end alone is no time: say from when on, too".to_owned()).into());
    }
    in_order(from, to)
}

/// All of these sources together.
pub(super) fn together<'a>(parts: impl Iterator<Item = &'a Distinct>) -> Distinct {
    let mut all = Distinct::default();
    parts.for_each(|part| all.merge(part));
    all
}
