//! Series of a level, with their pools by size.

use super::super::law::Outermost;
use super::super::look::Look;
use super::super::persistence::Persistence;
use super::super::pool::{Outline, Pool};
use super::super::scan::{Series, Tests, Thresholds};
use super::super::track::{Side, Track};
use super::parallel::each;
use super::{Analysis, Event, Level, Part, Subject};

/// Upper ends of the sizes that are pooled apart: medians of packets a day.
const SIZES: [f32; 3] = [10.0, 100.0, 1_000.0];
/// A size with fewer series is pooled with the next.
const LEAST_POOLED: usize = 40;
/// A pool is made of as many series, spread evenly over all: a law needs no more.
const FITTED: usize = 1_000;

/// A series of a level.
#[derive(Debug)]
pub(super) struct Member {
    /// What it is of.
    pub(super) service: usize,
    /// What is tested.
    pub(super) track: Track,
    /// `ln(1 + packets)` by day, if what is tested isn't all of them.
    pub(super) all: Option<Vec<f32>>,
    /// Where it is, and the same series with what others had too, if what is tested is apart from them.
    pub(super) apart: Option<(Part, Track)>,
    /// Its pool in the level.
    pub(super) pool: usize,
}

impl Member {
    /// A service's, as it is.
    pub(super) fn new(service: usize, mut track: Track, all: Option<Vec<f32>>) -> Self {
        track.group = service;
        Self { service, track, all, apart: None, pool: 0 }
    }
}

/// Series of a level, with their pools.
#[derive(Debug)]
pub(super) struct Pooled {
    level: Level,
    tests: Tests,
    pub(super) members: Vec<Member>,
    pub(super) pools: Vec<(Pool, Thresholds)>,
}

impl Pooled {
    pub(super) fn new(
        analysis: &Analysis,
        level: Level,
        (judged_days, share): (usize, f64),
        members: Vec<Member>,
        persistence: &[Persistence],
    ) -> Self {
        let tests = Analysis::tests(judged_days, share);
        let mut pooled = Self { level, tests, members, pools: Vec::new() };
        pooled.tell(persistence);
        pooled.assign();
        pooled.fit(analysis, Outermost::UNKNOWN);
        pooled
    }

    /// Tells each series how much of a day is there on the next, by service. The fleet's days are taken as they are:
    /// what grows slowly is seen in its sums first, and is never new.
    pub(super) fn tell(&mut self, persistence: &[Persistence]) {
        if self.level == Level::Fleet {
            return;
        }
        for member in &mut self.members {
            member.track.persistence = persistence[member.service];
        }
    }

    /// Has it share its part of the false findings with others, so that so many days are tested in all.
    pub(super) fn share(&mut self, judged_days: usize, share: f64) {
        self.tests = Analysis::tests(judged_days, share);
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

    pub(super) fn fit(&mut self, analysis: &Analysis, outermost: Outermost) {
        let pools = self.members.iter().map(|member| member.pool + 1).max().unwrap_or(0);
        let pools: Vec<usize> = (0..pools).collect();
        self.pools = each(&pools, |pool| {
            let members: Vec<&Member> = self.members.iter().filter(|member| member.pool == *pool).collect();
            let every = members.len().div_ceil(FITTED).max(1);
            let tracks: Vec<&Track> =
                members.into_iter().step_by(every).map(|member| &member.track).collect();
            let pool = Pool::of(&tracks, analysis.settings.least_baseline_days, outermost, analysis.laws());
            let thresholds = Thresholds::new(&pool, &self.tests);
            (pool, thresholds)
        });
    }

    fn series<'a>(&'a self, analysis: &'a Analysis, member: &Member) -> Series<'a> {
        let (pool, thresholds) = &self.pools[member.pool];
        Series {
            track: member.track.clone(),
            all: member.all.clone(),
            with_others: member.apart.as_ref().map(|(_, with_others)| with_others.clone()),
            pool,
            tests: &self.tests,
            thresholds,
            settings: &analysis.settings,
        }
    }

    /// Whether a series is looked at closely, given its outline for surges.
    pub(super) fn is_worth(&self, analysis: &Analysis, member: &Member, up: &Outline) -> bool {
        let Member { track, all, .. } = member;
        let (pool, thresholds) = &self.pools[member.pool];
        let look = Look { track, all: all.as_deref(), pool, thresholds, settings: &analysis.settings };
        let down = track.high.is_some().then(|| pool.outline(track, Side::Down));
        look.is_worth([up, down.as_ref().unwrap_or(up)])
    }

    fn is_worth_alone(&self, analysis: &Analysis, member: &Member) -> bool {
        self.is_worth(analysis, member, &self.pools[member.pool].0.outline(&member.track, Side::Up))
    }

    /// Looks at all of them.
    pub(super) fn look(&self, analysis: &Analysis) -> Vec<bool> {
        each(&self.members, |member| self.is_worth_alone(analysis, member))
    }

    /// Looks once more at those of some services.
    pub(super) fn look_again(&self, analysis: &Analysis, worth: &mut [bool], of: impl Fn(usize) -> bool) {
        for (member, worth) in self.members.iter().zip(worth) {
            if !*worth && of(member.service) {
                *worth = self.is_worth_alone(analysis, member);
            }
        }
    }

    fn of_member(&self, analysis: &Analysis, member: &Member) -> Vec<Event> {
        let mut series = self.series(analysis, member);
        let scored = series.pool.score_both(&series.track);
        let subject = Subject::Service(member.service);
        let apart = member.apart.as_ref().map(|(part, _)| *part);
        let event = |candidate| Event { subject, level: self.level, apart, candidate, seen: Vec::new() };
        series.candidates(scored).into_iter().map(event).collect()
    }

    /// Candidates of all that are worth it.
    pub(super) fn candidates(&self, analysis: &Analysis, worth: &[bool]) -> Vec<Event> {
        let worth: Vec<&Member> =
            self.members.iter().zip(worth).filter(|(_, worth)| **worth).map(|(member, _)| member).collect();
        each(&worth, |member| self.of_member(analysis, member)).into_iter().flatten().collect()
    }
}
