//! The tops of sensors, as TSUBAME's Table 1 has them.

use std::collections::BTreeSet;

use super::{Block, Cell, Column, Group, SENSORS, Table, more, or_nothing};
use crate::report::model::{Ranked, Report, TOP_OF_A_SENSOR};
use crate::report::words::caption::{self, Rest};
use crate::report::words::{Form, heading, sensors as tops};
use crate::vocabulary::service::Service;

/// A row: a sensor's first services.
pub(super) struct Row<'r> {
    /// Its name.
    pub(super) name: &'r str,
    /// Its region.
    pub(super) region: &'r str,
    /// The services.
    pub(super) top: &'r [Ranked],
    /// Whether it was there at all.
    pub(super) observed: bool,
}

/// The table, what only one or two have, and what the services are called.
pub(super) fn blocks<'a>(form: Form, report: &Report) -> Vec<Block<'a>> {
    let counted = tops::tops(report);
    let shaded: BTreeSet<&Service> = counted
        .into_iter()
        .filter(|(_, sensors)| tops::few(report, *sensors))
        .map(|(service, _)| service)
        .collect();
    let rows = report.sensors.iter().map(|sensor| Row {
        name: &sensor.name,
        region: &sensor.region,
        top: &sensor.top,
        observed: sensor.observed(),
    });
    let caption = caption::sensors(form, !shaded.is_empty());
    let mut blocks = shaded_table(form, report, rows, caption, "sensors.csv", &shaded);
    blocks.extend(tops::alone(form, report).map(Block::Text));
    let shown = report.sensors.iter().take(SENSORS).flat_map(|sensor| &sensor.top);
    let services: BTreeSet<Service> = shown.map(|row| row.service.clone()).collect();
    blocks.extend(tops::named(form, services.into_iter()).map(Block::Small));
    blocks
}

/// A table of sensors, and where the rest of them is.
pub(super) fn table<'a, 'r>(
    form: Form,
    report: &Report,
    rows: impl ExactSizeIterator<Item = Row<'r>>,
    caption: String,
    file: &str,
) -> Vec<Block<'a>> {
    shaded_table(form, report, rows, caption, file, &BTreeSet::new())
}

fn shaded_table<'a, 'r>(
    form: Form,
    report: &Report,
    rows: impl ExactSizeIterator<Item = Row<'r>>,
    caption: String,
    file: &str,
    shaded: &BTreeSet<&Service>,
) -> Vec<Block<'a>> {
    let mut columns = vec![Column { heading: heading::sensor(form).to_owned(), numeric: false }];
    columns.extend((1..=TOP_OF_A_SENSOR).map(|rank| Column { heading: format!("#{rank}"), numeric: false }));
    let mut groups: Vec<Group> = Vec::new();
    let all = rows.len();
    for row in rows.take(SENSORS) {
        let heading = Some(heading::group(form, report.home.as_deref(), row.region));
        if groups.last().is_none_or(|group| group.heading != heading) {
            groups.push(Group { heading, rows: Vec::new() });
        }
        if let Some(group) = groups.last_mut() {
            group.rows.push(cells(form, &row, shaded));
        }
    }
    let table = Table { caption, columns, groups, dense: true };
    let mut blocks = vec![or_nothing(table, caption::no_sensor(form))];
    blocks.extend(more(form, all, SENSORS, Rest::Sensors, file));
    blocks
}

fn cells(form: Form, row: &Row<'_>, shaded: &BTreeSet<&Service>) -> Vec<Cell> {
    let mut cells = vec![Cell::from(row.name)];
    cells.extend((0..TOP_OF_A_SENSOR).map(|at| match row.top.get(at) {
        Some(ranked) => Cell::Short(ranked.service.clone(), shaded.contains(&ranked.service)),
        None if at == 0 && !row.observed => Cell::from(tops::not_observed(form)),
        None => Cell::from(""),
    }));
    cells
}
