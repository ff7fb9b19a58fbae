//! The figures: how the top services went from day to day, and home against overseas month by month.
//!
//! Each is drawn twice, wide and narrow, since a wide one shrunk to a telephone's width cannot be read. Colours alone
//! tell nothing: a line also has its name at its end, and in a pair of bars home is on the left.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::number::average;
use crate::report::model::{Average, Curve, Report, TOP};
use crate::vocabulary::names;
use crate::vocabulary::palette::{BLUE, Colour, INK, LINES, ORANGE, PAPER, PLACES};

mod axis;
mod svg;

/// A figure.
pub struct Figure {
    /// The names of its files.
    pub svg: &'static str,
    /// As PNG.
    pub png: &'static str,
    /// What it shows, in a line.
    pub title: String,
    /// SVG for a page or a screen.
    pub wide: String,
    /// SVG for a telephone.
    pub narrow: String,
}

/// Of text; the page's style knows it, [`LINES`] and [`PAPER`], and changes them for a dark page.
const TEXT: RGBColor = rgb(INK);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Days or months, and packets.
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<axis::Ticked, RangedCoordf64>>;

/// Sizes that depend on how much room there is.
#[derive(Clone, Copy)]
struct Layout {
    size: (u32, u32),
    /// Whether there is room for the title, which then says too what is measured.
    titled: bool,
    /// Of text, in pixels.
    font: u32,
    /// Labels on the axis of days or months at most.
    labels: usize,
    /// Room for the names of lines.
    names: u32,
    /// The longest name of a line, in characters; a longer one loses the part in brackets.
    name: usize,
    /// Bars up to this number have their values above them.
    values: usize,
}

const WIDE: Layout =
    Layout { size: (960, 420), titled: true, font: 14, labels: 8, names: 250, name: 28, values: 14 };
const NARROW: Layout =
    Layout { size: (360, 300), titled: false, font: 12, labels: 4, names: 92, name: 10, values: 6 };
/// Plotters hands a font's height on as the size of its letters, by this factor.
const HEIGHT: f64 = 1.24;
/// Between the border and what is drawn.
const MARGIN: u32 = 8;

impl Layout {
    fn text(self, anchor: Pos) -> TextStyle<'static> {
        TextStyle::from(("sans-serif", f64::from(self.font) * HEIGHT).into_font()).color(&TEXT).pos(anchor)
    }

    /// Room for the labels at the left, by the longest of them.
    fn left(self, top: f64) -> u32 {
        let letters = u32::try_from(average(top).len()).unwrap_or(u32::MAX).clamp(2, 12);
        letters * self.font * 7 / 10 + 12
    }
}

/// All figures of a report.
pub struct Figures {
    /// How the top services went from day to day.
    pub curves: Figure,
    /// Averages month by month.
    pub monthly: Figure,
}

impl Figures {
    /// Each of them.
    pub fn all(self) -> [Figure; 2] {
        [self.curves, self.monthly]
    }
}

/// Draws all figures.
///
/// # Errors
/// If one cannot be drawn, which would be a mistake in here.
pub fn draw(report: &Report) -> Result<Figures> {
    let name = &report.period.name;
    let home = report.home.is_some();
    let (against, pair) = if home {
        (", home against overseas", "For each month two bars, home on the left and overseas on the right. ")
    } else {
        ("", "")
    };
    let curves = format!("Packets per sensor and day of the top {TOP} services, {name}");
    let months = format!("Packets per sensor and day, month by month{against}, {name}");
    let bars_seen = format!("{pair}{}", bars_described(report));
    Ok(Figures {
        curves: figure("curves.svg", "curves.png", curves, &described(report), |area, layout| {
            lines(area, layout, report)
        })?,
        monthly: figure("monthly.svg", "monthly.png", months, &bars_seen, |area, layout| {
            bars(area, layout, report)
        })?,
    })
}

