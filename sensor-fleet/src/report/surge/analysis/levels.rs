//! What each sensor had during an event.

use super::super::pool::Scored;
use super::super::scope::{self, Lift};
use super::super::track::{BASELINE, BASELINE_VARIANCE, Side, WINDOWS, middle, small};
use super::pass::Pass;
use super::{Analysis, Event, Part, Subject};

/// Days from an event's begin on which it is told who saw it.
const TELLING: usize = 14;
/// The error of a sensor on which the service has no series.
const WITHOUT_SERIES: f32 = 0.3;

/// A sensor that saw an event.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Seen {
    /// Its number.
    pub(in super::super) sensor: usize,
    /// The number of its cell.
    pub(in super::super) cell: usize,
    /// The median of its baseline, in packets.
    pub(in super::super) baseline: f64,
    /// The chance of the unlikeliest of its windows at the begin.
    pub(in super::super) p: f64,
    /// It had packets in its baseline, up to the day before the last.
    pub(in super::super) known: bool,
}

/// The sensors that saw an event of a service.
pub(super) fn seen(analysis: &Analysis, pass: &Pass, event: &Event) -> Vec<Seen> {
    let Subject::Service(service) = event.subject else { return Vec::new() };
    let (from, to, side) = (event.candidate.from, event.candidate.to, event.candidate.side);
    let telling = from..=to.min(from + TELLING - 1);
    // A ramp is at its end what it is.
    let telling = if event.candidate.ramp { to.saturating_sub(TELLING - 1).max(from)..=to } else { telling };
    let mut cells = analysis.cells_of(service).peekable();
    let (mut levels, mut of) = (Vec::new(), Vec::new());
    for (sensor, here) in analysis.sensors.iter().enumerate() {
        let cell = cells.next_if(|cell| analysis.cells[*cell].sensor == sensor);
        if !(from..=to).any(|day| here.judged[day]) {
            continue;
        }
        let mut level = Lift { region: analysis.region_of[sensor], away: 0.0, error: WITHOUT_SERIES };
        let known = cell.and_then(|cell| {
            let (track, scored) = pass.cell(cell, side);
            let (values, _) = track.tested(side);
            let days = telling.clone().filter(|day| track.observed[*day]);
            let lifts: Vec<f32> = days.map(|day| (values[day] - scored.bases[from]) * side.sign()).collect();
            let count = small(lifts.len());
            let lift = lifts.iter().sum::<f32>() / count;
            // How much a mean of so many days varies, between one and a week.
            let week = small(WINDOWS[2].days);
            let more = 1.0 + (scored.week() - 1.0) * (count - 1.0).clamp(0.0, week - 1.0) / (week - 1.0);
            let variance = more * more / count + BASELINE_VARIANCE / small(BASELINE);
            lift.is_finite().then(|| {
                level.away = lift;
                level.error = scored.spreads[from] * variance.sqrt();
                (cell, p(pass, cell, &scored, side, from, to))
            })
        });
        of.push((sensor, known));
        levels.push(level);
    }
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
    let least = analysis.settings.ratio.ln() as f32;
    if let Some(part) = event.apart {
        let there = of.iter().zip(&mut levels).filter(|((_, known), _)| known.is_some());
        let there = there.map(|((sensor, _), level)| (is_in(analysis, part, *sensor), level));
        set_apart(&mut there.collect::<Vec<_>>(), least / 2.0);
    }
    let saw = scope::saw(&levels, least);
    let seen = of.into_iter().zip(saw).filter(|(_, saw)| *saw);
    seen.filter_map(|((sensor, known), _)| {
        let (cell, p) = known?;
        let counts = &analysis.cells[cell].counts;
        let packets = |day: usize| counts[day].map_or(0.0, super::super::number);
        let mut before: Vec<f64> = pass.track(cell).baseline_days(from).map(packets).collect();
        let known = pass.track(cell).baseline_days(from).any(|day| day + 1 < from && packets(day) > 0.0);
        Some(Seen { sensor, cell, baseline: median(&mut before), p, known })
    })
    .collect()
}

fn is_in(analysis: &Analysis, part: Part, sensor: usize) -> bool {
    match part {
        Part::Sensor(of) => of == sensor,
        Part::Region(of) => of == analysis.region_of[sensor],
    }
}

/// Takes out of all levels what those outside of the part had in common, unless it is so much that it may be the event.
fn set_apart(levels: &mut [(bool, &mut Lift)], most: f32) {
    let mut outside: Vec<f32> =
        levels.iter().filter(|(inside, _)| !inside).map(|(_, level)| level.away).collect();
    outside.sort_by(f32::total_cmp);
    let common = if outside.is_empty() { 0.0 } else { middle(&outside) };
    if common.abs() < most {
        for (_, level) in levels {
            level.away -= common;
        }
    }
}

fn p(pass: &Pass, cell: usize, scored: &Scored, side: Side, from: usize, to: usize) -> f64 {
    let mut least = 0.5_f64.ln();
    for (kind, window) in WINDOWS.iter().enumerate() {
        let tail = pass.law(cell, kind).tail(side);
        for begin in from..=(to + 1).saturating_sub(window.days).min(from + TELLING) {
            if let Some(value) = scored.windows[kind].get(begin).filter(|value| !value.is_nan()) {
                least = least.min(tail.ln_chance(f64::from(value * side.sign())));
            }
        }
    }
    least.exp().clamp(f64::MIN_POSITIVE, 1.0)
}

/// The median; 0 of nothing.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        odd if !odd.is_multiple_of(2) => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}
