//! What rose and fell: bars to the right and to the left.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{Area, LEAST, Layout, MARGIN, problem, rgb, write};
use crate::report::model::{Change, Report};
use crate::report::words::{Form, figure as words};
use crate::vocabulary::names;
use crate::vocabulary::palette::{BLUE, LINES, VERMILION};

pub(super) use crate::report::write::page::CHANGES as ROWS;

fn rows(report: &Report) -> Vec<&Change> {
    report.rose.iter().take(ROWS).chain(report.fell.iter().take(ROWS)).collect()
}

const fn row_height(layout: Layout) -> u32 {
    layout.font + 10
}

/// How high all rows are together.
pub(super) fn height(layout: Layout, report: &Report) -> u32 {
    let rows = u32::try_from(rows(report).len()).unwrap_or_default();
    (layout.font * 2 + MARGIN * 2 + rows * row_height(layout)).max(LEAST)
}

/// Draws the bars, each with its service and from what to what it changed.
pub(super) fn bars(area: &Area<'_>, layout: Layout, report: &Report) -> Result<()> {
    let form = Form::of(report);
    let rows = rows(report);
    let (font, row) = (i32::try_from(layout.font)?, i32::try_from(row_height(layout))?);
    let first = font * 2 + i32::try_from(MARGIN)?;
    let left = HPos::Left;
    if rows.is_empty() {
        let place = (i32::try_from(MARGIN)?, first + row);
        return write(area, words::nothing(form), place, &layout.text(left, VPos::Center));
    }
    let (names, values) = layout.beside;
    let from = f64::from(MARGIN + names);
    let to = f64::from(layout.width - MARGIN - values);
    let most = |sign: f64| rows.iter().map(|change| sign * (change.now - change.before)).fold(0.0, f64::max);
    let (up, down) = (most(1.0), most(-1.0));
    let scale = (to - from) / (up + down).max(f64::MIN_POSITIVE);
    let zero = from + down * scale;
    let end = first + row * i32::try_from(rows.len())?;
    for (at, change) in rows.iter().enumerate() {
        let y = first + row * i32::try_from(at)? + row / 2;
        let name = if layout.named { names::label(&change.service) } else { change.service.to_string() };
        write(
            area,
            &fitting(layout, &name, &change.service.to_string()),
            (i32::try_from(MARGIN)?, y),
            &layout.text(left, VPos::Center),
        )?;
        let length = (change.now - change.before) * scale;
        let colour = if length < 0.0 { VERMILION } else { BLUE };
        // Something is seen of the smallest.
        let (x, other) =
            if length < 0.0 { (zero + length.min(-1.0), zero) } else { (zero, zero + length.max(1.0)) };
        let bar = [(pixel(x), y - font / 2), (pixel(other), y + font / 2)];
        area.draw(&Rectangle::new(bar, rgb(colour).filled())).map_err(problem)?;
        let said = words::from_to(form, change.before, change.now);
        write(area, &said, (pixel(to) + 8, y), &layout.text(left, VPos::Center))?;
    }
    let line = vec![(pixel(zero), first), (pixel(zero), end)];
    area.draw(&PathElement::new(line, rgb(LINES).stroke_width(1))).map_err(problem)
}

/// A name, or a shorter one if it is too long.
fn fitting(layout: Layout, name: &str, short: &str) -> String {
    if layout.width_of(name) > layout.beside.0 { short } else { name }.to_owned()
}

/// The pixel at a place.
#[expect(clippy::cast_possible_truncation, reason = "a figure is some hundred pixels wide")]
fn pixel(place: f64) -> i32 {
    place.round() as i32
}
