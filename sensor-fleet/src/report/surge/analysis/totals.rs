//! Sensors, regions and a fleet that changed as a whole.
//!
//! A total that moved because one service or one sensor did is no event of its own: that service or sensor says so
//! itself. So most services of a sensor must have moved with it, and most sensors of a region.

use super::super::discovery;
use super::super::law::Outermost;
use super::super::pool::{Pool, Scored};
use super::super::scan::{Candidate, Series, Tests, Thresholds};
use super::super::sums::Sum;
use super::super::track::{Track, small};
use super::pass::Pass;
use super::{Analysis, Event, Level, SIDES, Side, Subject};

/// Parts of the false findings that totals may make.
const OF_SENSORS: f64 = 0.1;
const OF_REGIONS: f64 = 0.07;
const OF_FLEET: f64 = 0.03;
/// A sensor with fewer services that tell anything has no whole.
const LEAST_SERVICES: usize = 3;
/// Services with a smaller baseline, as `ln(1 + packets)`, tell nothing.
const LEAST_BASE: f32 = 2.4;
/// A service or sensor moved along if it did by this part of the whole's way.
const PART: f32 = 0.5;
/// Of a region's sensors, those that must have moved along.
const SENSORS: f32 = 0.75;

/// A total.
struct Total {
    subject: Subject,
    level: Level,
    track: Track,
    all: Vec<f32>,
}

/// All that are within the rate among themselves.
pub(super) fn events(analysis: &Analysis, pass: &Pass) -> Vec<Event> {
    let least = analysis.settings.least_baseline_days;
    let mut totals: Vec<Total> = Vec::new();
    for (sensor, sum) in pass.sensors.iter().enumerate() {
        let (mut track, all) = sum.track();
        track.observed.clone_from(&analysis.sensors[sensor].observed);
        totals.push(Total { subject: Subject::Sensor(sensor), level: Level::Sensor, track, all });
    }
    let tracks: Vec<Track> = totals.iter().map(|total| total.track.clone()).collect();
    let pool = Pool::of(&tracks, least, Outermost::UNKNOWN);
    let scored: Vec<Scored> = tracks.iter().map(|track| pool.score(track, Side::Up)).collect();
    let sum = |subject, level, of: &dyn Fn(usize) -> bool| {
        let mut sum = Sum::new(analysis.days);
        for (sensor, scored) in scored.iter().enumerate().filter(|(sensor, _)| of(*sensor)) {
            sum.add(&totals[sensor].track, Some(&totals[sensor].all), scored);
        }
        let (track, all) = sum.track();
        (sum.members > 1).then_some(Total { subject, level, track, all })
    };
    let mut sums = Vec::new();
    if analysis.regions.len() > 1 {
        for region in 0..analysis.regions.len() {
            sums.extend(sum(Subject::Region(region), Level::Region, &|sensor| {
                analysis.region_of[sensor] == region
            }));
        }
    }
    sums.extend(sum(Subject::Fleet, Level::Fleet, &|_| true));
    totals.extend(sums);
    let tracks: Vec<Track> = totals.iter().map(|total| total.track.clone()).collect();
    let pool = Pool::of(&tracks, least, Outermost::UNKNOWN);
    let tests = |level: Level, share| {
        let count = totals.iter().filter(|total| total.level == level).count();
        let tests: Tests =
            Analysis::tests(count * (analysis.days - analysis.first.min(analysis.days)), share);
        (tests, Thresholds::new(&pool, &tests))
    };
    let tested =
        [tests(Level::Sensor, OF_SENSORS), tests(Level::Region, OF_REGIONS), tests(Level::Fleet, OF_FLEET)];
    let mut events: Vec<Event> = Vec::new();
    // The widest first, so that what it explains is not said again.
    for total in totals.iter().rev() {
        let (tests, thresholds) = &tested[match total.level {
            Level::Sensor => 0,
            Level::Region => 1,
            Level::Fleet => 2,
        }];
        let mut series = Series {
            track: total.track.clone(),
            all: Some(total.all.clone()),
            pool: &pool,
            tests,
            thresholds,
            settings: &analysis.settings,
        };
        let scored = SIDES.map(|side| pool.score(&total.track, side));
        for candidate in series.candidates(scored) {
            let explained = |event: &Event| {
                contains(analysis, event.subject, total.subject) && overlap(&event.candidate, &candidate)
            };
            if !events.iter().any(explained) && is_whole(analysis, pass, &totals, total, &candidate) {
                events.push(Event {
                    subject: total.subject,
                    level: total.level,
                    candidate,
                    seen: Vec::new(),
                });
            }
        }
    }
    let costs = events.iter().map(|event| event.candidate.ln_cost.exp()).collect();
    let level = discovery::level(costs, analysis.settings.false_discovery_rate);
    events.retain(|event| level.is_some_and(|level| event.candidate.ln_cost.exp() <= level));
    events
}

fn contains(analysis: &Analysis, wide: Subject, narrow: Subject) -> bool {
    match (wide, narrow) {
        (Subject::Fleet, _) => true,
        (Subject::Region(region), Subject::Sensor(sensor)) => analysis.region_of[sensor] == region,
        _ => false,
    }
}

fn overlap(a: &Candidate, b: &Candidate) -> bool {
    a.side == b.side && a.from <= b.to && b.from <= a.to
}

/// How far a series went during the event, in its direction.
fn lift(values: &[f32], observed: &[bool], base: f32, candidate: &Candidate) -> f32 {
    let days = candidate.from..=candidate.to;
    let away: Vec<f32> = days.filter(|day| observed[*day]).map(|day| values[day] - base).collect();
    away.iter().sum::<f32>() / small(away.len().max(1)) * candidate.side.sign()
}

fn is_whole(
    analysis: &Analysis,
    pass: &Pass,
    totals: &[Total],
    total: &Total,
    candidate: &Candidate,
) -> bool {
    let base =
        |track: &Track| track.bases(&track.low, analysis.settings.least_baseline_days).0[candidate.from];
    let whole = lift(&total.all, &total.track.observed, base(&total.track), candidate);
    let services = |sensor: usize| {
        let cells = (0..analysis.cells.len()).filter(|cell| analysis.cells[*cell].sensor == sensor);
        let mut lifts: Vec<f32> = cells
            .filter_map(|cell| {
                let track = pass.track(cell);
                let base = base(track);
                (base > LEAST_BASE).then(|| lift(&track.low, &track.observed, base, candidate))
            })
            .collect();
        lifts.sort_by(f32::total_cmp);
        lifts.len() >= LEAST_SERVICES && lifts[lifts.len() / 2] >= PART * whole
    };
    let members: Vec<usize> = (0..analysis.sensors.len())
        .filter(|sensor| match total.subject {
            Subject::Sensor(of) => of == *sensor,
            Subject::Region(of) => of == analysis.region_of[*sensor],
            Subject::Fleet | Subject::Service(_) => true,
        })
        .filter(|sensor| {
            let track = &totals[*sensor].track;
            (candidate.from..=candidate.to).any(|day| track.observed[day]) && !base(track).is_nan()
        })
        .collect();
    let along = members.iter().filter(|sensor| {
        let Total { track, all, .. } = &totals[**sensor];
        lift(all, &track.observed, base(track), candidate) >= PART * whole && services(**sensor)
    });
    let least = if matches!(total.subject, Subject::Sensor(_)) { 1 } else { 2 };
    let along = along.count();
    along >= least && small(along) >= SENSORS * small(members.len())
}
