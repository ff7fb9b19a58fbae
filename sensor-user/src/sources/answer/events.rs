//! Scans and victims.

use anyhow::Result;
use jiff::Timestamp;

use super::super::ask::AskEvents;
use super::super::lists::Lists;
use super::super::register::Register;
use super::super::source::Source;
use super::windows::in_order;
use super::{Belongs, DefinitionLine, Line, ScanRow, VictimDefinitionLine, VictimRow};
use crate::config::VictimDefinition;
use crate::obstacle::WrongUse;

impl Register {
    /// Scans, the oldest first, and how they are defined.
    ///
    /// # Errors
    /// There is no such sensor, or no list of known scanners.
    pub fn scans(&self, ask: &AskEvents) -> Result<Vec<Line>> {
        let lists = self.lists();
        check(ask, &lists)?;
        let memory = self.memory();
        let mut answer = Vec::new();
        let mut rows = Vec::new();
        for of_sensor in memory.named(ask.sensor.as_deref())? {
            let sensor = || of_sensor.name.clone();
            let definition = of_sensor.scans.definition();
            let forgotten = of_sensor.scans.forgotten();
            answer.push(Line::Definition(DefinitionLine { sensor: sensor(), definition, forgotten }));
            let scans =
                of_sensor.scans.all(of_sensor.account).filter(|scan| is_then(ask, scan.start, scan.end));
            rows.extend(scans.map(|scan| ScanRow {
                sensor: sensor(),
                belongs: Belongs::of(scan.source, &lists),
                scan,
            }));
        }
        rows.retain(|row| !ask.without_known_scanners || row.belongs.scanner.is_none());
        rows.sort_by_key(|row| (row.scan.start, row.scan.source));
        answer.extend(rows.into_iter().map(Line::Scan));
        Ok(answer)
    }

    /// Addresses under denial of service, the oldest first, and how they are defined.
    ///
    /// # Errors
    /// There is no such sensor, or no list of known scanners.
    pub fn victims(&self, ask: &AskEvents) -> Result<Vec<Line>> {
        let lists = self.lists();
        check(ask, &lists)?;
        let memory = self.memory();
        let mut answer = Vec::new();
        let mut rows = Vec::new();
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
                .all(of_sensor.account)
                .filter(|victim| is_then(ask, victim.start, victim.end));
            rows.extend(victims.map(|victim| VictimRow {
                sensor: of_sensor.name.clone(),
                belongs: Belongs::of(victim.victim, &lists),
                victim,
            }));
        }
        rows.retain(|row| !ask.without_known_scanners || row.belongs.scanner.is_none());
        rows.sort_by_key(|row| (row.victim.start, row.victim.victim));
        answer.extend(rows.into_iter().map(Line::Victim));
        Ok(answer)
    }

    /// Scans by a source, and of it as a victim.
    pub(super) fn events_of(&self, source: Source) -> Result<Vec<Line>> {
        let everything = AskEvents::default();
        let scans = self.scans(&everything)?.into_iter();
        let scans = scans.filter(|line| matches!(line, Line::Scan(row) if row.scan.source == source));
        let victims = self.victims(&everything)?.into_iter();
        let victims = victims.filter(|line| matches!(line, Line::Victim(row) if row.victim.victim == source));
        Ok(scans.chain(victims).collect())
    }
}

fn check(ask: &AskEvents, lists: &Lists) -> Result<()> {
    in_order(ask.from, ask.to)?;
    if ask.without_known_scanners && !lists.know_scanners() {
        let words = "no scanners are known: name a list of them as `known_scanners` in [sources]";
        return Err(WrongUse(words.to_owned()).into());
    }
    Ok(())
}

fn is_then(ask: &AskEvents, start: Timestamp, end: Timestamp) -> bool {
    ask.from.is_none_or(|from| end >= from) && ask.to.is_none_or(|to| start < to)
}
