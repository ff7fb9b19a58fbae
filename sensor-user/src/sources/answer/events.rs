//! Scans and victims.

use std::collections::HashSet;

use anyhow::Result;
use jiff::Timestamp;

use super::super::ask::{AskEvents, AskSource};
use super::super::lists::Lists;
use super::super::register::Register;
use super::super::scans::{self, Scan};
use super::super::source::Source;
use super::super::victims::{self, Victim};
use super::windows::in_order;
use super::{Belongs, DefinitionLine, Line, ScanRow, VictimDefinitionLine, VictimRow};
use crate::config::VictimDefinition;
use crate::obstacle::WrongUse;
use crate::store::{self, Event, EventKind};

/// Events of the store that an answer has, at most: the latest.
const MOST: usize = 10_000;

impl Register {
    /// Scans, the oldest first, and how they are defined.
    ///
    /// # Errors
    /// There is no such sensor, or no list of known scanners.
    pub fn scans(&self, ask: &AskEvents) -> Result<Vec<Line>> {
        self.scans_of(None, ask)
    }

    /// Addresses under denial of service, the oldest first, and how they are defined.
    ///
    /// # Errors
    /// As for [`Register::scans`].
    pub fn victims(&self, ask: &AskEvents) -> Result<Vec<Line>> {
        self.victims_of(None, ask)
    }

    /// Scans by one source, or by all.
    fn scans_of(&self, source: Option<Source>, ask: &AskEvents) -> Result<Vec<Line>> {
        let lists = self.lists();
        check(ask, &lists)?;
        let memory = self.memory();
        let mut answer = Vec::new();
        let mut found = Vec::new();
        for of_sensor in memory.named(ask.sensor.as_deref())? {
            let sensor = || of_sensor.name.clone();
            let definition = of_sensor.scans.definition();
            let forgotten = of_sensor.scans.forgotten();
            answer.push(Line::Definition(DefinitionLine { sensor: sensor(), definition, forgotten }));
            let scans = of_sensor
                .scans
                .all(&of_sensor.accounts)
                .filter(|scan| is_then(ask, scan.start, scan.end, scan.ongoing));
            found.extend(scans.map(|scan| (sensor(), scan)));
        }
        drop(memory);
        let row = |(sensor, scan): (String, Scan)| ScanRow {
            sensor,
            belongs: Belongs::of(scan.source, &lists),
            scan,
        };
        let mut rows: Vec<_> = found.into_iter().map(row).collect();
        let is_there: HashSet<_> =
            rows.iter().map(|row| (row.sensor.clone(), row.scan.source, row.scan.start)).collect();
        let earlier = self.earlier(EventKind::Scan, source, ask)?.into_iter().filter_map(|event| {
            let mut scan: Scan = serde_json::from_value(event.detail).ok()?;
            scan.ongoing &= is_recent(scan.end, scans::SILENCE);
            let belongs = Belongs::of(scan.source, &lists);
            Some(ScanRow { sensor: event.sensor, belongs, scan })
        });
        rows.extend(
            earlier.filter(|row| !is_there.contains(&(row.sensor.clone(), row.scan.source, row.scan.start))),
        );
        rows.retain(|row| !ask.without_known_scanners || row.belongs.scanner.is_none());
        rows.sort_by_key(|row| (row.scan.start, row.scan.source));
        answer.extend(rows.into_iter().map(Line::Scan));
        Ok(answer)
    }

    /// Attacks on one address, or on all.
    fn victims_of(&self, source: Option<Source>, ask: &AskEvents) -> Result<Vec<Line>> {
        let lists = self.lists();
        check(ask, &lists)?;
        let memory = self.memory();
        let mut answer = Vec::new();
        let mut found = Vec::new();
        for of_sensor in memory.named(ask.sensor.as_deref())? {
            let VictimDefinition { packets, time, packets_per_minute } = of_sensor.victims.definition();
            answer.push(Line::VictimDefinition(VictimDefinitionLine {
                sensor: of_sensor.name.clone(),
                packets,
                seconds: time.as_secs_f64(),
                packets_per_minute,
                forgotten: of_sensor.victims.forgotten(),
            }));
            let victims = of_sensor
                .victims
                .all(&of_sensor.accounts)
                .filter(|victim| is_then(ask, victim.start, victim.end, victim.ongoing));
            found.extend(victims.map(|victim| (of_sensor.name.clone(), victim)));
        }
        drop(memory);
        let row = |(sensor, victim): (String, Victim)| VictimRow {
            sensor,
            belongs: Belongs::of(victim.victim, &lists),
            victim,
        };
        let mut rows: Vec<_> = found.into_iter().map(row).collect();
        let is_there: HashSet<_> =
            rows.iter().map(|row| (row.sensor.clone(), row.victim.victim, row.victim.start)).collect();
        let earlier = self.earlier(EventKind::Victim, source, ask)?.into_iter().filter_map(|event| {
            let mut victim: Victim = serde_json::from_value(event.detail).ok()?;
            victim.ongoing &= is_recent(victim.end, victims::SILENCE);
            let belongs = Belongs::of(victim.victim, &lists);
            Some(VictimRow { sensor: event.sensor, belongs, victim })
        });
        rows.extend(
            earlier
                .filter(|row| !is_there.contains(&(row.sensor.clone(), row.victim.victim, row.victim.start))),
        );
        rows.retain(|row| !ask.without_known_scanners || row.belongs.scanner.is_none());
        rows.sort_by_key(|row| (row.victim.start, row.victim.victim));
        answer.extend(rows.into_iter().map(Line::Victim));
        Ok(answer)
    }

    /// What the store has of a time that is asked for, of one source or of all: all that memory has, up to a minute ago, and what was before.
    fn earlier(&self, kind: EventKind, source: Option<Source>, ask: &AskEvents) -> Result<Vec<Event>> {
        let (Some(from), Some(reader)) = (ask.from, self.reader()) else { return Ok(Vec::new()) };
        let to = ask.to.unwrap_or_else(Timestamp::now);
        let ask = store::Ask { sensor: ask.sensor.clone(), most: MOST, ..store::Ask::of(from, to) };
        reader.events(kind, source, &ask)
    }

    /// Scans by a source, and of it as a victim.
    pub(super) fn events_of(&self, ask: &AskSource) -> Result<Vec<Line>> {
        let source = ask.source;
        let everything = AskEvents { from: ask.from, to: ask.to, ..AskEvents::default() };
        let scans = self.scans_of(Some(source), &everything)?.into_iter();
        let scans = scans.filter(|line| matches!(line, Line::Scan(row) if row.scan.source == source));
        let victims = self.victims_of(Some(source), &everything)?.into_iter();
        let victims = victims.filter(|line| matches!(line, Line::Victim(row) if row.victim.victim == source));
        Ok(scans.chain(victims).collect())
    }
}

/// Whether that was so short ago that it may go on.
fn is_recent(end: Timestamp, silence: i64) -> bool {
    Timestamp::now().as_second() - end.as_second() <= silence
}

fn check(ask: &AskEvents, lists: &Lists) -> Result<()> {
    in_order(ask.from, ask.to)?;
    if ask.without_known_scanners && !lists.know_scanners() {
        let words = "no scanners are known: name a list of them as `known_scanners` in [sources]";
        return Err(WrongUse(words.to_owned()).into());
    }
    Ok(())
}

/// Whether an event is of the time that is asked for. One that goes on may have had its last packet before.
fn is_then(ask: &AskEvents, start: Timestamp, end: Timestamp, ongoing: bool) -> bool {
    ask.from.is_none_or(|from| ongoing || end >= from) && ask.to.is_none_or(|to| start < to)
}
