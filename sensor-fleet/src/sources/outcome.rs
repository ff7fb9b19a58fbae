//! What is said of a fleet's sources, and what it rests on.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::merge::{Merge, STANDARD_ERROR, Seen};
use super::source::Source;

/// Sensors that a row names at most.
const MOST_NAMED: usize = 8;

/// A number of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// How many.
    pub count: u64,
    /// Whether that is exact, or an estimate with [`STANDARD_ERROR`].
    pub exact: bool,
}

/// What a sensor says, and of which time.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// The sensor.
    pub sensor: String,
    /// Which agent said so; none of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What it speaks of.
    pub from: Timestamp,
    /// Until then.
    pub to: Timestamp,
    /// Packets of that time that were counted and whose sources were looked at.
    pub observed: u64,
    /// Those whose sources were not.
    pub missed: u64,
    /// What is asked for of those.
    pub packets: u64,
    /// How many sources sent them, as the sensor says itself.
    pub sources: Option<Count>,
    /// Sources that it names.
    pub named: u64,
    /// Whether it names all that it knows of.
    pub complete: bool,
    /// Whether there were more than it knows of.
    pub at_least: bool,
    /// What is wrong with its answer.
    pub notes: Vec<String>,
}

/// Who did not answer, or not right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Silent {
    /// An agent, or a file.
    pub who: String,
    /// Why, and what to do.
    pub cause: String,
}

/// What a number of sources is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// All of them, by their addresses.
    Addresses,
    /// Sketches of the sensors, made with one key.
    Sketches,
    /// A sketch of those that sensors name, which are too many to follow.
    Names,
    /// What sensors name and say of themselves: there were at least so many.
    Bound,
}

/// The whole fleet.
#[derive(Clone, Debug, Serialize)]
pub struct Total {
    /// Sensors that the rest is of.
    pub sensors: usize,
    /// Agents and files that are missing in it.
    pub silent: usize,
    /// Packets of what is asked for.
    pub packets: u64,
    /// Different sources that sent them.
    pub sources: Count,
    /// What that is made of.
    pub basis: Basis,
    /// Its standard error, as a part of it; 0 of what is exact.
    pub error: f64,
    /// There were at least so many: packets were missed, or somebody is silent, or not all are known.
    pub at_least: bool,
    /// There were at most so many sources of what was observed, if that is known.
    pub at_most: Option<u64>,
    /// What was observed of all that was counted; none where nothing was.
    pub share: Option<f64>,
    /// Sources that are known by their addresses, which rows are of and the next two.
    pub named: u64,
    /// Those that one sensor alone names.
    pub by_one_sensor: u64,
    /// Those that sensors of one agent alone name; not told of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_one_agent: Option<u64>,
    /// Whether the last two are exact: all sensors name all sources, and all are followed.
    pub complete: bool,
}

/// A source.
#[derive(Clone, Debug, Serialize)]
pub struct SourceRow {
    /// It.
    pub source: Source,
    /// What it sent to all sensors.
    pub packets: u64,
    /// So many more it may have sent.
    pub more: u64,
    /// Bytes of those that were seen.
    pub bytes: u64,
    /// How many sensors name it.
    pub sensors: usize,
    /// Some of them.
    pub of: Vec<String>,
    /// When it was seen first.
    pub first: Timestamp,
    /// And last.
    pub last: Timestamp,
    /// Its country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Its autonomous system.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub system: Option<u32>,
    /// Whose that is.
    #[serde(rename = "as_name", skip_serializing_if = "Option::is_none")]
    pub system_name: Option<String>,
    /// The known scanner that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scanner: Option<String>,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Sensors, by name.
    pub sensors: Vec<Told>,
    /// Who is missing.
    pub silent: Vec<Silent>,
    /// The sum.
    pub total: Total,
    /// Those that sent most, the first first.
    pub rows: Vec<SourceRow>,
}

