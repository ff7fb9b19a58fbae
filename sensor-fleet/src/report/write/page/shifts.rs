//! What fell well below its baseline, and what changed as a whole.

use super::super::number::{average, change, thousands};
use super::{Block, Cell, event_days, more, or_nothing, table};
use crate::report::model::{Report, Shift, ShiftKind};

/// Rows of the table; all are in the files.
const ROWS: usize = 30;

/// The table.
pub(super) fn blocks<'a>(report: &Report) -> Vec<Block<'a>> {
    let rows = report.shifts.iter().take(ROWS).map(row);
    let columns = [
        ("Days", false),
        ("What", false),
        ("Sensors", true),
        ("Packets a day", true),
        ("Before", true),
        ("Change", true),
    ];
    let caption = "Services that fell well below their baseline, and sensors and regions that fell or rose as a whole, \
                   the latest first: with the packets a day of the sensors concerned, and those of the four weeks before";
    let mut blocks = vec![or_nothing(table(caption, columns, rows.collect()), "Nothing.")];
    blocks.extend(more(report.shifts.len(), ROWS, "shifts", "shifts.csv"));
    blocks
}

fn row(shift: &Shift) -> [Cell; 6] {
    let way = if shift.kind == ShiftKind::Fall { "fell" } else { "rose" };
    let what = match (&shift.service, shift.place.as_str()) {
        (Some(service), _) => Cell::Service(service.clone()),
        (None, "") => format!("the fleet {way}").into(),
        (None, place) => format!("{place} {way}").into(),
    };
    [
        event_days(shift.from, shift.to, shift.continues).into(),
        what,
        thousands(shift.sensors.len() as u64).into(),
        average(shift.now).into(),
        average(shift.before).into(),
        change(shift.now, shift.before).into(),
    ]
}
