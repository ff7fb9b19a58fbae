//! Averages month by month, home beside overseas.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{Area, Layout, MARGIN, TEXT, axis, grid, problem, rgb, to_f64, top, write};
use crate::report::model::{Average, Mean, MeanMonth, Report};
use crate::report::words::{Form, figure as words};
use crate::vocabulary::palette::{BLUE, ORANGE};

/// What bars stand for.
pub(super) struct Monthly {
    /// Whether there are two bars for a month, home and overseas; else one of all sensors.
    compares: bool,
    /// The months, and their bars.
    pub months: Vec<(String, Vec<Option<f64>>)>,
    /// The sensors in the middle, for each bar, if these are shown.
    medians: Vec<Vec<Option<f64>>>,
}

impl Monthly {
    /// Packets per sensor and day.
    pub fn packets(report: &Report) -> Self {
        let compares = report.compares();
        let value = |of: Option<Average>| of.map(|of| of.per_sensor_day);
        let months = report.monthly.iter().map(|month| {
            let [home, overseas, all] = [month.home, month.overseas, month.all].map(value);
            (month.month.clone(), of_month(compares, home, overseas, all))
        });
        let medians = report.balance.months.iter().map(|of| of_month(compares, of.home, of.overseas, of.all));
        Self { compares, months: months.collect(), medians: medians.collect() }
    }

    /// Distinct sources in a day per sensor; nothing if no sensor tells them.
    pub fn sources(report: &Report) -> Option<Self> {
        let monthly = &report.sources.monthly;
        let compares = report.compares() && monthly.iter().any(MeanMonth::compares);
        let value = |of: Option<Mean>| of.map(|of| of.per_sensor_day);
        let months = monthly.iter().map(|month| {
            let [home, overseas, all] = [month.home, month.overseas, month.all].map(value);
            (month.month.clone(), of_month(compares, home, overseas, all))
        });
        let months: Vec<_> = months.collect();
        let told = months.iter().flat_map(|(_, bars)| bars).any(Option::is_some);
        told.then_some(Self { compares, months, medians: Vec::new() })
    }
}

/// The two bars of a month, or the one if nothing is compared.
fn of_month(compares: bool, home: Option<f64>, overseas: Option<f64>, all: Option<f64>) -> Vec<Option<f64>> {
    if compares { vec![home, overseas] } else { vec![all] }
}

/// Draws bars.
pub(super) fn bars(area: &Area<'_>, layout: Layout, report: &Report, monthly: &Monthly) -> Result<()> {
    let form = Form::of(report);
    let Monthly { months, medians, .. } = monthly;
    let values = months.iter().flat_map(|(_, bars)| bars).chain(medians.iter().flatten());
    let most = top(values.copied().flatten());
    let names: Vec<&str> = months.iter().map(|(month, _)| month.as_str()).collect();
    let ticks = axis::months(report.language, &names, layout.labels);
    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
        .margin_top(layout.font * 4)
        .x_label_area_size(layout.font * 2)
        .y_label_area_size(layout.left(most))
        .build_cartesian_2d(axis::Ticked::new(to_f64(months.len().max(1)), &ticks), 0.0..most)
        .map_err(problem)?;
    grid(&mut chart, layout, &ticks, 6)?;

    let colours = [BLUE, ORANGE].map(rgb);
    let all: usize = months.iter().map(|(_, bars)| bars.len()).sum();
    for (at, (_, bars)) in months.iter().enumerate() {
        let width = 0.7 / to_f64(bars.len());
        for (bar, (value, colour)) in bars.iter().zip(colours).enumerate() {
            let Some(value) = *value else { continue };
            let from = to_f64(at) + 0.15 + width * to_f64(bar);
            let to = from + width * 0.94;
            chart
                .draw_series([Rectangle::new([(from, 0.0), (to, value)], colour.filled())])
                .map_err(problem)?;
            let median = medians.get(at).and_then(|of| of.get(bar).copied().flatten());
            if let Some(median) = median {
                let line = PathElement::new(vec![(from, median), (to, median)], TEXT.stroke_width(3));
                chart.draw_series([line]).map_err(problem)?;
            }
            if all <= layout.values {
                let high = value.max(median.unwrap_or(0.0));
                let (x, y) = chart.backend_coord(&(f64::midpoint(from, to), high));
                write(area, &form.average(value), (x, y - 2), &layout.text(HPos::Center, VPos::Bottom))?;
            }
        }
    }
    legend(area, layout, report, monthly)
}

/// What the colours are, and the lines.
fn legend(area: &Area<'_>, layout: Layout, report: &Report, monthly: &Monthly) -> Result<()> {
    let form = Form::of(report);
    let home = report.home.as_deref().filter(|_| monthly.compares).map(|home| form.region(home));
    let names: Vec<String> = match home {
        Some(home) => vec![home, form.overseas().to_owned()],
        None => vec![words::all(form).to_owned()],
    };
    let font = i32::try_from(layout.font)?;
    let style = layout.text(HPos::Left, VPos::Center);
    let (mut x, y) = (i32::try_from(MARGIN)?, font * 5 / 2);
    for (name, colour) in names.iter().zip([BLUE, ORANGE].map(rgb)) {
        area.draw(&Rectangle::new([(x, y - font / 2), (x + font, y + font / 2)], colour.filled()))
            .map_err(problem)?;
        write(area, name, (x + font + 6, y), &style)?;
        x += font * 3 + i32::try_from(layout.width_of(name))?;
    }
    if !monthly.medians.is_empty() {
        area.draw(&PathElement::new(vec![(x, y), (x + font, y)], TEXT.stroke_width(3))).map_err(problem)?;
        write(area, words::median(form), (x + font + 6, y), &style)?;
    }
    Ok(())
}
