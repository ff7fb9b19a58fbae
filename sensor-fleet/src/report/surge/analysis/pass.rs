//! One pass over all services: pools, sums, and the candidates of both.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::{num, thread};

use super::super::law::{Law, Outermost};
use super::super::pool::{Pool, Scored};
use super::super::scan::{Series, Tests, Thresholds};
use super::super::sums::Sum;
use super::super::track::{Side, Track};
use super::{Analysis, Event, Level, Subject};

/// Upper ends of the sizes that are pooled apart: medians of packets a day.
const SIZES: [f32; 3] = [10.0, 100.0, 1_000.0];
/// A size with fewer series is pooled with the next.
const LEAST_POOLED: usize = 40;
/// A pool is made of as many series, spread evenly over all: a law needs no more.
const FITTED: usize = 2_000;
/// Parts of the false findings that services' levels may make.
const OF_CELLS: f64 = 0.55;
const OF_REGIONS: f64 = 0.15;
const OF_FLEET: f64 = 0.15;

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

/// A series of a level.
#[derive(Debug)]
struct Member {
    service: usize,
    track: Track,
    all: Option<Vec<f32>>,
    /// Its pool in the level.
    pool: usize,
}

/// Series of a level, with their pools.
#[derive(Debug)]
struct Pooled {
    level: Level,
    tests: Tests,
    members: Vec<Member>,
    pools: Vec<(Pool, Thresholds)>,
}

/// A pass.
#[derive(Debug)]
pub(super) struct Pass {
    cells: Pooled,
    sums: Vec<Pooled>,
    /// Cells that are looked at closely.
    worth: Vec<bool>,
}

/// What a service's cells give.
struct OfService {
    sums: Vec<(Option<usize>, Sum)>,
    worth: Vec<bool>,
}

