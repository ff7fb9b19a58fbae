//! Sensors, regions and a fleet that changed as a whole.
//!
//! A total that moved because one service or one sensor did is no event of its own: that service or sensor says so
//! itself. So most services of a sensor must have moved with it, and most sensors of a region.

use super::super::Cell;
use super::super::discovery;
use super::super::law::Outermost;
use super::super::pool::{Laws, Pool};
use super::super::scan::{Candidate, Series, Tests, Thresholds};
use super::super::track::{Track, middle, small};
use super::pass::Pass;
use super::{Analysis, Event, Level, Subject};

/// Parts of the false findings that totals may make.
const OF_SENSORS: f64 = 0.05;
const OF_REGIONS: f64 = 0.03;
const OF_FLEET: f64 = 0.02;
/// A sensor with fewer services that tell anything has no whole.
const LEAST_SERVICES: usize = 5;
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
}

/// All that are within the rate among themselves.
pub(super) fn events(analysis: &Analysis, pass: &Pass) -> Vec<Event> {
    let totals = totals(analysis);
    let tracks: Vec<&Track> = totals.iter().map(|total| &total.track).collect();
    // What is the middle of many services has the law that the prior says; and a quarter of it may be events.
    let pool = Pool::of(&tracks, analysis.settings.least_baseline_days, Outermost::ALL, Laws::OfPools);
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
            all: None,
            with_others: None,
            pool: &pool,
            tests,
            thresholds,
            settings: &analysis.settings,
        };
        let scored = pool.score_both(&total.track);
        for candidate in series.candidates(scored) {
            let explained = |event: &Event| {
                contains(analysis, event.subject, total.subject) && overlap(&event.candidate, &candidate)
            };
            if !events.iter().any(explained) && is_whole(analysis, pass, &totals, total, &candidate) {
                events.push(Event {
                    subject: total.subject,
                    level: total.level,
                    apart: None,
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

/// What usual services of sensors, regions and the fleet had: how far each service is from its own median, and of
/// these the middle. One service, or sensor, however loud, is none of it.
fn totals(analysis: &Analysis) -> Vec<Total> {
    let mut cells_of = vec![Vec::new(); analysis.sensors.len()];
    for cell in &analysis.cells {
        cells_of[cell.sensor].push(cell);
    }
    let mut totals: Vec<Total> = Vec::new();
    for (sensor, cells) in cells_of.iter().enumerate() {
        let observed = &analysis.sensors[sensor].observed;
        let of = |cell: &&Cell| {
            let days = cell.counts.iter().zip(observed).filter(|(_, observed)| **observed);
            let mut lns: Vec<f32> =
                days.filter_map(|(count, _)| Some(ln(count.as_ref().copied()?))).collect();
            lns.sort_by(f32::total_cmp);
            lns.get(lns.len() / 2).copied().filter(|usual| *usual > LEAST_BASE)
        };
        let usual: Vec<(&Cell, f32)> = cells.iter().filter_map(|cell| Some((*cell, of(cell)?))).collect();
        let level = usual.iter().map(|(_, usual)| usual.exp()).sum::<f32>().ln_1p();
        let away = |day: usize| {
            let away: Vec<f32> =
                usual.iter().filter_map(|(cell, usual)| Some(ln(cell.counts[day]?) - usual)).collect();
            (observed[day] && away.len() >= LEAST_SERVICES).then(|| of_all(away))
        };
        let days: Vec<Option<f32>> = (0..analysis.days).map(away).collect();
        totals.push(Total {
            subject: Subject::Sensor(sensor),
            level: Level::Sensor,
            track: track(level, &days),
        });
    }
    let sum = |subject, level, of: &dyn Fn(usize) -> bool| {
        let members: Vec<&Track> =
            (0..totals.len()).filter(|sensor| of(*sensor)).map(|sensor| &totals[sensor].track).collect();
        // Each from its own median.
        let usual: Vec<f32> = members.iter().map(|track| median(track)).collect();
        let day = |day: usize| {
            let there = members.iter().zip(&usual).filter(|(track, _)| track.observed[day]);
            let away: Vec<f32> = there.map(|(track, usual)| track.low[day] - usual).collect();
            (2 * away.len() > members.len()).then(|| of_all(away))
        };
        let days: Vec<Option<f32>> = (0..analysis.days).map(day).collect();
        let all = usual.iter().map(|usual| usual.exp()).sum::<f32>().ln_1p();
        (members.len() > 1).then(|| Total { subject, level, track: track(all, &days) })
    };
    let regions = if analysis.regions.len() > 1 { analysis.regions.len() } else { 0 };
    let mut sums: Vec<Total> = (0..regions)
        .filter_map(|region| {
            sum(Subject::Region(region), Level::Region, &|sensor| analysis.region_of[sensor] == region)
        })
        .collect();
    sums.extend(sum(Subject::Fleet, Level::Fleet, &|_| true));
    totals.extend(sums);
    totals
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
fn ln(packets: u64) -> f32 {
    super::super::number(packets).ln_1p() as f32
}

fn of_all(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    middle(&values)
}

fn median(track: &Track) -> f32 {
    let days = track.low.iter().zip(&track.observed).filter(|(_, observed)| **observed);
    let mut values: Vec<f32> = days.map(|(value, _)| *value).collect();
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Away by so much from a level.
fn track(level: f32, days: &[Option<f32>]) -> Track {
    Track {
        low: days.iter().map(|away| (level + away.unwrap_or(0.0)).max(0.0)).collect(),
        high: None,
        observed: days.iter().map(Option::is_some).collect(),
        masked: vec![false; days.len()],
        ..Track::default()
    }
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
    let whole = lift(&total.track.low, &total.track.observed, base(&total.track), candidate);
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
        let track = &totals[**sensor].track;
        lift(&track.low, &track.observed, base(track), candidate) >= PART * whole && services(**sensor)
    });
    let least = if matches!(total.subject, Subject::Sensor(_)) { 1 } else { 2 };
    let along = along.count();
    along >= least && small(along) >= SENSORS * small(members.len())
}
