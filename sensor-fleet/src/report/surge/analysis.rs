//! From days of sensors to events: all levels are pooled, scored and scanned, and held to one rate.
//!
//! First the totals of sensors, regions and the fleet: days on which one of them has changed as a whole are taken out
//! of its services, which would each report the same, and rise again when it returns. Then the services. What is
//! found teaches the pools which days to leave out, and they are asked once more.

mod apart;
mod levels;
mod merge;
mod parallel;
mod pass;
mod pooled;
mod totals;

use std::collections::BTreeMap;

use super::super::model::Level;
use super::law::Outermost;
use super::pool::Laws;
use super::scan::{Candidate, Tests};
use super::track::{Track, WINDOWS};
use super::{Cell, SensorDays, Settings, discovery};
use crate::vocabulary::service::Service;

pub(super) use levels::Seen;
use merge::{join, merge};
use pass::{Known, Pass};

/// How often the pools learn from what is found, at most.
const ROUNDS: usize = 3;

/// Parts of the false findings that services and numbers of sources may make, where both are judged.
const SHARES: [f64; 2] = [0.85, 0.15];

/// What is judged on sensors.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    /// Packets to a service.
    Service(Service),
    /// Distinct sources in all.
    Sources,
    /// Distinct sources of a country.
    Country(String),
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A service, or what else is judged on sensors, by number.
    Service(usize),
    /// All of a sensor.
    Sensor(usize),
    /// All of a region.
    Region(usize),
    /// All of the fleet.
    Fleet,
}

/// A part of the fleet that a service is compared in with the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A sensor.
    Sensor(usize),
    /// A region.
    Region(usize),
}

/// An event, of which some series made a candidate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    /// What it is about.
    pub(super) subject: Subject,
    /// On what level it is least likely by chance.
    pub(super) level: Level,
    /// Where it is less likely apart from what others had than as it is.
    pub(super) apart: Option<Part>,
    /// When, and at what cost.
    pub(super) candidate: Candidate,
    /// The sensors that saw it, if it is a service's.
    pub(super) seen: Vec<Seen>,
}

/// All that a report's events are found in.
#[derive(Debug)]
pub(super) struct Analysis {
    /// What is a surge.
    pub(super) settings: Settings,
    /// The first day that is judged.
    pub(super) first: usize,
    /// Days.
    pub(super) days: usize,
    /// Sensors, by name.
    pub(super) sensors: Vec<SensorDays>,
    /// Regions' names, in order.
    pub(super) regions: Vec<String>,
    /// The region of each sensor, by number.
    pub(super) region_of: Vec<usize>,
    /// Services, or what else is judged on sensors, in order.
    pub(super) services: Vec<Topic>,
    /// Cells, by service and then sensor.
    pub(super) cells: Vec<Cell>,
    /// Where each service's cells begin, and the end.
    begins: Vec<usize>,
}

/// Candidates.
struct Found {
    /// What changed as a whole; it is among the events too.
    wholes: Vec<Event>,
    events: Vec<Event>,
    pass: Pass,
}

/// All events of services, and of numbers of sources, that the rate allows and that touch a judged day. Each family has its
/// part of the rate by itself: what one of them finds makes no room for false findings of the other, and the chance of any
/// at all is the sum of both, however they depend on each other.
pub(super) fn events(services: &Analysis, sources: Option<&Analysis>) -> [Vec<Event>; 2] {
    let mut of_services = services.found(None);
    let Some(sources) = sources else { return [services.told(of_services), Vec::new()] };
    let mut of_sources = sources.found(Some(&of_services.wholes));
    for (found, share) in [&mut of_services, &mut of_sources].into_iter().zip(SHARES) {
        found.events.iter_mut().for_each(|event| event.candidate.ln_cost -= share.ln());
    }
    [services.told(of_services), sources.told(of_sources)]
}

impl Analysis {
    /// Puts what came in any order into one.
    pub(super) fn new(
        settings: Settings,
        first: usize,
        days: usize,
        sensors: Vec<SensorDays>,
        by_service: BTreeMap<Topic, Vec<Cell>>,
    ) -> Self {
        let mut order: Vec<(usize, SensorDays)> = sensors.into_iter().enumerate().collect();
        order.sort_by(|a, b| a.1.name.cmp(&b.1.name));
        let mut place = vec![0; order.len()];
        for (new, (old, _)) in order.iter().enumerate() {
            place[*old] = new;
        }
        let sensors: Vec<SensorDays> = order.into_iter().map(|(_, sensor)| sensor).collect();
        let mut regions: Vec<String> = sensors.iter().map(|sensor| sensor.region.clone()).collect();
        regions.sort();
        regions.dedup();
        let region_of =
            sensors.iter().map(|sensor| regions.partition_point(|region| *region < sensor.region)).collect();
        let (mut services, mut cells, mut begins) = (Vec::new(), Vec::new(), Vec::new());
        for (service, mut of_service) in by_service {
            for cell in &mut of_service {
                cell.sensor = place[cell.sensor];
            }
            of_service.sort_by_key(|cell| cell.sensor);
            begins.push(cells.len());
            services.push(service);
            cells.append(&mut of_service);
        }
        begins.push(cells.len());
        Self { settings, first, days, sensors, regions, region_of, services, cells, begins }
    }