impl Outcome {
    pub(super) fn of(merge: &Merge, limit: usize) -> Self {
        let total = total(merge);
        let mut sensors = merge.sensors.clone();
        // Where all are named, nobody misses a sketch.
        for (place, wrong) in merge.lacking.iter().filter(|_| total.basis != Basis::Addresses) {
            if let Some(told) = sensors.get_mut(*place as usize) {
                told.notes.push(wrong.clone());
            }
        }
        sensors.sort_by(|a, b| (&a.sensor, &a.agent).cmp(&(&b.sensor, &b.agent)));
        let mut silent = merge.silent.clone();
        silent.sort_by(|a, b| a.who.cmp(&b.who));
        Self { total, rows: rows(merge, limit), sensors, silent }
    }
}

fn total(merge: &Merge) -> Total {
    let sensors = &merge.sensors;
    let all = |of: fn(&Told) -> u64| sensors.iter().map(of).fold(0, u64::saturating_add);
    let (observed, missed) = (all(|it| it.observed), all(|it| it.missed));
    let followed = merge.sources.len() as u64;
    let named = if merge.is_cut { rounded(merge.rows.estimate()) } else { followed };
    let names_all = sensors.iter().all(|it| it.complete);
    let sketches = merge.together.estimate();
    // One sensor alone may know of more than all of them name.
    let most_of_one = sensors.iter().filter_map(|it| it.sources).map(|it| it.count).max().unwrap_or_default();
    let (count, basis) = match (names_all, merge.is_cut, sketches) {
        (true, false, _) => (named, Basis::Addresses),
        (_, _, Some(sketches)) => (rounded(sketches).max(followed), Basis::Sketches),
        (true, true, None) => (named, Basis::Names),
        (false, _, None) => (named.max(most_of_one), Basis::Bound),
    };
    let is_estimate = match basis {
        Basis::Addresses => false,
        Basis::Sketches | Basis::Names => true,
        Basis::Bound => merge.is_cut || sensors.iter().filter_map(|it| it.sources).any(|it| !it.exact),
    };
    let is_known = |it: &Told| it.sources.is_some_and(|sources| sources.exact);
    let by = |one: fn(&Merge, &Seen) -> bool| {
        merge.sources.values().filter(|seen| one(merge, seen)).count() as u64
    };
    let has_agents = sensors.iter().any(|it| it.agent.is_some());
    Total {
        sensors: sensors.len(),
        silent: merge.silent.len(),
        packets: all(|it| it.packets),
        sources: Count { count, exact: !is_estimate },
        basis,
        error: if is_estimate { STANDARD_ERROR } else { 0.0 },
        at_least: basis == Basis::Bound || !merge.silent.is_empty() || sensors.iter().any(|it| it.at_least),
        at_most: (basis == Basis::Bound && sensors.iter().all(is_known))
            .then(|| all(|it| it.sources.map_or(0, |sources| sources.count))),
        share: (observed + missed > 0).then(|| part(observed, observed + missed)),
        named,
        by_one_sensor: by(|_, seen| seen.sensors.len() == 1),
        by_one_agent: has_agents.then(|| by(|merge, seen| agents(merge, seen).len() == 1)),
        complete: names_all && !merge.is_cut,
    }
}

fn agents<'a>(merge: &'a Merge, seen: &Seen) -> BTreeSet<&'a str> {
    let told = seen.sensors.iter().filter_map(|place| merge.sensors.get(*place as usize));
    told.filter_map(|told| told.agent.as_deref()).collect()
}

