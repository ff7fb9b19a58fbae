//! What is wrong with the configuration.
//!
//! All of it is told at once, a line for each thing, in the order of the file, so that a file is mended in one
//! go. No value from the file can put a second line, or a terminal's escape sequence, into a message.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use crate::printable::one_line;

/// Lines shown before the rest is only counted.
const MAX_SHOWN: usize = 20;
/// Characters of a value that are shown.
const MAX_VALUE: usize = 200;

/// The configuration can't be used; displayed as one line for each thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines.join("\n"))]
pub struct ConfigError {
    lines: Vec<String>,
}

impl ConfigError {
    pub(super) fn new(message: impl fmt::Display) -> Self {
        Self { lines: vec![one_line(&message.to_string())] }
    }

    /// What is wrong, at least one line, each `file:line: what` if it is about a place in the file.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

/// Collects what is wrong with one file.
pub(super) struct Problems<'a> {
    path: &'a Path,
    newlines: Vec<usize>,
    found: Vec<(usize, String)>,
}

impl<'a> Problems<'a> {
    /// Nothing wrong yet with the file of this name and content.
    pub fn new(path: &'a Path, content: &[u8]) -> Self {
        let newlines = content.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
        Self { path, newlines: newlines.collect(), found: Vec::new() }
    }

    /// The line, counted from 1, of the byte at offset `at`.
    pub fn line(&self, at: usize) -> usize {
        self.newlines.partition_point(|&newline| newline < at) + 1
    }

    /// Notes that the place at offset `at` is wrong, and how.
    pub fn add(&mut self, at: usize, message: impl fmt::Display) {
        self.found.push((at, message.to_string()));
    }

    /// `value` if nothing was found wrong.
    pub fn check<T>(mut self, value: T) -> Result<T, ConfigError> {
        if self.found.is_empty() {
            return Ok(value);
        }
        self.found.sort_by_key(|(at, _)| *at);
        let mut lines: Vec<_> = self
            .found
            .iter()
            .take(MAX_SHOWN)
            .map(|(at, message)| one_line(&format!("{}:{}: {message}", self.path.display(), self.line(*at))))
            .collect();
        if self.found.len() > MAX_SHOWN {
            lines.push(format!("{}: {} more", self.path.display(), self.found.len() - MAX_SHOWN));
        }
        Err(ConfigError { lines })
    }
}

/// A value as messages show it: in double quotes, and no more of it than a person reads.
pub(super) fn shown(value: &str) -> String {
    format!("{:?}", cut(value))
}

/// A text without what is beyond the [`MAX_VALUE`] characters that are shown.
pub(super) fn cut(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", &value[..end]).into(),
        None => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::first(0, 1)]
    #[case::end_of_first(2, 1)]
    #[case::second(3, 2)]
    #[case::past_the_end(99, 3)]
    fn offsets_become_lines(#[case] at: usize, #[case] line: usize) {
        assert_eq!(Problems::new(Path::new("f"), b"ab\ncd\n").line(at), line);
    }

    #[test]
    fn problems_are_told_in_the_order_of_the_file() {
        let mut problems = Problems::new(Path::new("f"), b"ab\ncd\n");
        problems.add(4, "later");
        problems.add(0, "sooner\n\u{1b}[2J");
        let error = problems.check(()).unwrap_err();
        assert_eq!(error.to_string(), "f:1: sooner\\n\\u{1b}[2J\nf:2: later");
    }

    #[rstest]
    #[case::as_it_is(&"é".repeat(200), &format!("\"{}\"", "é".repeat(200)))]
    #[case::cut(&"é".repeat(201), &format!("\"{}…\"", "é".repeat(200)))]
    fn of_a_value_the_beginning_is_shown(#[case] value: &str, #[case] expected: &str) {
        assert_eq!(shown(value), expected);
    }

    #[test]
    fn a_flood_of_problems_is_cut_short() {
        let mut problems = Problems::new(Path::new("f"), b"");
        (0..MAX_SHOWN + 7).for_each(|at| problems.add(at, "wrong"));
        let error = problems.check(()).unwrap_err();
        assert_eq!(error.lines().len(), MAX_SHOWN + 1);
        assert_eq!(error.lines()[MAX_SHOWN], "f: 7 more");
    }
}
