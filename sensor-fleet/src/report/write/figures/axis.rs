//! Where the labels go.

use std::ops::Range;

use jiff::Span;
use jiff::civil::Date;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;

use super::to_f64;
use crate::report::language::Language;
use crate::report::words::date;

/// Positions and their labels.
pub type Ticks = Vec<(f64, String)>;

/// An axis from 0 with ticks where they are asked for: plotters would put them at round numbers of days.
pub struct Ticked {
    range: RangedCoordf64,
    ticks: Vec<f64>,
}

impl Ticked {
    /// An axis to `end`.
    pub fn new(end: f64, ticks: &Ticks) -> Self {
        Self { range: (0.0..end).into(), ticks: ticks.iter().map(|(at, _)| *at).collect() }
    }
}

impl Ranged for Ticked {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.range()
    }
}

/// Labels for days, counted from the first: months' first days if there are some months, else some days.
pub fn days(language: Language, from: Date, length: usize, most: usize) -> Ticks {
    let days = from.series(Span::new().days(1)).take(length).enumerate();
    if length <= 62 {
        let every = length.div_ceil(most).max(1);
        return days.step_by(every).map(|(at, day)| (to_f64(at), date::day_tick(language, day))).collect();
    }
    let firsts: Vec<_> = days.filter(|(_, day)| day.day() == 1).collect();
    let every = firsts.len().div_ceil(most).max(1);
    let mut year = None;
    let ticks = firsts.into_iter().step_by(every).map(|(at, day)| {
        let other = year.replace(day.year()) != Some(day.year());
        (to_f64(at), date::month_tick(language, day, other))
    });
    ticks.collect()
}

/// Labels for months as `2023-10`, each in the middle of its place.
pub fn months(language: Language, months: &[&str], most: usize) -> Ticks {
    let every = months.len().div_ceil(most).max(1);
    let mut year = None;
    let ticks = months.iter().enumerate().step_by(every).map(|(at, month)| {
        let label = match format!("{month}-01").parse::<Date>() {
            Ok(day) => {
                let other = year.replace(day.year()) != Some(day.year());
                date::month_tick(language, day, other)
            }
            Err(_) => (*month).to_owned(),
        };
        (to_f64(at) + 0.5, label)
    });
    ticks.collect()
}

/// The label at a position, nothing if it has none.
pub fn label(ticks: &Ticks, at: f64) -> String {
    let found = ticks.iter().find(|(tick, _)| (tick - at).abs() < 1e-6);
    found.map(|(_, label)| label.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_day(1, 8, "1 Dec")]
    #[case::a_week(7, 4, "1 Dec|3 Dec|5 Dec|7 Dec")]
    #[case::a_month(31, 4, "1 Dec|9 Dec|17 Dec|25 Dec")]
    #[case::a_quarter(91, 8, "Dec 2023|Jan 2024|Feb")]
    #[case::a_year(366, 4, "Dec 2023|Mar 2024|Jun|Sep")]
    fn days_have_few_labels(#[case] length: usize, #[case] most: usize, #[case] labels: &str) {
        let ticks = days(Language::English, date(2023, 12, 1), length, most);
        let shown: Vec<_> = ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(shown.join("|"), labels);
    }

    #[rstest]
    #[case::all(8, "Dec 2023|Jan 2024|Feb")]
    #[case::every_other(2, "Dec 2023|Feb 2024")]
    fn months_have_few_labels(#[case] most: usize, #[case] labels: &str) {
        let ticks = months(Language::English, &["2023-12", "2024-01", "2024-02"], most);
        let shown: Vec<_> = ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(shown.join("|"), labels);
        assert_eq!(label(&ticks, 0.5), "Dec 2023");
        assert_eq!(label(&ticks, 0.7), "");
    }
}
