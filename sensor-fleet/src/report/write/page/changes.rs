//! What rose, fell and is new.

use super::{Block, Cell, Group, more, or_nothing, table};
use crate::report::model::{Change, Report};
use crate::report::words::caption::{self, Rest};
use crate::report::words::{Form, heading};

/// Rows of what rose, and of what fell: as many as the figure has bars.
pub const ROWS: usize = 10;
/// Rows of what is new.
const NEW: usize = 20;

/// The table below the figure, and where the rest is.
pub(super) fn blocks<'a>(form: Form, report: &Report) -> Vec<Block<'a>> {
    let (now, before) = (form.period(&report.period), form.period(&report.previous));
    let columns = [
        (heading::service(form), false),
        (now.as_str(), true),
        (before.as_str(), true),
        (heading::change(form), true),
    ];
    let mut changes = table(caption::changes(form), &columns, Vec::new());
    changes.groups = [(heading::rose(form), &report.rose), (heading::fell(form), &report.fell)]
        .into_iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(heading, rows)| Group {
            heading: Some(heading.to_owned()),
            rows: rows.iter().take(ROWS).map(|change| row(form, change)).collect(),
        })
        .collect();
    let mut blocks = vec![or_nothing(changes, caption::no_change(form))];
    blocks.extend(more(form, report.rose.len(), ROWS, Rest::Rose, "changes.csv"));
    blocks.extend(more(form, report.fell.len(), ROWS, Rest::Fell, "changes.csv"));
    blocks
}

fn row(form: Form, row: &Change) -> Vec<Cell> {
    // Nothing before means few, in a published report: what is new has a table of its own.
    let change = if row.before > 0.0 { form.change(row.now, row.before) } else { form.maybe(None) };
    vec![
        Cell::Service(row.service.clone()),
        form.average(row.now).into(),
        form.average(row.before).into(),
        change.into(),
    ]
}

/// The table of what is new.
pub(super) fn new<'a>(form: Form, report: &Report) -> Block<'a> {
    let rows = report
        .new
        .iter()
        .take(NEW)
        .map(|row| vec![Cell::Service(row.service.clone()), form.average(row.now).into()]);
    let caption = caption::new(form, report, report.new.len().saturating_sub(NEW));
    let columns = [(heading::service(form), false), (heading::per_sensor_day(form), true)];
    or_nothing(table(caption, &columns, rows.collect()), caption::none(form))
}