fn figure(
    svg: &'static str,
    png: &'static str,
    title: String,
    description: &str,
    draw: impl Fn(&Area<'_>, Layout) -> Result<()>,
) -> Result<Figure> {
    let drawn = |layout: Layout| -> Result<String> {
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, layout.size).into_drawing_area();
            area.fill(&rgb(PAPER)).map_err(problem)?;
            draw(&area, layout)?;
            let heading = if layout.titled { title.as_str() } else { "packets per sensor and day" };
            let place = (i32::try_from(MARGIN)?, 6);
            let style = layout.text(Pos::new(HPos::Left, VPos::Top));
            area.draw(&Text::new(heading, place, style)).map_err(problem)?;
            area.present().map_err(problem)?;
        }
        Ok(svg::described(&text, &title, description))
    };
    Ok(Figure { svg, png, wide: drawn(WIDE)?, narrow: drawn(NARROW)?, title })
}

/// Drawing into a string fails only for coordinates beyond all bounds.
fn problem(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw a figure: {error}; this is a mistake in the program: report it")
}

/// The largest value, where the axis ends; never 0.
fn top(values: impl Iterator<Item = f64>) -> f64 {
    let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    if most > 0.0 { most * 1.12 } else { 1.1 }
}

/// Draws the axes, their labels, and lines across.
fn grid(chart: &mut Chart<'_, '_>, layout: Layout, ticks: &axis::Ticks) -> Result<()> {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(rgb(LINES))
        .axis_style(rgb(LINES))
        .label_style(layout.text(Pos::new(HPos::Left, VPos::Top)))
        .x_labels(ticks.len().max(1))
        .y_labels(6)
        .x_label_formatter(&|at| axis::label(ticks, *at))
        .y_label_formatter(&|value| average(*value))
        .draw()
        .map_err(problem)
}

fn lines(area: &Area<'_>, layout: Layout, report: &Report) -> Result<()> {
    let length = report.curves.iter().map(|curve| curve.days.len()).max().unwrap_or_default();
    let last = to_f64(length.max(2) - 1);
    let most = top(report.curves.iter().flat_map(|curve| curve.days.iter().copied().flatten()));
    let ticks = axis::days(report.period.from, length, layout.labels);
    let left = layout.left(most);
    let (inner, _) = area.split_horizontally(layout.size.0 - layout.names);
    let mut chart = ChartBuilder::on(&inner)
        .margin(MARGIN)
        .margin_top(layout.font * 2)
        .margin_right(0)
        .x_label_area_size(layout.font * 2)
        .y_label_area_size(left)
        .build_cartesian_2d(axis::Ticked::new(last, &ticks), 0.0..most)
        .map_err(problem)?;
    grid(&mut chart, layout, &ticks)?;
    for (curve, colour) in report.curves.iter().zip(PLACES.map(rgb).iter().cycle()) {
        for run in runs(curve) {
            match run.as_slice() {
                // A day between two without observation: a line of one point is none.
                [point] => chart.draw_series([Circle::new(*point, 2, colour.filled())]).map_err(problem)?,
                _ => chart.draw_series(LineSeries::new(run, colour.stroke_width(2))).map_err(problem)?,
            };
        }
    }

    // The name of each line, at its end.
    let mut ends = Vec::new();
    for (curve, colour) in report.curves.iter().zip(PLACES.map(rgb).iter().cycle()) {
        let Some(end) = runs(curve).pop().and_then(|run| run.last().copied()) else { continue };
        let name = names::label(&curve.service);
        let name = if name.chars().count() > layout.name { curve.service.to_string() } else { name };
        ends.push((chart.backend_coord(&end), name, *colour));
    }
    let line = i32::try_from(layout.font + 4)?;
    let mut places: Vec<i32> = ends.iter().map(|(end, ..)| end.1).collect();
    axis::spread(&mut places, line, (line, i32::try_from(layout.size.1)? - 2 * line));
    let x = i32::try_from(layout.size.0 - layout.names)?;
    for ((end, name, colour), y) in ends.into_iter().zip(places) {
        area.draw(&PathElement::new(vec![end, (x + 4, y), (x + 14, y)], colour.stroke_width(1)))
            .map_err(problem)?;
        let style = layout.text(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(name, (x + 18, y), style)).map_err(problem)?;
    }
    Ok(())
}

