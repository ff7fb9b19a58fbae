//! What is planted.

use super::fleet::{BEFORE, DAYS, Fleet, QUARTER, home};
use crate::simulation::noise::uniform;

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Sensor,
    Region,
    Fleet,
}

/// How it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Course {
    /// So many times the usual.
    Times(f64),
    /// The same, of all services.
    All(f64),
    /// More by this part from day to day.
    Grows(f64),
}

/// A planted event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Case {
    pub(super) course: Course,
    /// It lasts until the quarter ends if there are more than are left.
    pub(super) days: usize,
    /// Packets a day on a sensor; a whole sensor has what it has.
    pub(super) level: f64,
    pub(super) scope: Scope,
}

const fn times(ratio: f64, days: usize, level: f64, scope: Scope) -> Case {
    Case { course: Course::Times(ratio), days, level, scope }
}

const fn all(ratio: f64, days: usize, scope: Scope) -> Case {
    Case { course: Course::All(ratio), days, level: 0.0, scope }
}

/// Quarters that are planted, by number of sensors.
pub(super) const QUARTERS: &[(usize, &[Case])] = &[
    (30, &[times(5.0, 14, 500.0, Scope::Fleet)]),
    (9, &[times(3.0, 14, 500.0, Scope::Sensor)]),
    (9, &[times(3.0, 3, 500.0, Scope::Region)]),
    (
        9,
        &[
            times(10.0, 1, 500.0, Scope::Sensor),
            times(5.0, 7, 100.0, Scope::Region),
            times(3.0, 7, 500.0, Scope::Fleet),
        ],
    ),
    (
        9,
        &[
            times(2.0, 14, 5_000.0, Scope::Fleet),
            times(5.0, 57, 500.0, Scope::Sensor),
            Case { course: Course::Grows(0.04), days: 40, level: 500.0, scope: Scope::Fleet },
        ],
    ),
    (9, &[all(0.02, 5, Scope::Region)]),
    (9, &[all(0.3, 7, Scope::Sensor)]),
    (9, &[times(0.05, 20, 500.0, Scope::Fleet)]),
];

/// A case in a fleet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Planted {
    pub(super) case: Case,
    /// The service, unless all are concerned.
    pub(super) service: Option<usize>,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) sensors: Vec<usize>,
}

/// Plants it on a service of its own.
pub(super) fn plant(fleet: &mut Fleet, case: Case, service: usize) -> Planted {
    let service = (!matches!(case.course, Course::All(_))).then_some(service);
    if let Some(service) = service {
        fleet.set_level(service, case.level);
    }
    let sensors: Vec<usize> = match case.scope {
        Scope::Sensor => {
            let one = (uniform(&mut fleet.random) * fleet.sensors as f64) as usize;
            vec![one.min(fleet.sensors - 1)]
        }
        Scope::Region => (0..home(fleet.sensors)).collect(),
        Scope::Fleet => (0..fleet.sensors).collect(),
    };
    // It begins a week in, and ends a week before the end, if it ends.
    let room = QUARTER.saturating_sub(case.days + 14);
    let from = BEFORE + 7 + (uniform(&mut fleet.random) * room as f64) as usize;
    let from = if room == 0 { DAYS - case.days.min(QUARTER) } else { from };
    // A step is still there when the quarter ends.
    let from = if case.days == 57 { DAYS - case.days } else { from };
    let to = (from + case.days).min(DAYS) - 1;
    for (of, levels) in fleet.levels.iter_mut().enumerate() {
        if service.is_none_or(|service| service == of) {
            for sensor in &sensors {
                for (days, level) in levels[*sensor][from..=to].iter_mut().enumerate() {
                    *level *= match case.course {
                        Course::Times(ratio) | Course::All(ratio) => ratio,
                        Course::Grows(part) => (1.0 + part).powf((days + 1) as f64),
                    };
                }
            }
        }
    }
    Planted { case, service, from, to, sensors }
}
