//! The top services from day to day, one below the other.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{Area, Curve, LEAST, Layout, MARGIN, axis, grid, problem, rgb, runs, to_f64, top, write};
use crate::report::model::Report;
use crate::vocabulary::names;
use crate::vocabulary::palette::{BLUE, ORANGE};

/// Days on both sides of one that its mean is over.
const AROUND: usize = 3;

/// How high all are together.
pub(super) fn height(layout: Layout, report: &Report) -> u32 {
    let panels = u32::try_from(report.curves.len()).unwrap_or(1).max(1);
    (layout.font * 2 + panels * layout.panel + layout.font * 2 + MARGIN).max(LEAST)
}

/// Draws a panel for each.
pub(super) fn panels(area: &Area<'_>, layout: Layout, report: &Report) -> Result<()> {
    let length = report.curves.iter().map(|curve| curve.days.len()).max().unwrap_or_default();
    let ticks = axis::days(report.language, report.period.from, length, layout.labels);
    let most = |curve: &Curve| top(curve.days.iter().copied().flatten());
    // One below the other only if they begin at the same place.
    let left = report.curves.iter().map(|curve| layout.left(most(curve))).max().unwrap_or_default();
    let (_, mut rest) = area.split_vertically(layout.font * 2);
    for (at, curve) in report.curves.iter().enumerate() {
        let last = at + 1 == report.curves.len();
        let labels = if last { layout.font * 2 } else { 0 };
        let (panel, below) = rest.split_vertically(layout.panel + labels);
        rest = below;
        let mut chart = ChartBuilder::on(&panel)
            .margin_left(MARGIN)
            .margin_right(MARGIN * 2)
            .margin_top(layout.font * 3 / 2 + 4)
            .x_label_area_size(labels)
            .y_label_area_size(left)
            .build_cartesian_2d(axis::Ticked::new(to_f64(length.max(2) - 1), &ticks), 0.0..most(curve))
            .map_err(problem)?;
        grid(&mut chart, layout, &ticks, 3)?;
        for (from, to) in surges(report, curve, length) {
            let shade = Rectangle::new([(from, 0.0), (to, most(curve))], rgb(ORANGE).mix(0.3).filled());
            chart.draw_series([shade]).map_err(problem)?;
        }
        for (days, style) in [
            (curve.days.clone(), rgb(BLUE).mix(0.45).stroke_width(1)),
            (means(&curve.days), rgb(BLUE).stroke_width(3)),
        ] {
            for run in runs(&days) {
                match run.as_slice() {
                    // A day between two without observation: a line of one point is none.
                    [point] => {
                        let dot = Circle::new(*point, 2, style.color.filled());
                        chart.draw_series([dot]).map_err(problem)?;
                    }
                    _ => {
                        chart.draw_series(LineSeries::new(run, style)).map_err(problem)?;
                    }
                }
            }
        }
        let name = if layout.named { names::label(&curve.service) } else { curve.service.to_string() };
        let place = (i32::try_from(MARGIN + left)?, 2);
        write(&panel, &format!("{}. {name}", at + 1), place, &layout.text(HPos::Left, VPos::Top))?;
    }
    Ok(())
}

/// The surges of a service, as places on the axis of days.
fn surges(report: &Report, curve: &Curve, length: usize) -> Vec<(f64, f64)> {
    let end = to_f64(length.max(2) - 1);
    let place =
        |day: jiff::civil::Date| report.period.from.until(day).map_or(0.0, |span| f64::from(span.get_days()));
    let of = report.surges.iter().filter(|surge| surge.service == curve.service);
    let places = of.map(|surge| (place(surge.from) - 0.5, place(surge.to) + 0.5));
    let mut places: Vec<(f64, f64)> = places
        .map(|(from, to)| (from.clamp(0.0, end), to.clamp(0.0, end)))
        .filter(|(from, to)| from < to)
        .collect();
    // Those of several sensors at once are one shade.
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut shades: Vec<(f64, f64)> = Vec::new();
    for (from, to) in places {
        match shades.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => shades.push((from, to)),
        }
    }
    shades
}

/// The mean of the seven days in whose middle each is; nothing where fewer than four observed.
fn means(days: &[Option<f64>]) -> Vec<Option<f64>> {
    let mean = |(at, day): (usize, &Option<f64>)| {
        let window = &days[at.saturating_sub(AROUND)..(at + AROUND + 1).min(days.len())];
        let there: Vec<f64> = window.iter().copied().flatten().collect();
        (day.is_some() && there.len() > AROUND).then(|| there.iter().sum::<f64>() / to_f64(there.len()))
    };
    days.iter().enumerate().map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_over_a_week() {
        let days: Vec<_> = (0..9_u8).map(|day| (day != 7).then(|| f64::from(day))).collect();
        let means = means(&days);
        assert_eq!(means[3], Some(3.0));
        assert_eq!(means[0], Some(1.5));
        assert_eq!(means[6], Some((3.0 + 4.0 + 5.0 + 6.0 + 8.0) / 5.0));
        assert_eq!((means[7], means[8]), (None, None));
    }
}
