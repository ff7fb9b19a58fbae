//! How much of the period was seen: an average over what was missed is worth less, and says so.

use super::{Block, SENSORS, more, or_nothing, table};
use crate::report::model::{Report, SensorReport, WHOLE};
use crate::report::words::caption::{self, Rest};
use crate::report::words::{Form, coverage as said, heading};

/// Up to so many sensors, each one's coverage is shown.
const ALL: usize = 50;
/// Gaps of a sensor.
const GAPS: usize = 5;

/// What each sensor observed, or in a large fleet those that missed something.
pub fn blocks<'a>(form: Form, report: &Report) -> Vec<Block<'a>> {
    let all = report.sensors.len();
    let incomplete = |sensor: &&SensorReport| sensor.coverage < WHOLE || !sensor.gaps.is_empty();
    let mut blocks = Vec::new();
    if all > 0 {
        let whole = report.sensors.iter().filter(|sensor| !incomplete(sensor)).count();
        blocks.push(Block::Text(said::total(form, report, whole)));
    }
    let few = all <= ALL;
    let listed = |sensor: &&SensorReport| few || incomplete(sensor) || !sensor.moves.is_empty();
    let listed: Vec<&SensorReport> = report.sensors.iter().filter(listed).collect();
    let rows = listed.iter().take(SENSORS).map(|sensor| {
        let gaps: Vec<String> =
            sensor.gaps.iter().take(GAPS).map(|gap| form.days(gap.from, gap.to)).collect();
        let rest = sensor.gaps.len().saturating_sub(gaps.len());
        let gaps = match report.publication {
            Some(_) => said::not_published(form).to_owned(),
            None => said::gaps(form, &gaps, rest),
        };
        vec![
            sensor.name.as_str().into(),
            said::region(form, sensor).into(),
            form.count(sensor.packets).into(),
            form.average(sensor.observed_days).into(),
            form.percent(sensor.coverage).into(),
            gaps.into(),
        ]
    });
    let columns = [
        (heading::sensor(form), false),
        (heading::region(form), false),
        (heading::packets(form), true),
        (heading::observed(form), true),
        (heading::covered(form), true),
        (heading::gaps(form), false),
    ];
    blocks.push(or_nothing(
        table(caption::coverage(form, few), &columns, rows.collect()),
        if all == 0 { caption::no_sensor(form) } else { said::no_gap(form) },
    ));
    blocks.extend(more(form, listed.len(), SENSORS, Rest::Sensors, "coverage.csv"));
    blocks
}
