//! The figures: home against overseas month by month, of packets and of sources, how the top services went from day to day, what rose and fell.
//!
//! Each is drawn twice, wide and narrow, since a wide one shrunk to a telephone's width cannot be read. Colours alone
//! tell nothing: a curve has its name above it, and in a pair of bars home is on the left.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::model::{Curve, Report};
use crate::report::words::{Form, caption, figure as words, number};
use crate::vocabulary::palette::{Colour, INK, LINES, PAPER};

mod axis;
mod changes;
mod curves;
mod monthly;
mod svg;

use self::monthly::Monthly;

/// A figure.
pub struct Figure {
    /// The names of its files.
    pub svg: &'static str,
    /// As PNG.
    pub png: &'static str,
    /// What it shows, in a line, with its number.
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
    width: u32,
    /// Of text, in pixels.
    font: u32,
    /// Labels on the axis of days or months at most.
    labels: usize,
    /// Bars up to this number have their values above them.
    values: usize,
    /// The height of a curve.
    panel: u32,
    /// Room for the names beside bars, and for their values.
    beside: (u32, u32),
    /// Whether services have their names with them.
    named: bool,
}

const WIDE: Layout =
    Layout { width: 960, font: 14, labels: 8, values: 14, panel: 112, beside: (260, 150), named: true };
const NARROW: Layout =
    Layout { width: 360, font: 12, labels: 4, values: 6, panel: 84, beside: (82, 104), named: false };
/// Plotters hands a font's height on as the size of its letters, by this factor.
const HEIGHT: f64 = 1.24;
/// No figure is lower than this, even with nothing in it.
const LEAST: u32 = 160;
/// Between the border and what is drawn.
const MARGIN: u32 = 8;

impl Layout {
    fn text(self, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
        let font = ("sans-serif", f64::from(self.font) * HEIGHT).into_font();
        TextStyle::from(font).color(&TEXT).pos(Pos::new(horizontal, vertical))
    }

    /// Room for the labels at the left, by the longest of them.
    fn left(self, top: f64) -> u32 {
        let letters = u32::try_from(number::average(top).len()).unwrap_or(u32::MAX).clamp(2, 12);
        letters * self.font * 7 / 10 + 12
    }

    /// About how wide a text is: letters of East Asia are twice as wide as others.
    fn width_of(self, text: &str) -> u32 {
        let tenths = text.chars().map(|letter| if letter < '\u{2e80}' { 6 } else { 10 }).sum::<u32>();
        tenths * self.font / 10
    }
}

/// All figures of a report.
pub struct Figures {
    /// Packets month by month.
    pub monthly: Figure,
    /// Sources month by month, if any sensor tells them.
    pub sources: Option<Figure>,
    /// How the top services went from day to day.
    pub curves: Figure,
    /// What rose and fell.
    pub changes: Figure,
}

impl Figures {
    /// Each of them.
    pub fn all(self) -> impl Iterator<Item = Figure> {
        [Some(self.monthly), self.sources, Some(self.curves), Some(self.changes)].into_iter().flatten()
    }
}

