//! How much of the period was seen: an average over what was missed is worth less, and says so.

use super::super::number::{average, count, days, of, percent, thousands};
use super::{Block, SENSORS, more, or_nothing, table};
use crate::report::model::{Report, SensorReport, WHOLE};

/// Up to so many sensors, each one's coverage is shown.
const ALL: usize = 50;
/// Gaps of a sensor.
const GAPS: usize = 5;

/// Sensors that observed so little that averages and ranks may mislead.
pub fn warning(report: &Report) -> Option<String> {
    let low = || report.sensors.iter().filter(|sensor| sensor.coverage < WHOLE);
    let number = low().count();
    let worst = low().min_by(|a, b| a.coverage.total_cmp(&b.coverage))?;
    let verb = if number == 1 { "was" } else { "were" };
    Some(format!(
        "{} of {} {verb} observed for less than 90 % of the period; least of all {}, {}. Averages count only days \
         that were observed; totals and ranks miss what nobody saw.",
        thousands(number as u64),
        of(report.sensors.len(), "sensor", "sensors"),
        worst.name,
        percent(worst.coverage),
    ))
}

/// What each sensor observed, or in a large fleet those that missed something.
pub fn blocks<'a>(report: &Report) -> Vec<Block<'a>> {
    let all = report.sensors.len();
    let incomplete = |sensor: &&SensorReport| sensor.coverage < WHOLE || !sensor.gaps.is_empty();
    let mut blocks = Vec::new();
    if all > 0 {
        let days: f64 = report.sensors.iter().map(|sensor| sensor.observed_days).sum();
        let whole = report.sensors.iter().filter(|sensor| !incomplete(sensor)).count();
        let mean: f64 = report.sensors.iter().map(|sensor| sensor.coverage).sum::<f64>() / all_of(all);
        blocks.push(Block::Text(format!(
            "{} observed for {} days together, {} of the period on average; {} had no day below 90 %.",
            of(all, "sensor", "sensors"),
            average(days),
            percent(mean),
            thousands(whole as u64),
        )));
    }
    let few = all <= ALL;
    let listed: Vec<&SensorReport> = report
        .sensors
        .iter()
        .filter(|sensor| few || incomplete(sensor) || !sensor.moves.is_empty())
        .collect();
    let publish = report.publication.is_some();
    let rows = listed.iter().take(SENSORS).map(|sensor| {
        let gaps: Vec<String> = sensor.gaps.iter().take(GAPS).map(|gap| days(gap.from, gap.to)).collect();
        let rest = sensor.gaps.len().saturating_sub(gaps.len());
        let gaps = match (publish, gaps.is_empty(), rest) {
            (true, ..) => "not published".to_owned(),
            (_, true, _) => "none".to_owned(),
            (_, _, 0) => gaps.join("; "),
            (.., rest) => format!("{}; {rest} more", gaps.join("; ")),
        };
        [
            sensor.name.as_str().into(),
            region(sensor).into(),
            count(sensor.packets, report.publication).into(),
            average(sensor.observed_days).into(),
            percent(sensor.coverage).into(),
            gaps.into(),
        ]
    });
    let columns = [
        ("Sensor", false),
        ("Region", false),
        ("Packets", true),
        ("Days observed", true),
        ("Coverage", true),
        ("Days below 90 %", false),
    ];
    let caption = if few {
        "How much of the period each sensor observed"
    } else {
        "Sensors that did not observe all of the period, or moved; the others are in coverage.csv"
    };
    blocks.push(or_nothing(
        table(caption, columns, rows.collect()),
        if all == 0 { "No sensor was seen in the period." } else { "No sensor has a gap." },
    ));
    blocks.extend(more(listed.len(), SENSORS, "sensors", "coverage.csv"));
    blocks
}

/// A sensor's region, and those where it was before.
fn region(sensor: &SensorReport) -> String {
    let before = sensor.moves.iter().rev().map(|it| format!("{} before {}", it.from, it.day));
    let before: Vec<String> = before.collect();
    if before.is_empty() {
        sensor.region.clone()
    } else {
        format!("{} ({})", sensor.region, before.join(", "))
    }
}

/// A number of sensors to divide by.
#[expect(clippy::cast_precision_loss, reason = "no fleet has 2^52 sensors")]
const fn all_of(sensors: usize) -> f64 {
    sensors as f64
}