fn rows(merge: &Merge, limit: usize) -> Vec<SourceRow> {
    let mut most: Vec<_> = merge.sources.iter().collect();
    let order = |&(source, seen): &(&Source, &Seen)| (Reverse(seen.packets), *source);
    if most.len() > limit {
        most.select_nth_unstable_by_key(limit, order);
        most.truncate(limit);
    }
    most.sort_unstable_by_key(order);
    let row = |(source, seen): (&Source, &Seen)| {
        let names = seen.sensors.iter().filter_map(|place| merge.sensors.get(*place as usize));
        let mut of: Vec<_> = names.map(|told| told.sensor.clone()).collect();
        of.sort();
        of.truncate(MOST_NAMED);
        let belongs = merge.belongs(seen).cloned().unwrap_or_default();
        SourceRow {
            source: *source,
            packets: seen.packets,
            more: seen.more,
            bytes: seen.bytes,
            sensors: seen.sensors.len(),
            of,
            first: seen.first,
            last: seen.last,
            country: belongs.country,
            system: belongs.system,
            system_name: belongs.system_name,
            scanner: belongs.scanner,
        }
    };
    most.into_iter().map(row).collect()
}

/// A part of something, between 0 and 1.
#[expect(clippy::cast_precision_loss, reason = "a share")]
pub fn part(of: u64, all: u64) -> f64 {
    of as f64 / all as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of sources, which is no less than 0"
)]
fn rounded(estimate: f64) -> u64 {
    estimate.round() as u64
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::sources::merge::Row;

    fn told(sensor: &str, sources: Option<Count>, named: u64) -> Told {
        let complete = sources.is_some_and(|it| it.exact && it.count == named);
        Told {
            sensor: sensor.to_owned(),
            agent: None,
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::UNIX_EPOCH,
            observed: 90,
            missed: 0,
            packets: 9,
            sources,
            named,
            complete,
            at_least: false,
            notes: Vec::new(),
        }
    }

    /// Two sensors that have sources 0..3 and 2..5, as far as they name them.
    fn merged(first: &[u32], counts: [Option<Count>; 2]) -> Merge {
        let mut merge = Merge::new();
        for (sources, (name, counted)) in
            [first, &[2, 3, 4]].into_iter().zip(["a", "b"].into_iter().zip(counts))
        {
            let place = merge.sensor(told(name, counted, sources.len() as u64));
            for &source in sources {
                let (first, last) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
                let source = Source::V4(source.into());
                merge.add(place, &Row { source, packets: 3, more: 0, bytes: 180, first, last }, None);
            }
        }
        merge
    }

    const THREE: Option<Count> = Some(Count { count: 3, exact: true });
    const MANY: Option<Count> = Some(Count { count: 700, exact: true });

    #[rstest]
    #[case::all_are_named(&[0, 1, 2], [THREE, THREE], (5, Basis::Addresses, false, None, 4))]
    // One names two of its three: five at least are not known, nor more than six possible.
    #[case::one_is_not(&[0, 1], [THREE, THREE], (5, Basis::Bound, true, Some(6), 5))]
    #[case::one_has_many(&[0, 1], [MANY, THREE], (700, Basis::Bound, true, Some(703), 5))]
    #[case::one_does_not_know(&[0, 1], [None, THREE], (5, Basis::Bound, true, None, 5))]
    fn a_number_says_what_it_rests_on(
        #[case] first: &[u32],
        #[case] counts: [Option<Count>; 2],
        #[case] expected: (u64, Basis, bool, Option<u64>, u64),
    ) {
        let total = merged(first, counts).outcome(9).total;
        let found = (total.sources.count, total.basis, total.at_least, total.at_most, total.by_one_sensor);
        assert_eq!(found, expected);
    }

    #[test]
    fn whoever_is_silent_makes_a_bound_of_it() {
        let mut merge = merged(&[0, 1, 2], [THREE, THREE]);
        merge.silent(Silent { who: "c".to_owned(), cause: "it is away".to_owned() });
        let outcome = merge.outcome(2);
        assert!(outcome.total.at_least && outcome.total.silent == 1);
        let rows: Vec<_> =
            outcome.rows.iter().map(|row| (row.source.to_string(), row.packets, row.sensors)).collect();
        assert_eq!(rows, [("0.0.0.2".to_owned(), 6, 2), ("0.0.0.0".to_owned(), 3, 1)]);
    }
}