/// Draws all figures.
///
/// # Errors
/// If one cannot be drawn, which would be a mistake in here.
pub fn draw(report: &Report) -> Result<Figures> {
    let form = Form::of(report);
    let (packets, sources) = (Monthly::packets(report), Monthly::sources(report));
    let mut numbers = 1..;
    let mut titled = |title: &str| caption::figure(form, numbers.next().unwrap_or_default(), title);
    let bars_high = |layout: Layout| layout.width * 9 / 20 + 60;
    let monthly = FigurePlan {
        files: ("monthly.svg", "monthly.png"),
        title: titled(&words::monthly(form, report)),
        description: words::monthly_described(form, &packets.months),
        unit: words::unit(form),
    };
    let monthly = monthly.figure(bars_high, |area, layout| monthly::bars(area, layout, report, &packets))?;
    let sources = sources.map(|sources| {
        let plan = FigurePlan {
            files: ("sources.svg", "sources.png"),
            title: titled(&words::sources(form, report)),
            description: words::monthly_described(form, &sources.months),
            unit: words::sources_unit(form),
        };
        plan.figure(bars_high, |area, layout| monthly::bars(area, layout, report, &sources))
    });
    let curves = FigurePlan {
        files: ("curves.svg", "curves.png"),
        title: titled(&words::curves(form, report)),
        description: words::curves_described(form, report),
        unit: words::unit(form),
    };
    let changes = FigurePlan {
        files: ("changes.svg", "changes.png"),
        title: titled(&words::changes(form, report)),
        description: words::changes_described(form, report, changes::ROWS),
        unit: words::unit(form),
    };
    Ok(Figures {
        monthly,
        sources: sources.transpose()?,
        curves: curves.figure(
            |layout| curves::height(layout, report),
            |area, layout| curves::panels(area, layout, report),
        )?,
        changes: changes.figure(
            |layout| changes::height(layout, report),
            |area, layout| changes::bars(area, layout, report),
        )?,
    })
}

/// A figure to be drawn.
struct FigurePlan {
    files: (&'static str, &'static str),
    title: String,
    description: String,
    /// What is measured upwards.
    unit: &'static str,
}

impl FigurePlan {
    fn figure(
        self,
        height: impl Fn(Layout) -> u32,
        draw: impl Fn(&Area<'_>, Layout) -> Result<()>,
    ) -> Result<Figure> {
        let drawn = |layout: Layout| -> Result<String> {
            let mut text = String::new();
            {
                let area =
                    SVGBackend::with_string(&mut text, (layout.width, height(layout))).into_drawing_area();
                area.fill(&rgb(PAPER)).map_err(problem)?;
                draw(&area, layout)?;
                write(&area, self.unit, (i32::try_from(MARGIN)?, 6), &layout.text(HPos::Left, VPos::Top))?;
                area.present().map_err(problem)?;
            }
            Ok(svg::described(&text, &self.title, &self.description))
        };
        let (wide, narrow) = (drawn(WIDE)?, drawn(NARROW)?);
        Ok(Figure { svg: self.files.0, png: self.files.1, wide, narrow, title: self.title })
    }
}

/// Drawing into a string fails only for coordinates beyond all bounds.
fn problem(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw a figure: {error}; this is a mistake in the program: report it")
}

fn write(area: &Area<'_>, text: &str, place: (i32, i32), style: &TextStyle<'_>) -> Result<()> {
    area.draw(&Text::new(text, place, style.clone())).map_err(problem)
}

/// The largest value, where the axis ends; never 0.
fn top(values: impl Iterator<Item = f64>) -> f64 {
    let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    if most > 0.0 { most * 1.12 } else { 1.1 }
}

/// Draws the axes, their labels, and lines across.
fn grid(chart: &mut Chart<'_, '_>, layout: Layout, ticks: &axis::Ticks, lines: usize) -> Result<()> {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(rgb(LINES))
        .axis_style(rgb(LINES))
        .label_style(layout.text(HPos::Left, VPos::Top))
        .x_labels(ticks.len().max(1))
        .y_labels(lines)
        .x_label_formatter(&|at| axis::label(ticks, *at))
        .y_label_formatter(&|value| number::average(*value))
        .draw()
        .map_err(problem)
}

/// Values of days without the gaps between them.
fn runs(days: &[Option<f64>]) -> Vec<Vec<(f64, f64)>> {
    let points: Vec<Option<(f64, f64)>> =
        days.iter().enumerate().map(|(at, value)| value.map(|value| (to_f64(at), value))).collect();
    points
        .split(Option::is_none)
        .map(|run| run.iter().copied().flatten().collect::<Vec<_>>())
        .filter(|run| !run.is_empty())
        .collect()
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
