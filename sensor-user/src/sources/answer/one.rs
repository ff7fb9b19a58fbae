//! Everything that is known of one source.

use std::collections::HashSet;

use anyhow::Result;

use super::super::ask::AskSource;
use super::super::register::Register;
use super::filter::{ports, row_of};
use super::stored;
use super::windows::{end, is_time};
use super::{Belongs, Did, Line};

impl Register {
    /// Everything that is known of a source: whose it is, what it did in each window, its scans, and itself as a victim; from
    /// some time on, what the store has of that.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn source(&self, ask: &AskSource) -> Result<Vec<Line>> {
        let source = ask.source;
        let lists = self.lists();
        let mut answer = vec![Line::Belongs(Belongs::of(source, &lists))];
        is_time(ask.from, ask.to)?;
        if let Some(from) = ask.from
            && let Some(reader) = self.reader()
        {
            answer.extend(stored::source(&reader, from, ask, &lists)?);
        } else {
            let all = self.memory().all_windows();
            for (sensor, window) in all {
                let place = window.sources.get(&source);
                let ports = ports(std::iter::once(window.as_ref()), &HashSet::from([source]));
                let ports = ports.get(&source).map(Vec::as_slice).unwrap_or_default();
                answer.push(Line::Did(Did {
                    sensor,
                    from: window.since,
                    to: end(&window),
                    share: window.account().share(),
                    row: place.map(|place| row_of(source, place, ports, &lists)),
                    unseen: place.map_or(window.sources.error(), |place| place.before),
                }));
            }
        }
        answer.extend(self.events_of(ask)?);
        Ok(answer)
    }
}
