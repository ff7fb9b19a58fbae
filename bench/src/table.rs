//! The table: a part for each section, then the targets.

use comfy_table::{CellAlignment, Table, presets};

use crate::figure::{Figure, Figures, Section};
use crate::statistics::Spread;
use crate::target::Judged;

/// The whole table.
pub fn table(figures: &Figures, judged: &[Judged]) -> String {
    let sections = Section::ALL.iter().filter_map(|&section| self::section(figures, section));
    sections.chain([targets(judged)]).collect::<Vec<_>>().join("\n\n")
}

fn section(figures: &Figures, section: Section) -> Option<String> {
    let rows: Vec<&Figure> = figures.0.iter().filter(|figure| figure.section == section).collect();
    let text =
        if rows.iter().any(|figure| figure.is_probed()) { packets(&rows) } else { times(figures, &rows) };
    (!rows.is_empty()).then(|| format!("{}\n\n{text}", section.title()))
}

/// What a packet costs, beside probes.
fn packets(rows: &[&Figure]) -> String {
    let mut table = new([
        "what",
        "ns",
        "above XDP_DROP",
        "times",
        "quartiles",
        "times reading",
        "quartiles",
        "slow",
        "note",
    ]);
    for figure in rows {
        let (drop, reading) = (figure.times_drop(), figure.times_reading());
        table.add_row([
            figure.what.clone(),
            figure.value().map_or_else(|| "–".to_owned(), |it| number(it.median)),
            figure.above_drop().map(|it| format!("{:+.1}", it.median)).unwrap_or_default(),
            median(drop),
            quartiles(drop),
            median(reading),
            quartiles(reading),
            figure.slow_share().map(|share| format!("{:.0} %", share * 100.0)).unwrap_or_default(),
            figure.note.clone().unwrap_or_default(),
        ]);
    }
    let explained = "Above and times XDP_DROP: of samples in the machine's fast state; times XDP_DROP after reading the \
                     ports: of all. Slow: which share was taken in the slow state.";
    format!("{}\n\n{explained}", lines(table, &[1, 2, 3, 4, 5, 6, 7]))
}

/// Anything else, beside a figure of the same kind.
fn times(figures: &Figures, rows: &[&Figure]) -> String {
    let mut table = new(["what", "median", "", "above", "ratio", "quartiles", "note"]);
    for figure in rows {
        let ratio = figures.ratio_to_baseline(figure);
        // A ratio's spread says more than the figure's own, which moves with the machine.
        let spread = match (ratio, figure.value()) {
            (Some(ratio), _) => format!("{} times", quartiles(Some(ratio))),
            (None, Some(value)) => format!("{}–{}", number(value.low), number(value.high)),
            (None, None) => String::new(),
        };
        let unit = if figure.samples.is_empty() { "" } else { figure.unit.symbol() };
        table.add_row([
            figure.what.clone(),
            figure.value().map_or_else(|| "–".to_owned(), |it| number(it.median)),
            unit.to_owned(),
            figures.above_baseline(figure).map(|it| format!("{:+.1}", it.median)).unwrap_or_default(),
            median(ratio),
            spread,
            figure.note.clone().unwrap_or_default(),
        ]);
    }
    lines(table, &[1, 3, 4, 5])
}

fn median(ratio: Option<Spread>) -> String {
    ratio.map(|ratio| format!("{:.2}", ratio.median)).unwrap_or_default()
}

fn quartiles(ratio: Option<Spread>) -> String {
    ratio.map(|ratio| format!("{:.2}–{:.2}", ratio.low, ratio.high)).unwrap_or_default()
}

fn targets(judged: &[Judged]) -> String {
    let mut table = new(["what", "asked", "median", "quartiles", ""]);
    for target in judged {
        let found = |how: fn(Spread) -> String| target.found.map(how).unwrap_or_default();
        table.add_row([
            target.what.to_owned(),
            target.asked.clone(),
            found(|it| number(it.median)),
            found(|it| format!("{}–{}", number(it.low), number(it.high))),
            target.verdict().to_owned(),
        ]);
    }
    format!("Targets\n\n{}", lines(table, &[2, 3]))
}

fn new<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

fn lines(mut table: Table, right: &[usize]) -> String {
    for (number, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// With as many decimals as mean something.
pub fn number(number: f64) -> String {
    match number.abs() {
        large if large >= 100.0 => format!("{number:.0}"),
        middle if middle >= 10.0 => format!("{number:.1}"),
        small if small >= 0.1 => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Unit;
    use crate::sample::{Probes, Sample};
    use crate::target::TARGETS;

    fn row(text: &str, start: &str) -> Vec<String> {
        let row = text.lines().find(|line| line.starts_with(start)).expect("a row");
        row.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_figure_stands_beside_its_ratio() {
        let figure = |id: &str| Figure::new(Section::Drain, id, id, Unit::Milliseconds);
        let figures = Figures(vec![
            figure("few").with([20.0; 3]),
            figure("all").with([30.0; 3]).against("few"),
            Figure { note: Some("no such program here".to_owned()), ..figure("absent") },
        ]);
        let text = table(&figures, &[]);
        assert_eq!(row(&text, "all"), ["all", "30.0", "ms", "+10.0", "1.50", "1.50–1.50", "times"]);
        assert!(row(&text, "absent").ends_with(&["program".to_owned(), "here".to_owned()]));
    }

    #[test]
    fn what_a_packet_costs_stands_beside_both_probes() {
        let mut figure = Figure::new(Section::Path, "path.syn.untold", "sensor", Unit::Nanoseconds);
        let sample = |value, dropping, reading| Sample { value, probes: Some(Probes { dropping, reading }) };
        figure.samples = vec![sample(25.0, 20.0, 20.0), sample(66.0, 30.0, 60.0)];
        let figures = Figures(vec![figure]);
        let text = table(&figures, &[TARGETS[0].judge(&figures)]);
        let shown = ["sensor", "45.5", "+5.0", "1.25", "1.25–1.25", "1.18", "1.14–1.21", "50", "%"];
        assert_eq!(row(&text, "sensor"), shown);
        assert!(row(&text, "bare SYN").ends_with(&["met".to_owned()]));
    }
}