    /// Cells that were tested: days of services on sensors.
    pub(super) fn tested(&self) -> u64 {
        let of = |cell: &Cell| {
            let judged = &self.sensors[cell.sensor].judged;
            cell.counts.iter().zip(judged).filter(|(count, judged)| count.is_some() && **judged).count()
                as u64
        };
        self.cells.iter().map(of).sum()
    }

    /// The cells of a service, by number.
    pub(super) fn cells_of(&self, service: usize) -> std::ops::Range<usize> {
        self.begins[service]..self.begins[service + 1]
    }

    /// All candidates that touch a judged day, and what they were found in. Days on which a sensor, a region or the fleet
    /// changed as a whole are told by its services; of numbers of sources they are known.
    fn found(&self, totals: Option<&[Event]>) -> Found {
        let mut known = Known::none(self);
        if let Some(totals) = totals {
            known.away(self, totals);
        }
        let mut pass = Pass::new(self, &known);
        let mut wholes = Vec::new();
        if totals.is_none() {
            wholes = totals::events(self, &pass);
            if !wholes.is_empty() {
                known.away(self, &wholes);
                pass = Pass::new(self, &known);
            }
        }
        // What is found first may have hidden what is less.
        for _ in 0..ROUNDS {
            if !known.learn(self, &self.of_services(&pass)) {
                break;
            }
            pass = pass.again(self, &known, Outermost::UNKNOWN);
        }
        let pass = pass.again(self, &known, Outermost::KNOWN);
        let mut events = self.of_services(&pass);
        events.extend(wholes.iter().cloned());
        events.retain(|event| event.candidate.to >= self.first);
        Found { wholes, events, pass }
    }

    /// Those that pass among themselves, with who saw them.
    fn told(&self, Found { mut events, pass, .. }: Found) -> Vec<Event> {
        let costs = events.iter().map(|event| event.candidate.ln_cost.exp()).collect();
        let level = discovery::level(costs, self.settings.false_discovery_rate);
        events.retain(|event| level.is_some_and(|level| event.candidate.ln_cost.exp() <= level));
        for event in &mut events {
            event.seen = levels::seen(self, &pass, event);
        }
        join(events)
    }

    /// How heavy laws of windows are held. Numbers of sources have few series that are alike, and a small part of the false
    /// findings, which the far tail decides.
    fn laws(&self) -> Laws {
        match self.services.first() {
            None | Some(Topic::Service(_)) => Laws::OfPools,
            Some(Topic::Sources | Topic::Country(_)) => Laws::OfSeries,
        }
    }

    fn of_services(&self, pass: &Pass) -> Vec<Event> {
        let mut candidates = pass.candidates(self);
        candidates.sort_by(|a, b| {
            let key = |event: &Event| (event.subject, event.candidate.side, event.candidate.from);
            key(a).cmp(&key(b)).then(a.candidate.ln_cost.total_cmp(&b.candidate.ln_cost))
        });
        merge(candidates)
    }

    /// What tests of so many judged days of a level cost, if the level has this share of the false findings.
    fn tests(judged_days: usize, share: f64) -> Tests {
        let days = super::number(judged_days.max(1) as u64);
        // Half of them for each side.
        Tests {
            ln_costs: WINDOWS
                .map(|window| (2.0 * days * window.excess / window.run / share / window.share).ln()),
            ln_candidate: 0.0,
        }
    }

    /// A cell as a series.
    fn track(&self, cell: &Cell, away: &[bool]) -> Track {
        let sensor = &self.sensors[cell.sensor];
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
        let ln = |packets: u64| super::number(packets).ln_1p() as f32;
        let low = cell.counts.iter().map(|count| count.map_or(0.0, ln)).collect();
        let high = cell.counts.iter().any(Option::is_none).then(|| {
            let days = cell.counts.iter().zip(&sensor.unseen);
            days.map(|(count, unseen)| ln(count.unwrap_or(*unseen))).collect()
        });
        let observed = sensor.observed.iter().zip(away).map(|(observed, away)| *observed && !away).collect();
        Track { low, high, observed, masked: away.to_vec(), ..Track::default() }
    }
}
