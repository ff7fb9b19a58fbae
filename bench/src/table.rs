//! The table: a part for each section, then the targets.

use comfy_table::{CellAlignment, Table, presets};

use crate::figure::{Figures, Section};
use crate::statistics::Spread;
use crate::target::Judged;

/// The whole table.
pub fn table(figures: &Figures, judged: &[Judged]) -> String {
    let sections = Section::ALL.iter().filter_map(|&section| self::section(figures, section));
    sections.chain([targets(judged)]).collect::<Vec<_>>().join("\n\n")
}

fn section(figures: &Figures, section: Section) -> Option<String> {
    let mut table = new(["what", "median", "", "above", "ratio", "quartiles", "note"]);
    let mut rows = 0;
    for figure in figures.0.iter().filter(|figure| figure.section == section) {
        let ratio = figures.ratio_to_baseline(figure);
        // A ratio's spread says more than the figure's own, which moves with the machine.
        let spread = match (ratio, figure.value()) {
            (Some(ratio), _) => format!("{:.2}–{:.2} times", ratio.low, ratio.high),
            (None, Some(value)) => format!("{}–{}", number(value.low), number(value.high)),
            (None, None) => String::new(),
        };
        let unit = if figure.samples.is_empty() { "" } else { figure.unit.symbol() };
        table.add_row([
            figure.what.clone(),
            figure.value().map_or_else(|| "–".to_owned(), |it| number(it.median)),
            unit.to_owned(),
            figures.above_baseline(figure).map(|it| format!("{:+.1}", it.median)).unwrap_or_default(),
            ratio.map(|it| format!("{:.2}", it.median)).unwrap_or_default(),
            spread,
            figure.note.clone().unwrap_or_default(),
        ]);
        rows += 1;
    }
    (rows > 0).then(|| format!("{}\n\n{}", section.title(), lines(table, &[1, 3, 4, 5])))
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
    use crate::figure::{Figure, Unit};
    use crate::target::TARGETS;

    #[test]
    fn a_figure_stands_beside_its_ratio() {
        let figure = |id: &str| Figure::new(Section::Path, id, id, Unit::Nanoseconds);
        let figures = Figures(vec![
            figure("path.syn.bare").with([20.0; 3]),
            figure("path.syn.one").with([30.0; 3]).against("path.syn.bare"),
            Figure { note: Some("no such program here".to_owned()), ..figure("absent") },
        ]);
        let text = table(&figures, &[TARGETS[0].judge(&figures)]);
        let row = |start: &str| text.lines().find(|line| line.starts_with(start)).expect("a row").to_owned();
        let words = row("path.syn.one").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words, ["path.syn.one", "30.0", "ns", "+10.0", "1.50", "1.50–1.50", "times"]);
        assert!(row("absent").ends_with("no such program here"));
        assert!(row("bare SYN").ends_with(" met"));
    }
}
