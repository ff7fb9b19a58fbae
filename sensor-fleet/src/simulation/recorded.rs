//! What the recording rules would have written: sums of hours and days, and the share observed.

use std::path::Path;

use anyhow::Result;

use super::fleet::{DAY, REGIONS};
use super::known::{self, Writer};
use super::noise::poisson;
use super::openmetrics::{Family, History};
use super::options::{Resolution, Sources};
use super::plan::Plan;
use super::rates::{hours, rates};
use super::tally::Tally;
use crate::vocabulary::series::{self, Rollup};

/// How long after an hour's end its sums are written, in seconds.
pub const HOUR_DELAY: i64 = 17 * 60;
/// How long after a day's end its sums are written, in seconds.
pub const DAY_DELAY: i64 = 77 * 60;

/// One sensor's counts of one service: nothing where it has not been observed.
pub type Counts = Vec<Option<u64>>;

/// Writes all of it.
///
/// # Errors
/// If it cannot be written.
pub fn write(
    plan: &Plan,
    tally: &mut Tally,
    folder: &Path,
    progress: &mut dyn FnMut(u32),
) -> Result<History> {
    let mut days = Level::new(plan, folder, series::DAILY, DAY_DELAY)?;
    let mut by_hour = match plan.options.resolution {
        Resolution::Hour => Some(Level::new(plan, folder, series::HOURLY, HOUR_DELAY)?),
        Resolution::Day | Resolution::Raw => None,
    };
    let mut told = (plan.options.sources != Sources::None).then(|| Writer::new(plan, folder)).transpose()?;
    for sensor in 0..plan.sensors.len() {
        let mut all = Vec::with_capacity(plan.services.len());
        for service in 0..plan.services.len() {
            let of_days = if let Some(by_hour) = &mut by_hour {
                let of_hours = count_hours(plan, sensor, service);
                by_hour.counts(plan, sensor, service, &of_hours)?;
                sum(&of_hours)
            } else {
                count_days(plan, sensor, service)
            };
            days.counts(plan, sensor, service, &of_days)?;
            tally.add(plan, sensor, service, &of_days);
            all.push(of_days);
        }
        if let Some(told) = &mut told {
            let known = known::known(plan, sensor, &all);
            told.write(plan, sensor, &known)?;
            tally.keep_known(sensor, known);
        }
        for level in by_hour.iter_mut().chain([&mut days]) {
            level.observed(plan, sensor)?;
        }
        progress(sensor as u32 + 1);
    }
    let mut families = days.finish(plan)?;
    if let Some(by_hour) = by_hour {
        families.extend(by_hour.finish(plan)?);
    }
    families.extend(told.into_iter().flat_map(Writer::finish));
    Ok(History(families))
}

/// Sums of each 24 hours.
#[must_use]
pub fn sum(hours: &[Option<u64>]) -> Counts {
    let add = |sum: Option<u64>, count: &Option<u64>| match (sum, count) {
        (None, None) => None,
        (sum, count) => Some(sum.unwrap_or(0) + count.unwrap_or(0)),
    };
    hours.chunks(24).map(|day| day.iter().fold(None, add)).collect()
}

fn count_days(plan: &Plan, sensor: usize, service: usize) -> Counts {
    let (rates, mut random) = rates(plan, sensor, service);
    let presence = &plan.sensors[sensor].presence;
    let born = plan.services[service].born.unwrap_or(0);
    let of_day = |(day, rate): (usize, &f64)| {
        let minutes = day * DAY..(day + 1) * DAY;
        let share = presence.counted(&minutes) as f64 / DAY as f64;
        let count = poisson(&mut random, rate * share);
        (day >= born && presence.observed(&minutes) > 0).then_some(count)
    };
    rates.iter().enumerate().map(of_day).collect()
}

fn count_hours(plan: &Plan, sensor: usize, service: usize) -> Counts {
    let (rates, mut random) = rates(plan, sensor, service);
    let presence = &plan.sensors[sensor].presence;
    let born = plan.services[service].born.unwrap_or(0);
    let pattern = hours(plan, service);
    let of_hour = |hour: usize| {
        let minutes = hour * 60..(hour + 1) * 60;
        let share = presence.counted(&minutes) as f64 / DAY as f64;
        let count = poisson(&mut random, rates[hour / 24] * pattern[hour % 24] * share);
        (hour / 24 >= born && presence.observed(&minutes) > 0).then_some(count)
    };
    (0..plan.days * 24).map(of_hour).collect()
}

/// The families of one length of time.
struct Level {
    rollup: Rollup,
    minutes: usize,
    stamps: Vec<String>,
    families: [Family; 3],
    regions: Vec<Counts>,
}

impl Level {
    fn new(plan: &Plan, folder: &Path, rollup: Rollup, delay: i64) -> Result<Self> {
        let family = |name| Family::new(folder, name, "gauge");
        let families =
            [family(rollup.sensor_packets)?, family(rollup.region_packets)?, family(rollup.observed)?];
        let minutes = (rollup.seconds / 60) as usize;
        let count = plan.days * DAY / minutes;
        let stamp = |at: usize| (plan.start + rollup.seconds * (at as i64 + 1) + delay).to_string();
        let stamps = (0..count).map(stamp).collect();
        let regions = vec![vec![None; count]; REGIONS.len() * plan.services.len()];
        Ok(Self { rollup, minutes, stamps, families, regions })
    }

    fn counts(&mut self, plan: &Plan, sensor: usize, service: usize, counts: &[Option<u64>]) -> Result<()> {
        let (sensor, labels) = (&plan.sensors[sensor], plan.services[service].labels());
        let series = format!("{}{{sensor=\"{}\",{labels}}}", self.rollup.sensor_packets, sensor.name);
        self.families[0].series(&series);
        let region = &mut self.regions[sensor.region * plan.services.len() + service];
        for ((count, stamp), sum) in counts.iter().zip(&self.stamps).zip(region) {
            if let Some(count) = count {
                self.families[0].sample(count, stamp)?;
                *sum = Some(sum.unwrap_or(0) + count);
            }
        }
        Ok(())
    }

    fn observed(&mut self, plan: &Plan, sensor: usize) -> Result<()> {
        let sensor = &plan.sensors[sensor];
        let region = REGIONS[sensor.region];
        let series = format!("{}{{sensor=\"{}\",region=\"{region}\"}}", self.rollup.observed, sensor.name);
        self.families[2].series(&series);
        for (at, stamp) in self.stamps.iter().enumerate() {
            let observed = sensor.presence.observed(&(at * self.minutes..(at + 1) * self.minutes));
            if observed > 0 {
                self.families[2].sample(observed as f64 / self.minutes as f64, stamp)?;
            }
        }
        Ok(())
    }

    fn finish(mut self, plan: &Plan) -> Result<Vec<Family>> {
        for (at, counts) in self.regions.iter().enumerate() {
            let region = REGIONS[at / plan.services.len()];
            let labels = plan.services[at % plan.services.len()].labels();
            if counts.iter().all(Option::is_none) {
                continue;
            }
            self.families[1]
                .series(&format!("{}{{region=\"{region}\",{labels}}}", self.rollup.region_packets));
            for (count, stamp) in counts.iter().zip(&self.stamps) {
                if let Some(count) = count {
                    self.families[1].sample(count, stamp)?;
                }
            }
        }
        Ok(self.families.into())
    }
}
