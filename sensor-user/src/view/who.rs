//! From whom: what is known of sources in this hour and the last, of a sensor or of all together.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::From;
use super::ask::MOST;
use super::service::Service;
use crate::obstacle::in_words;
use crate::sources::answer::{Line, PartRow, Row, Total, VictimRow};
use crate::sources::{Ask, AskEvents, By, Register};

/// Countries that are told: all that there are.
const COUNTRIES: u32 = 300;
/// Ports of which it is known who sends to them.
const PORTS: u32 = 10_000;
/// Victims that are told: the latest.
const VICTIMS: usize = 20;

/// What is known of sources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Who {
    /// When the first of these windows begins; `None` before there is one.
    pub from: Option<Timestamp>,
    /// Packets that were observed.
    pub observed: u64,
    /// Packets that were counted and not observed: where there are some, every number of sources is a lower bound.
    pub missed: u64,
    /// Packets and sources of all.
    pub total: Option<Total>,
    /// By country, most first.
    pub countries: Vec<PartRow>,
    /// Why countries are not known, and what to do.
    pub no_countries: Option<String>,
    /// By autonomous system, most first.
    pub systems: Vec<PartRow>,
    /// Why they are not known, and what to do.
    pub no_systems: Option<String>,
    /// Who sent most, most first: empty where addresses are not to be seen.
    pub heaviest: Vec<Row>,
    /// Scans that go on.
    pub scans: u64,
    /// Addresses under denial of service, of this hour and the last, the latest first; empty where addresses are not to be seen.
    pub victims: Vec<VictimRow>,
    /// How many that are, of which so many go on.
    pub victims_seen: u64,
    /// See `victims_seen`.
    pub victims_ongoing: u64,
    /// Whether addresses are left out, since they are not to be seen here.
    pub concealed: bool,
    /// By service.
    #[serde(skip)]
    pub(crate) services: BTreeMap<Service, From>,
}

impl Who {
    /// What is known by now.
    ///
    /// # Errors
    /// There is no such sensor.
    pub fn of(register: &Register, sensor: Option<&str>) -> Result<Self> {
        let ask = |by, limit| Ask { sensor: sensor.map(str::to_owned), by, limit, ..Ask::default() };
        let most = u32::try_from(MOST).unwrap_or(u32::MAX);
        let mut who = Self::default();
        for line in register.sources(&ask(By::Source, most))? {
            match line {
                Line::Window(window) => {
                    who.from = Some(who.from.map_or(window.from, |from| from.min(window.from)));
                    who.observed += window.observed;
                    who.missed += window.missed;
                }
                Line::Total(total) => who.total = Some(total),
                Line::Source(row) => who.heaviest.push(row),
                _ => {}
            }
        }
        let knows_scanners = who.total.as_ref().is_some_and(|total| total.from_known_scanners.is_some());
        for row in parts(register.sources(&ask(By::Port, PORTS))?) {
            let Some(service) = Service::named(&row.of) else { continue };
            let from = From {
                observed: row.packets,
                from_known_scanners: knows_scanners.then_some(row.from_known_scanners),
                sources: row.sources.count,
                at_least: row.at_least,
            };
            who.services.entry(service).and_modify(|sum| sum.add(from)).or_insert(from);
        }
        match register.sources(&ask(By::Country, COUNTRIES)) {
            Ok(lines) => who.countries = parts(lines).collect(),
            Err(error) => who.no_countries = Some(in_words(&error)),
        }
        match register.sources(&ask(By::As, most)) {
            Ok(lines) => who.systems = parts(lines).collect(),
            Err(error) => who.no_systems = Some(in_words(&error)),
        }
        let events = AskEvents { sensor: sensor.map(str::to_owned), ..AskEvents::default() };
        for line in register.victims(&events)? {
            if let Line::Victim(row) = line
                && who.from.is_none_or(|from| row.victim.ongoing || row.victim.end >= from)
            {
                who.victims_seen += 1;
                who.victims_ongoing += u64::from(row.victim.ongoing);
                who.victims.push(row);
            }
        }
        who.victims.reverse();
        who.victims.truncate(VICTIMS);
        let ongoing = register
            .scans(&events)?
            .into_iter()
            .filter(|line| matches!(line, Line::Scan(row) if row.scan.ongoing));
        who.scans = ongoing.count() as u64;
        Ok(who)
    }

    /// What is known of who sent to a service.
    #[must_use]
    pub fn to(&self, service: Service) -> Option<From> {
        self.services.get(&service).copied()
    }

    /// Leaves out what is of one address.
    pub(super) fn conceal(&mut self) {
        self.concealed = true;
        self.heaviest.clear();
        self.victims.clear();
    }
}

/// The rows of an answer by something.
pub(super) fn parts(lines: Vec<Line>) -> impl Iterator<Item = PartRow> {
    lines.into_iter().filter_map(|line| match line {
        Line::Part(row) => Some(row),
        _ => None,
    })
}
