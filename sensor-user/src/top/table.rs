//! A table, whatever draws or prints it: which columns there are, what stands in them, and in which order.

use std::cmp::Ordering;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its head.
    pub name: &'static str,
    /// Cells that it has at least, and, where there is room, at most.
    pub width: (u16, u16),
    /// How wide the screen must be to have it.
    pub from: u16,
    /// Whether it has numbers: they stand to the right, and the largest comes first.
    pub numbers: bool,
}

impl Column {
    /// Of numbers.
    pub(super) const fn numbers(name: &'static str, width: u16) -> Self {
        Self { name, width: (width, width), from: 0, numbers: true }
    }

    /// Of words.
    pub(super) const fn words(name: &'static str, least: u16, most: u16) -> Self {
        Self { name, width: (least, most), from: 0, numbers: false }
    }

    /// On screens so wide alone.
    pub(super) const fn from(self, from: u16) -> Self {
        Self { from, ..self }
    }
}

/// What a cell is put in order by, and is for programs.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not known.
    Unknown,
    /// A place in the agent's own order: the first is first.
    Place(u64),
    /// A number.
    Count(u64),
    /// A number of which there may be more.
    AtLeast(u64),
    /// A part of a whole.
    Share(u64, u64),
    /// A change in percent, or a rate.
    Real(f64),
    /// Words.
    Words(String),
}

/// What stands in a column of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// For people.
    pub text: String,
    /// For all else.
    pub value: Value,
}

/// The table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its columns.
    pub columns: &'static [Column],
    /// Its rows: a cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// What it rests on.
    pub note: String,
    /// What stands in its place where it has no row.
    pub nothing: String,
}

/// By which column a table is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The column's place.
    pub column: usize,
    /// Whether in the other direction than is usual.
    pub reversed: bool,
}

impl Value {
    /// The order of a column, its first first. What is not known is last, in whichever direction.
    fn order(&self, other: &Self, reversed: bool) -> Ordering {
        let usual = match (self, other) {
            (Self::Unknown, Self::Unknown) => return Ordering::Equal,
            (Self::Unknown, _) => return Ordering::Greater,
            (_, Self::Unknown) => return Ordering::Less,
            (Self::Place(a), Self::Place(b)) => a.cmp(b),
            (Self::Count(a) | Self::AtLeast(a), Self::Count(b) | Self::AtLeast(b)) => b.cmp(a),
            (&Self::Share(a, of_a), &Self::Share(b, of_b)) => {
                (u128::from(b) * u128::from(of_a)).cmp(&(u128::from(a) * u128::from(of_b)))
            }
            (Self::Real(a), Self::Real(b)) => b.total_cmp(a),
            (Self::Words(a), Self::Words(b)) => a.cmp(b),
            // A column has values of one kind.
            _ => Ordering::Equal,
        };
        if reversed { usual.reverse() } else { usual }
    }
}

impl Cell {
    /// Of words.
    pub(super) fn words(text: impl Into<String>) -> Self {
        let text = text.into();
        let value = if text.is_empty() { Value::Unknown } else { Value::Words(text.clone()) };
        Self { text, value }
    }
}

impl Table {
    /// Without rows that have this nowhere, in whichever case.
    #[must_use]
    pub fn with(mut self, filter: &str) -> Self {
        let filter = filter.to_lowercase();
        self.rows.retain(|row| row.iter().any(|cell| cell.text.to_lowercase().contains(&filter)));
        self
    }

    /// In this order; rows that are alike stay as they were.
    #[must_use]
    pub fn sorted(mut self, sort: Option<Sort>) -> Self {
        if let Some(Sort { column, reversed }) = sort {
            self.rows.sort_by(|a, b| match (a.get(column), b.get(column)) {
                (Some(a), Some(b)) => a.value.order(&b.value, reversed),
                _ => Ordering::Equal,
            });
        }
        self
    }

