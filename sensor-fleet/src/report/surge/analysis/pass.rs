//! One pass over all services: series as they are, apart from others, and their sums; and the candidates of all.

use std::collections::BTreeMap;

use super::super::law::{Law, Outermost};
use super::super::persistence::Persistence;
use super::super::pool::Scored;
use super::super::sums::Sum;
use super::super::track::{Side, Track};
use super::apart::{Apart, Movement};
use super::parallel::each;
use super::pooled::{Member, Pooled};
use super::{Analysis, Event, Level, Part, Subject};

/// Parts of the false findings that services' levels may make: series as they are, and those apart from others.
const OF_CELLS: f64 = 0.57;
const OF_REGIONS: f64 = 0.18;
const OF_FLEET: f64 = 0.15;
/// Series of a service that tell how much of a day is there on the next.
const TELLING: usize = 16;

/// What is known beforehand.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Days on which a sensor has changed as a whole, by sensor.
    away: Vec<Vec<bool>>,
    /// Days of events, by service.
    events: BTreeMap<usize, Vec<bool>>,
}

impl Known {
    /// Nothing.
    pub(super) fn none(analysis: &Analysis) -> Self {
        Self { away: vec![vec![false; analysis.days]; analysis.sensors.len()], events: BTreeMap::new() }
    }

    /// Takes the days of these events out of their sensors.
    pub(super) fn away(&mut self, analysis: &Analysis, totals: &[Event]) {
        for event in totals {
            for (sensor, away) in self.away.iter_mut().enumerate() {
                let concerned = match event.subject {
                    Subject::Sensor(of) => of == sensor,
                    Subject::Region(of) => of == analysis.region_of[sensor],
                    Subject::Fleet => true,
                    Subject::Service(_) => false,
                };
                if concerned {
                    away[event.candidate.from..=event.candidate.to].fill(true);
                }
            }
        }
    }

    /// Keeps the days of these events out of the pools. Whether any weren't yet.
    pub(super) fn learn(&mut self, analysis: &Analysis, events: &[Event]) -> bool {
        let mut learnt = false;
        for event in events {
            if let Subject::Service(service) = event.subject {
                let days = self.events.entry(service).or_insert_with(|| vec![false; analysis.days]);
                let days = &mut days[event.candidate.from..=event.candidate.to];
                learnt |= days.contains(&false);
                days.fill(true);
            }
        }
        learnt
    }

    fn mask(&self, service: usize, track: &mut Track) {
        if let Some(events) = self.events.get(&service) {
            track.masked.iter_mut().zip(events).for_each(|(masked, event)| *masked |= event);
        }
    }
}

/// A pass.
#[derive(Debug)]
pub(super) struct Pass {
    /// Cells, by number, and which are looked at closely.
    cells: (Pooled, Vec<bool>),
    /// The others, likewise.
    others: Vec<(Pooled, Vec<bool>)>,
}

/// What a service's cells give.
struct OfService {
    /// Of each cell.
    worth: Vec<bool>,
    apart: Vec<Option<Apart>>,
    /// By region, or of the fleet.
    sums: Vec<(Option<usize>, Apart, Option<Apart>)>,
}

impl Pass {
    /// Over all services.
    pub(super) fn new(analysis: &Analysis, known: &Known) -> Self {
        let judged = usize::try_from(analysis.tested()).unwrap_or(usize::MAX);
        let services: Vec<usize> = (0..analysis.services.len())
            .flat_map(|service| analysis.cells_of(service).map(move |_| service))
            .collect();
        let track = |cell: &super::Cell| analysis.track(cell, &known.away[cell.sensor]);
        let members = analysis.cells.iter().zip(&services);
        let members = members.map(|(cell, service)| Member::new(*service, track(cell), None));
        let members: Vec<Member> = members.collect();
        let persistence = persistence(analysis, &members);
        let mut cells = Pooled::new(analysis, Level::Sensor, (judged, OF_CELLS), members, &persistence);
        let all: Vec<usize> = (0..analysis.services.len()).collect();
        let parts = each(&all, |service| of_service(analysis, &cells, *service));
        let (mut worth, mut cells_apart) = (Vec::new(), Vec::new());
        let (mut regions, mut regions_apart, mut fleet) = (Vec::new(), Vec::new(), Vec::new());
        for (service, of_service) in parts.into_iter().enumerate() {
            worth.extend(of_service.worth);
            for (cell, apart) in analysis.cells_of(service).zip(of_service.apart) {
                let part = Part::Sensor(analysis.cells[cell].sensor);
                let with_others = &cells.members[cell].track;
                cells_apart.extend(apart.map(|apart| apart.member(service, part, with_others)));
            }
            for (region, sum, apart) in of_service.sums {
                let sums = if let Some(region) = region {
                    let part = Part::Region(region);
                    regions_apart.extend(apart.map(|apart| apart.member(service, part, &sum.track)));
                    &mut regions
                } else {
                    &mut fleet
                };
                sums.push(Member::new(service, sum.track, sum.all));
            }
        }
        let days = analysis.days - analysis.first.min(analysis.days);
        let of_cells = judged + days * cells_apart.len();
        let of_regions = days * (regions.len() + regions_apart.len());
        cells.share(of_cells, OF_CELLS);
        let others = [
            (Level::Sensor, (of_cells, OF_CELLS), cells_apart),
            (Level::Region, (of_regions, OF_REGIONS), regions),
            (Level::Region, (of_regions, OF_REGIONS), regions_apart),
            (Level::Fleet, (days * fleet.len(), OF_FLEET), fleet),
        ];
        let others = others.into_iter().map(|(level, tests, members)| {
            let pooled = Pooled::new(analysis, level, tests, members, &persistence);
            let worth = pooled.look(analysis);
            (pooled, worth)
        });
        Self { others: others.collect(), cells: (cells, worth) }
    }