/// A curve without its gaps.
fn runs(curve: &Curve) -> Vec<Vec<(f64, f64)>> {
    let points: Vec<Option<(f64, f64)>> =
        curve.days.iter().enumerate().map(|(at, value)| value.map(|value| (to_f64(at), value))).collect();
    points
        .split(Option::is_none)
        .map(|run| run.iter().copied().flatten().collect::<Vec<_>>())
        .filter(|run| !run.is_empty())
        .collect()
}

/// The two bars of a month, or the one if there is no home.
fn pairs(report: &Report) -> Vec<(String, Vec<Option<f64>>)> {
    let value = |of: Option<Average>| of.map(|of| of.per_sensor_day);
    let months = report.monthly.iter().map(|month| {
        let bars = if report.home.is_some() {
            vec![value(month.home), value(month.overseas)]
        } else {
            vec![value(month.all)]
        };
        (month.month.clone(), bars)
    });
    months.collect()
}

fn bars(area: &Area<'_>, layout: Layout, report: &Report) -> Result<()> {
    let months = pairs(report);
    let most = top(months.iter().flat_map(|(_, bars)| bars.iter().copied().flatten()));
    let ticks =
        axis::months(&months.iter().map(|(month, _)| month.as_str()).collect::<Vec<_>>(), layout.labels);
    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
        .margin_top(layout.font * 4)
        .x_label_area_size(layout.font * 2)
        .y_label_area_size(layout.left(most))
        .build_cartesian_2d(axis::Ticked::new(to_f64(months.len().max(1)), &ticks), 0.0..most)
        .map_err(problem)?;
    grid(&mut chart, layout, &ticks)?;

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
            if all <= layout.values {
                let (x, y) = chart.backend_coord(&(f64::midpoint(from, to), value));
                let style = layout.text(Pos::new(HPos::Center, VPos::Bottom));
                area.draw(&Text::new(average(value), (x, y - 1), style)).map_err(problem)?;
            }
        }
    }

    let names: &[&str] = if report.home.is_some() { &["home", "overseas"] } else { &["all sensors"] };
    let font = i32::try_from(layout.font)?;
    let (mut x, y) = (i32::try_from(MARGIN)?, font * 5 / 2);
    for (name, colour) in names.iter().zip(colours) {
        area.draw(&Rectangle::new([(x, y - font / 2), (x + font, y + font / 2)], colour.filled()))
            .map_err(problem)?;
        let style = layout.text(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(*name, (x + font + 6, y), style)).map_err(problem)?;
        x += font * 3 + i32::try_from(name.len())? * font * 6 / 10;
    }
    Ok(())
}

/// The first and the last value of each curve.
fn described(report: &Report) -> String {
    let curves = report.curves.iter().filter_map(|curve| {
        let mut values = curve.days.iter().copied().flatten();
        let first = values.next()?;
        let last = values.next_back().unwrap_or(first);
        let most = curve.days.iter().copied().flatten().fold(0.0, f64::max);
        Some(format!(
            "{} goes from {} to {}, at most {}.",
            names::label(&curve.service),
            average(first),
            average(last),
            average(most)
        ))
    });
    curves.collect::<Vec<_>>().join(" ")
}

/// The values of each month.
fn bars_described(report: &Report) -> String {
    let months = pairs(report).into_iter().map(|(month, bars)| {
        let values: Vec<String> =
            bars.into_iter().map(|value| value.map_or_else(|| "nothing".to_owned(), average)).collect();
        format!("{month}: {}.", values.join(" and "))
    });
    months.collect::<Vec<_>>().join(" ")
}

/// A colour, as plotters has it.
const fn rgb(Colour { red, green, blue }: Colour) -> RGBColor {
    RGBColor(red, green, blue)
}

/// A position on an axis.
#[expect(clippy::cast_precision_loss, reason = "no period has 2^52 days")]
const fn to_f64(at: usize) -> f64 {
    at as f64
}