    /// The places of the columns that a screen so wide has, with the cells that each takes: one is between two of them.
    #[must_use]
    pub fn widths(&self, screen: u16) -> Vec<(usize, u16)> {
        let mut widths: Vec<_> = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.from <= screen)
            .map(|(at, column)| (at, column.width.0))
            .collect();
        let taken = widths.iter().map(|(_, width)| width + 1).sum::<u16>().saturating_sub(1);
        let mut left = screen.saturating_sub(taken);
        let mut flexible = widths.iter().filter(|(at, _)| grows(&self.columns[*at])).count();
        for (at, width) in &mut widths {
            let column = &self.columns[*at];
            if grows(column) {
                let more =
                    (left / u16::try_from(flexible).unwrap_or(1).max(1)).min(column.width.1 - column.width.0);
                *width += more;
                left -= more;
                flexible -= 1;
            }
        }
        widths
    }
}

const fn grows(column: &Column) -> bool {
    column.width.1 > column.width.0
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    static COLUMNS: [Column; 4] = [
        Column::words("name", 5, 20),
        Column::numbers("packets", 9),
        Column::words("network", 5, 100),
        Column::numbers("week", 7).from(100),
    ];

    fn table(rows: &[(&str, Value)]) -> Table {
        let rows = rows.iter().map(|(name, value)| {
            let cell = Cell { text: "1,234".to_owned(), value: value.clone() };
            vec![Cell::words(*name), cell, Cell::words("Net <N>"), Cell::words("")]
        });
        Table { columns: &COLUMNS, rows: rows.collect(), note: String::new(), nothing: String::new() }
    }

    #[rstest]
    #[case::least(21, &[(0, 5), (1, 9), (2, 5)])]
    #[case::too_narrow(7, &[(0, 5), (1, 9), (2, 5)])]
    #[case::shared(41, &[(0, 15), (1, 9), (2, 15)])]
    #[case::one_has_enough(99, &[(0, 20), (1, 9), (2, 68)])]
    #[case::more_columns(101, &[(0, 20), (1, 9), (2, 62), (3, 7)])]
    #[case::all_have_enough(300, &[(0, 20), (1, 9), (2, 100), (3, 7)])]
    fn columns_share_what_is_left(#[case] screen: u16, #[case] expected: &[(usize, u16)]) {
        assert_eq!(table(&[]).widths(screen), expected);
    }

    #[rstest]
    #[case::as_it_is(None, "bdac")]
    #[case::most_first(Some((1, false)), "abdc")]
    #[case::least_first(Some((1, true)), "bdac")]
    #[case::by_name(Some((0, false)), "abcd")]
    #[case::by_name_backwards(Some((0, true)), "dcba")]
    #[case::by_nothing(Some((3, false)), "bdac")]
    #[case::by_no_column(Some((9, false)), "bdac")]
    fn rows_are_put_in_order(#[case] sort: Option<(usize, bool)>, #[case] expected: &str) {
        let unknown = Value::Unknown;
        let rows =
            [("b", Value::Count(2)), ("d", Value::AtLeast(2)), ("a", Value::Count(u64::MAX)), ("c", unknown)];
        let sorted = table(&rows).sorted(sort.map(|(column, reversed)| Sort { column, reversed }));
        let names: String = sorted.rows.iter().map(|row| row[0].text.as_str()).collect();
        assert_eq!(names, expected);
    }

    #[rstest]
    #[case::all("", "aB")]
    #[case::one("A", "a")]
    #[case::in_any_case("b", "B")]
    #[case::another_column("<n>", "aB")]
    #[case::none("*", "")]
    fn a_filter_is_a_text_and_no_pattern(#[case] filter: &str, #[case] expected: &str) {
        let rows = [("a", Value::Count(1)), ("B", Value::Count(2))];
        let table = table(&rows).with(filter);
        let names: String = table.rows.iter().map(|row| row[0].text.as_str()).collect();
        assert_eq!(names, expected);
    }
}
