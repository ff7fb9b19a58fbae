//! The tops of sensors, as TSUBAME's Table 1 has them.

use std::collections::BTreeSet;

use super::{Block, Cell, Column, Group, SENSORS, Table, more, or_nothing};
use crate::report::model::{Report, SensorReport, TOP_OF_A_SENSOR};
use crate::report::words::caption::{self, Rest};
use crate::report::words::{Form, heading, sensors as tops};
use crate::vocabulary::service::Service;

/// The table, what only one or two have, and what the services are called.
pub(super) fn blocks<'a>(form: Form, report: &Report) -> Vec<Block<'a>> {
    let counted = tops::tops(report);
    let shaded: BTreeSet<&Service> = counted
        .into_iter()
        .filter(|(_, sensors)| tops::few(report, *sensors))
        .map(|(service, _)| service)
        .collect();
    let mut columns = vec![Column { heading: heading::sensor(form).to_owned(), numeric: false }];
    columns.extend((1..=TOP_OF_A_SENSOR).map(|rank| Column { heading: format!("#{rank}"), numeric: false }));
    let mut groups: Vec<Group> = Vec::new();
    for sensor in report.sensors.iter().take(SENSORS) {
        let heading = Some(heading::group(form, report.home.as_deref(), &sensor.region));
        if groups.last().is_none_or(|group| group.heading != heading) {
            groups.push(Group { heading, rows: Vec::new() });
        }
        if let Some(group) = groups.last_mut() {
            group.rows.push(row(form, sensor, &shaded));
        }
    }
    let caption = caption::sensors(form, !shaded.is_empty());
    let table = Table { caption, columns, groups, dense: true };
    let mut blocks = vec![or_nothing(table, caption::no_sensor(form))];
    blocks.extend(more(form, report.sensors.len(), SENSORS, Rest::Sensors, "sensors.csv"));
    blocks.extend(tops::alone(form, report).map(Block::Text));
    let shown = report.sensors.iter().take(SENSORS).flat_map(|sensor| &sensor.top);
    let services: BTreeSet<Service> = shown.map(|row| row.service.clone()).collect();
    blocks.extend(tops::named(form, services.into_iter()).map(Block::Small));
    blocks
}

fn row(form: Form, sensor: &SensorReport, shaded: &BTreeSet<&Service>) -> Vec<Cell> {
    let mut row = vec![Cell::from(sensor.name.as_str())];
    row.extend((0..TOP_OF_A_SENSOR).map(|at| match sensor.top.get(at) {
        Some(ranked) => Cell::Short(ranked.service.clone(), shaded.contains(&ranked.service)),
        None if at == 0 && !sensor.observed() => Cell::from(tops::not_observed(form)),
        None => Cell::from(""),
    }));
    row
}