impl Pass {
    /// Over all services.
    pub(super) fn new(analysis: &Analysis, known: &Known) -> Self {
        let judged = usize::try_from(analysis.tested()).unwrap_or(usize::MAX);
        let services: Vec<usize> = (0..analysis.services.len())
            .flat_map(|service| analysis.cells_of(service).map(move |_| service))
            .collect();
        let members = analysis.cells.iter().zip(services).map(|(cell, service)| Member {
            service,
            track: analysis.track(cell, &known.away[cell.sensor]),
            all: None,
            pool: 0,
        });
        let cells = Pooled::new(analysis, Level::Sensor, (judged, OF_CELLS), members.collect());
        let threads = thread::available_parallelism().map_or(1, num::NonZero::get);
        let all: Vec<usize> = (0..analysis.services.len()).collect();
        let parts: Vec<Vec<OfService>> = thread::scope(|scope| {
            let spawned: Vec<_> = all
                .chunks(all.len().div_ceil(threads).max(1))
                .map(|services| scope.spawn(|| of_services(analysis, &cells, services)))
                .collect();
            spawned.into_iter().map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let (mut worth, mut of_regions, mut of_fleet) = (Vec::new(), Vec::new(), Vec::new());
        for (service, of_service) in parts.into_iter().flatten().enumerate() {
            let OfService { sums, worth: of_service } = of_service;
            worth.extend(of_service);
            for (region, sum) in sums {
                let (track, all) = sum.track();
                let member = Member { service, track, all: Some(all), pool: 0 };
                if region.is_some() { &mut of_regions } else { &mut of_fleet }.push(member);
            }
        }
        let days = analysis.days - analysis.first.min(analysis.days);
        let sums = [(Level::Region, OF_REGIONS, of_regions), (Level::Fleet, OF_FLEET, of_fleet)]
            .into_iter()
            .map(|(level, share, members)| {
                Pooled::new(analysis, level, (members.len() * days, share), members)
            });
        let sums = sums.collect();
        Self { cells, sums, worth }
    }

    /// With pools that leave out what is known now.
    pub(super) fn again(mut self, analysis: &Analysis, known: &Known, outermost: Outermost) -> Self {
        for pooled in self.sums.iter_mut().chain([&mut self.cells]) {
            // What is an event on one level is in no baseline of another.
            for member in &mut pooled.members {
                known.mask(member.service, &mut member.track);
            }
            pooled.fit(analysis, outermost);
        }
        self
    }

    /// All candidates.
    pub(super) fn candidates(&self, analysis: &Analysis) -> Vec<Event> {
        let cells = self.cells.members.iter().zip(&self.worth).filter(|(_, worth)| **worth);
        let cells = cells.flat_map(|(member, _)| self.cells.candidates(analysis, member));
        let sums = self
            .sums
            .iter()
            .flat_map(|pooled| pooled.members.iter().flat_map(|member| pooled.candidates(analysis, member)));
        cells.chain(sums).collect()
    }
}

/// Scores the cells of services, and adds them up.
fn of_services(analysis: &Analysis, cells: &Pooled, services: &[usize]) -> Vec<OfService> {
    let of = |service: &usize| {
        let range = analysis.cells_of(*service);
        let regions = analysis.regions.len();
        let mut of_regions = vec![Sum::new(analysis.days); if regions > 1 { regions } else { 0 }];
        let mut of_fleet = Sum::new(analysis.days);
        let mut worth = Vec::with_capacity(range.len());
        for at in range {
            let (member, sensor) = (&cells.members[at], analysis.cells[at].sensor);
            let scored = cells.pools[member.pool].0.score(&member.track, Side::Up);
            worth.push(cells.is_worth(member, &scored));
            of_fleet.add(&member.track, &scored);
            if let Some(sum) = of_regions.get_mut(analysis.region_of[sensor]) {
                sum.add(&member.track, &scored);
            }
        }
        let regions = of_regions.into_iter().enumerate().map(|(region, sum)| (Some(region), sum));
        // A sum of one is that one.
        let sums = regions.chain([(None, of_fleet)]).filter(|(_, sum)| sum.members > 1).collect();
        OfService { sums, worth }
    };
    services.iter().map(of).collect()
}

impl Pooled {
    fn new(
        analysis: &Analysis,
        level: Level,
        (judged_days, share): (usize, f64),
        members: Vec<Member>,
    ) -> Self {
        let tests = Analysis::tests(judged_days, share);
        let mut pooled = Self { level, tests, members, pools: Vec::new() };
        pooled.assign();
        pooled.fit(analysis, Outermost::UNKNOWN);
        pooled
    }

    /// Gives each series a pool by its size.
    fn assign(&mut self) {
        let size = |member: &Member| {
            let track = &member.track;
            let mut values: Vec<f32> =
                track.low.iter().zip(&track.observed).filter(|(_, up)| **up).map(|(it, _)| *it).collect();
            if values.is_empty() {
                return 0;
            }
            let half = values.len() / 2;
            let median = values.select_nth_unstable_by(half, f32::total_cmp).1.exp_m1();
            SIZES.iter().filter(|size| median >= **size).count()
        };
        let sizes: Vec<usize> = self.members.iter().map(size).collect();
        let mut pool_of = [0; SIZES.len() + 1];
        let (mut pool, mut series) = (0, 0);
        for (size, pool_of) in pool_of.iter_mut().enumerate() {
            *pool_of = pool;
            series += sizes.iter().filter(|it| **it == size).count();
            let left = sizes.iter().filter(|it| **it > size).count();
            if series >= LEAST_POOLED && left >= LEAST_POOLED {
                (pool, series) = (pool + 1, 0);
            }
        }
        for (member, size) in self.members.iter_mut().zip(sizes) {
            member.pool = pool_of[size];
        }
    }

    fn fit(&mut self, analysis: &Analysis, outermost: Outermost) {
        let pools = self.members.iter().map(|member| member.pool + 1).max().unwrap_or(0);
        self.pools = (0..pools)
            .map(|pool| {
                let members: Vec<&Member> =
                    self.members.iter().filter(|member| member.pool == pool).collect();
                let every = members.len().div_ceil(FITTED).max(1);
                let tracks: Vec<Track> =
                    members.into_iter().step_by(every).map(|member| member.track.clone()).collect();
                let pool = Pool::of(&tracks, analysis.settings.least_baseline_days, outermost);
                let thresholds = Thresholds::new(&pool, &self.tests);
                (pool, thresholds)
            })
            .collect();
    }

    fn series<'a>(&'a self, analysis: &'a Analysis, member: &Member) -> Series<'a> {
        let (pool, thresholds) = &self.pools[member.pool];
        Series {
            track: member.track.clone(),
            all: member.all.clone(),
            pool,
            tests: &self.tests,
            thresholds,
            settings: &analysis.settings,
        }
    }

    fn is_worth(&self, member: &Member, scored: &Scored) -> bool {
        let (pool, thresholds) = &self.pools[member.pool];
        let down = || member.track.high.is_some().then(|| pool.score(&member.track, Side::Down));
        thresholds.may_pass(scored, Side::Up)
            || down().as_ref().map_or_else(
                || thresholds.may_pass(scored, Side::Down),
                |scored| thresholds.may_pass(scored, Side::Down),
            )
    }

    fn candidates(&self, analysis: &Analysis, member: &Member) -> Vec<Event> {
        let mut series = self.series(analysis, member);
        let scored = series.pool.score_both(&series.track);
        let subject = Subject::Service(member.service);
        let event = |candidate| Event { subject, level: self.level, candidate, seen: Vec::new() };
        series.candidates(scored).into_iter().map(event).collect()
    }
}

impl Pass {
    /// A cell's track.
    pub(super) fn track(&self, cell: usize) -> &Track {
        &self.cells.members[cell].track
    }

    /// A cell's track, and what is known of it.
    pub(super) fn cell(&self, cell: usize, side: Side) -> (&Track, Scored) {
        let member = &self.cells.members[cell];
        (&member.track, self.cells.pools[member.pool].0.score(&member.track, side))
    }

    /// The law of a kind of window of a cell.
    pub(super) fn law(&self, cell: usize, kind: usize) -> &Law {
        self.cells.pools[self.cells.members[cell].pool].0.law(kind)
    }
}
