//! What agents export, as Prometheus keeps it: a sample a minute.
//!
//! What the samples show is exactly what was counted. So no packet comes in the minute of a counter's first sample
//! or of the first after an outage, and none between the last sample before a reboot and the reboot. A restart of the
//! agent costs samples, not counts: the next sample has them.

use std::path::Path;

use anyhow::Result;
use rand::RngExt as _;

use super::fleet::{DAY, REGIONS, Sensor};
use super::noise::poisson;
use super::openmetrics::{Family, History};
use super::plan::Plan;
use super::rates::{hours, rates};
use super::recorded::{Counts, sum};
use super::tally::Tally;

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
    let mut packets = Family::new(folder, "sensor_packets", "counter")?;
    let mut rest = [
        Family::new(folder, "sensor_info", "gauge")?,
        Family::new(folder, "sensor_xdp_attached", "gauge")?,
        Family::new(folder, "up", "gauge")?,
    ];
    for (at, sensor) in plan.sensors.iter().enumerate() {
        for service in 0..plan.services.len() {
            let of_hours = count(plan, at, service, &mut packets)?;
            tally.add(plan, at, service, &sum(&of_hours));
            tally.keep_hours(at, of_hours);
        }
        beside(plan, sensor, &mut rest)?;
        progress(at as u32 + 1);
    }
    let [info, attached, up] = rest;
    Ok(History(vec![packets, info, attached, up]))
}

fn target(sensor: &Sensor, moved: bool) -> String {
    let host = if moved { "-b" } else { "" };
    format!("instance=\"{}{host}.example:19817\",job=\"sensor\"", sensor.name)
}

fn stamp(plan: &Plan, sensor: &Sensor, minute: usize) -> String {
    let (second, milliseconds) = (sensor.phase / 1_000, sensor.phase % 1_000);
    format!("{}.{milliseconds:03}", plan.start + (minute * 60) as i64 + i64::from(second))
}

/// Writes the samples of one counter and gives what they show in each hour.
fn count(plan: &Plan, at: usize, service: usize, packets: &mut Family) -> Result<Counts> {
    let sensor = &plan.sensors[at];
    let labels = plan.services[service].labels();
    let series = |moved| {
        format!("sensor_packets_total{{sensor=\"{}\",{labels},{}}}", sensor.name, target(sensor, moved))
    };
    let presence = &sensor.presence;
    let (rates, mut random) = rates(plan, at, service);
    let pattern = hours(plan, service);
    let mut shown: Counts = vec![None; plan.days * 24];
    // A sensor that is there from the start has counted before; a later one, and a port's new series, begin at 0.
    let born = plan.services[service].born.map(|day| day * DAY + 17);
    let from_before = presence.live.start == 0 && born.is_none();
    let mut value = if from_before { random.random_range(50_000..1_050_000) } else { 0 };
    let mut last = None;
    let mut first_after = true;
    packets.series(&series(false));
    for minute in presence.live.start.max(born.unwrap_or(0))..presence.live.end {
        if let Some(down) = presence.down_at(minute) {
            if down.reset {
                value = 0;
            }
            first_after = true;
            continue;
        }
        if presence.moved == Some(minute) {
            (value, first_after, last) = (0, true, None);
            packets.series(&series(true));
        }
        let hour = minute / 60;
        if !first_after {
            value += poisson(&mut random, rates[hour / 24] * pattern[hour % 24] / DAY as f64);
        }
        if presence.restarts_at(minute) {
            continue;
        }
        first_after = false;
        packets.sample(value, &stamp(plan, sensor, minute))?;
        let increase = match last {
            None => 0,
            Some(last) if value < last => value,
            Some(last) => value - last,
        };
        shown[hour] = Some(shown[hour].unwrap_or(0) + increase);
        last = Some(value);
    }
    Ok(shown)
}

/// Writes what comes with the counters. A target that does not answer is `up` 0, as Prometheus has it.
fn beside(plan: &Plan, sensor: &Sensor, [info, attached, up]: &mut [Family; 3]) -> Result<()> {
    let presence = &sensor.presence;
    let moved = presence.moved.unwrap_or(presence.live.end);
    for (is_moved, minutes) in [(false, presence.live.start..moved), (true, moved..presence.live.end)] {
        if minutes.is_empty() {
            continue;
        }
        let target = target(sensor, is_moved);
        let region = REGIONS[sensor.region];
        info.series(&format!("sensor_info{{sensor=\"{}\",region=\"{region}\",{target}}}", sensor.name));
        attached.series(&format!("sensor_xdp_attached{{interface=\"eth0\",mode=\"native\",{target}}}"));
        up.series(&format!("up{{{target}}}"));
        for minute in minutes {
            let stamp = stamp(plan, sensor, minute);
            let answers = presence.down_at(minute).is_none() && !presence.restarts_at(minute);
            up.sample(u8::from(answers), &stamp)?;
            if answers {
                info.sample(1, &stamp)?;
                attached.sample(1, &stamp)?;
            }
        }
    }
    Ok(())
}