    /// With pools that leave out what is known now.
    pub(super) fn again(mut self, analysis: &Analysis, known: &Known, outermost: Outermost) -> Self {
        for (pooled, _) in self.others.iter_mut().chain([&mut self.cells]) {
            // What is an event on one level is in no baseline of another.
            for member in &mut pooled.members {
                known.mask(member.service, &mut member.track);
                if let Some((_, with_others)) = &mut member.apart {
                    known.mask(member.service, with_others);
                }
            }
        }
        let persistence = persistence(analysis, &self.cells.0.members);
        for (pooled, worth) in self.others.iter_mut().chain([&mut self.cells]) {
            pooled.tell(&persistence);
            pooled.fit(analysis, outermost);
            // An event that is known now may have hidden another in the same series.
            pooled.look_again(analysis, worth, |service| known.events.contains_key(&service));
        }
        self
    }

    /// All candidates.
    pub(super) fn candidates(&self, analysis: &Analysis) -> Vec<Event> {
        let all = [&self.cells].into_iter().chain(&self.others);
        all.flat_map(|(pooled, worth)| pooled.candidates(analysis, worth)).collect()
    }
}

impl Apart {
    fn member(self, service: usize, part: Part, with_others: &Track) -> Member {
        Member { apart: Some((part, with_others.clone())), ..Member::new(service, self.track, self.all) }
    }
}

/// How much of a day is there on the next, by service, as the cells tell it.
fn persistence(analysis: &Analysis, cells: &[Member]) -> Vec<Persistence> {
    let services: Vec<usize> = (0..analysis.services.len()).collect();
    each(&services, |service| {
        let cells = &cells[analysis.cells_of(*service)];
        let every = cells.len().div_ceil(TELLING).max(1);
        Persistence::of(cells.iter().step_by(every).map(|member| &member.track))
    })
}

/// Looks at the cells of a service, adds them up, and takes them apart.
fn of_service(analysis: &Analysis, cells: &Pooled, service: usize) -> OfService {
    let range = analysis.cells_of(service);
    let regions = analysis.regions.len();
    let mut of_regions = vec![Sum::new(analysis.days); if regions > 1 { regions } else { 0 }];
    let mut of_fleet = Sum::new(analysis.days);
    let mut worth = Vec::with_capacity(range.len());
    for at in range.clone() {
        let (member, sensor) = (&cells.members[at], analysis.cells[at].sensor);
        let outline = cells.pools[member.pool].0.outline(&member.track, Side::Up);
        of_fleet.add(&member.track, &outline);
        if let Some(sum) = of_regions.get_mut(analysis.region_of[sensor]) {
            sum.add(&member.track, &outline);
        }
        worth.push(cells.is_worth(analysis, member, &outline));
    }
    let tracks: Vec<&Track> = range.clone().map(|cell| &cells.members[cell].track).collect();
    let movement = Movement::of(&tracks);
    let region = |cell: usize| analysis.region_of[analysis.cells[range.start + cell].sensor];
    let of_regions = of_regions.into_iter().enumerate().map(|(region, sum)| (Some(region), sum));
    // A sum of one is that one.
    let sums = of_regions.chain([(None, of_fleet)]).filter(|(_, sum)| sum.members > 1);
    let sums = sums.map(|(of, sum)| {
        let (track, all) = sum.track();
        let apart = of.and_then(|of| movement.sum_apart(&track, &all, |cell| region(cell) != of));
        (of, Apart { track, all: Some(all) }, apart)
    });
    OfService { sums: sums.collect(), apart: movement.apart(&tracks), worth }
}

impl Pass {
    /// A cell's track.
    pub(super) fn track(&self, cell: usize) -> &Track {
        &self.cells.0.members[cell].track
    }

    /// A cell's track, and what is known of it.
    pub(super) fn cell(&self, cell: usize, side: Side) -> (&Track, Scored) {
        let member = &self.cells.0.members[cell];
        (&member.track, self.cells.0.pools[member.pool].0.score(&member.track, side))
    }

    /// The law of a kind of window of a cell.
    pub(super) fn law(&self, cell: usize, kind: usize) -> &Law {
        self.cells.0.pools[self.cells.0.members[cell].pool].0.law(kind)
    }
}
