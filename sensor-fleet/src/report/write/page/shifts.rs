//! What fell well below its baseline, and what changed as a whole.

use super::{Block, Cell, more, or_nothing, table};
use crate::report::model::{Report, Shift};
use crate::report::words::caption::{self, Rest};
use crate::report::words::{Form, heading, verdict};

/// Rows of the table; all are in the files.
const ROWS: usize = 30;

/// The table.
pub(super) fn blocks<'a>(form: Form, report: &Report) -> Vec<Block<'a>> {
    let rows = report.shifts.iter().take(ROWS).map(|shift| row(form, report, shift));
    let columns = [
        (heading::days(form), false),
        (heading::what(form), false),
        (heading::seen(form), true),
        (heading::a_day(form), true),
        (heading::before(form), true),
        (heading::change(form), true),
    ];
    let mut blocks =
        vec![or_nothing(table(caption::silent(form), &columns, rows.collect()), caption::nothing(form))];
    blocks.extend(more(form, report.shifts.len(), ROWS, Rest::Shifts, "shifts.csv"));
    blocks
}

fn row(form: Form, report: &Report, shift: &Shift) -> Vec<Cell> {
    let what = match &shift.service {
        Some(service) => Cell::Service(service.clone()),
        None => verdict::shifted(form, report, shift).into(),
    };
    vec![
        verdict::days(form, shift.from, shift.to, shift.continues).into(),
        what,
        form.number(shift.sensors.len()).into(),
        form.average(shift.now).into(),
        form.average(shift.before).into(),
        form.change(shift.now, shift.before).into(),
    ]
}
