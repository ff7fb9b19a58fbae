//! What surges, where and when.

use super::fleet::{REGIONS, Roles, Sensor};
use super::options::Options;
use super::services::ServiceModel;
use super::truth::Kind;

/// One port's traffic rising on some sensors.
#[derive(Clone, Debug)]
pub struct PlannedSurge {
    /// What it is.
    pub kind: Kind,
    /// The service's place among all.
    pub service: usize,
    /// The day it begins.
    pub first: usize,
    /// What each day's rate is multiplied by, from the first on.
    pub factors: Vec<f64>,
    /// What is added to each day's rate, for each address.
    pub added: f64,
    /// Whether each sensor has it.
    pub seen: Vec<bool>,
    /// The region that alone has it.
    pub region: Option<usize>,
}

impl PlannedSurge {
    /// What becomes of a sensor's rate of packets to a service.
    #[must_use]
    pub fn apply(&self, rate: f64, addresses: u32, day: usize) -> f64 {
        let Some(factor) = day.checked_sub(self.first).and_then(|since| self.factors.get(since)) else {
            return rate;
        };
        rate * factor + self.added * f64::from(addresses)
    }
}

/// How many days a worm is seen.
const WORM_DAYS: usize = 40;

/// All of them, each on a port of its own after the first ten, in the last two fifths of the span, so that a
/// baseline of 28 days precedes each where the span has 48 days or more.
///
/// With too few sensors for a kind (eight for a mixed one, two in a region and some elsewhere for a region's) it is
/// left out.
#[must_use]
pub fn surges(
    options: &Options,
    sensors: &[Sensor],
    roles: &Roles,
    services: &mut [ServiceModel],
) -> Vec<PlannedSurge> {
    let days = options.span();
    let day = |part: f64| (days as f64 * part) as usize;
    let all = vec![true; sensors.len()];
    let only = |some: &[usize]| (0..sensors.len()).map(|at| some.contains(&at)).collect::<Vec<_>>();
    let surge = |kind, service, first: usize, factors: Vec<f64>, seen: Vec<bool>| PlannedSurge {
        kind,
        service,
        first,
        factors: factors.into_iter().take(days - first).collect(),
        added: 0.0,
        seen,
        region: None,
    };
    let worm = (0..WORM_DAYS).map(|day| 1.0 + 9.0 * (-(day as f64) / 10.0).exp()).collect();
    let mut surges = vec![
        surge(Kind::Worm, 10, day(0.62), worm, all.clone()),
        surge(Kind::Alone, 12, day(0.76), vec![10.0; 3], only(&[roles.alone])),
    ];
    if let Some(region) = region(sensors) {
        let seen = sensors.iter().map(|it| it.region == region).collect();
        let surge = surge(Kind::Region, 11, day(0.70), vec![7.0; 5], seen);
        surges.push(PlannedSurge { region: Some(region), ..surge });
    }
    if !roles.some.is_empty() {
        surges.push(surge(Kind::Some, 13, day(0.82), vec![8.0; 4], only(&roles.some)));
    }
    let new = options.ports as usize - 1;
    let first = day(0.88);
    services[new].born = Some(first);
    services[new].share = 0.02;
    surges.push(surge(Kind::NewPort, new, first, vec![1.0; days - first], all));
    let loud = surge(Kind::LoudSource, 14, day(0.93), vec![1.0], only(&[roles.loud]));
    surges.push(PlannedSurge { added: 250_000.0, ..loud });
    surges.sort_by_key(|surge| surge.first);
    surges
}

/// The region abroad with the most sensors, else home; with two sensors at least, and some elsewhere.
fn region(sensors: &[Sensor]) -> Option<usize> {
    let count = |region: usize| sensors.iter().filter(|it| it.region == region).count();
    let fits = |region: &usize| (2..sensors.len()).contains(&count(*region));
    let abroad =
        (1..REGIONS.len()).filter(fits).max_by_key(|region| (count(*region), REGIONS.len() - region));
    abroad.or_else(|| Some(0).filter(fits))
}
