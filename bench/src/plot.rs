//! The plot: a bar for each figure that is compared with another, its length the ratio, as an SVG.

use std::fmt::Write as _;

use crate::figure::{Figure, Figures, Section};
use crate::statistics::Spread;

// In pixels.
const WIDTH: f64 = 1_000.0;
const LABELS: f64 = 430.0;
const BARS: f64 = 470.0;
const ROW: f64 = 22.0;
const TITLE: f64 = 46.0;

/// The picture; empty but for its frame if nothing was compared.
pub fn plot(figures: &Figures, caption: &str) -> String {
    let mut body = String::new();
    let mut y = ROW;
    text(&mut body, 10.0, y, "start", caption);
    for section in Section::ALL {
        let rows: Vec<(&Figure, Spread)> = figures
            .0
            .iter()
            .filter(|figure| figure.section == section)
            .filter_map(|figure| Some((figure, figures.ratio_to_baseline(figure)?)))
            .collect();
        let Some(widest) = rows.iter().map(|(_, ratio)| ratio.high).max_by(f64::total_cmp) else { continue };
        y += TITLE;
        text(&mut body, 10.0, y, "start", section.title());
        let scale = BARS / widest.max(1.0);
        let top = y + 6.0;
        for (figure, ratio) in rows {
            y += ROW;
            row(&mut body, y, scale, figure, ratio);
        }
        // One: as much as what it is compared with.
        line(&mut body, "#333", (LABELS + scale, top), (LABELS + scale, y + 8.0));
    }
    let height = y + ROW;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" \
         fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

/// A bar as long as the median, with a line from quartile to quartile.
fn row(body: &mut String, y: f64, scale: f64, figure: &Figure, ratio: Spread) {
    text(body, LABELS - 8.0, y, "end", &figure.what);
    write(
        body,
        format_args!(
            "<rect x=\"{LABELS}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" fill=\"#4878a8\"/>",
            y - 11.0,
            ratio.median * scale
        ),
    );
    let middle = y - 4.0;
    line(body, "#c33", (LABELS + ratio.low * scale, middle), (LABELS + ratio.high * scale, middle));
    let label = format!("{:.2}", ratio.median);
    text(body, LABELS + ratio.high * scale + 6.0, y, "start", &label);
}

fn text(body: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    write(body, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"));
}

fn line(body: &mut String, colour: &str, from: (f64, f64), to: (f64, f64)) {
    write(
        body,
        format_args!(
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            from.0, from.1, to.0, to.1
        ),
    );
}

fn write(body: &mut String, element: std::fmt::Arguments<'_>) {
    writeln!(body, "{element}").expect("a string can be written to");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Unit;

    #[test]
    fn a_compared_figure_is_a_bar() {
        let figure = |id: &str| Figure::new(Section::Veth, id, format!("<{id}>"), Unit::Nanoseconds);
        let figures =
            Figures(vec![figure("bare").with([10.0]), figure("sensor").with([12.5]).against("bare")]);
        let svg = plot(&figures, "a & b");
        assert_eq!(svg.matches("<rect ").count(), 2, "the background and one bar: {svg}");
        assert!(
            svg.contains(">&lt;sensor&gt;<") && svg.contains(">1.25<") && svg.contains("a &amp; b"),
            "{svg}"
        );
    }
}
