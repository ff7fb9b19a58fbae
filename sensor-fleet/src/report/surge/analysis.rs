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
use super::scan::{Candidate, Tests};
use super::track::{Track, WINDOWS};
use super::{Cell, SensorDays, Settings, discovery};
use crate::vocabulary::service::Service;

pub(super) use levels::Seen;
use merge::{join, merge};
use pass::{Known, Pass};

/// How often the pools learn from what is found, at most.
const ROUNDS: usize = 3;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A service, by number.
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
    /// Services, in order.
    pub(super) services: Vec<Service>,
    /// Cells, by service and then sensor.
    pub(super) cells: Vec<Cell>,
    /// Where each service's cells begin, and the end.
    begins: Vec<usize>,
}

impl Analysis {
    /// Puts what came in any order into one.
    pub(super) fn new(
        settings: Settings,
        first: usize,
        days: usize,
        sensors: Vec<SensorDays>,
        by_service: BTreeMap<Service, Vec<Cell>>,
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

    /// All events within the rate that touch a judged day.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut known = Known::none(self);
        let mut pass = Pass::new(self, &known);
        let totals = totals::events(self, &pass);
        if !totals.is_empty() {
            known.away(self, &totals);
            pass = Pass::new(self, &known);
        }
        // What is found first may have hidden what is less.
        for _ in 0..ROUNDS {
            if !known.learn(self, &self.of_services(&pass)) {
                break;
            }
            pass = pass.again(self, &known, Outermost::UNKNOWN);
        }
        let pass = pass.again(self, &known, Outermost::KNOWN);
        let mut events = self.held(&totals, self.of_services(&pass));
        for event in &mut events {
            event.seen = levels::seen(self, &pass, event);
        }
        join(events)
    }

    /// Those that the rate allows.
    fn held(&self, totals: &[Event], mut events: Vec<Event>) -> Vec<Event> {
        events.extend(totals.iter().cloned());
        events.retain(|event| event.candidate.to >= self.first);
        let costs = events.iter().map(|event| event.candidate.ln_cost.exp()).collect();
        let level = discovery::level(costs, self.settings.false_discovery_rate);
        events.retain(|event| level.is_some_and(|level| event.candidate.ln_cost.exp() <= level));
        events
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
            ln_costs: WINDOWS.map(|window| (2.0 * days / window.run / share / window.share).ln()),
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
