//! The page as Markdown (GitHub's tables), for a wiki or a message.

use std::fmt::Write as _;

use super::page::{Block, Cell, Table};
use super::spark;
use crate::output::is_harmful;
use crate::report::words::{Form, heading};
use crate::vocabulary::names;

/// Text that means nothing to Markdown or HTML, on one line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            letter if is_harmful(letter) => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    // What would begin a list at the beginning of a line.
    if let Some(rest) = escaped.strip_prefix(['-', '+']) {
        return format!("\\{}{rest}", &escaped[..1]);
    }
    escaped
}

/// The page.
pub fn page(form: Form, title: &str, blocks: &[Block<'_>]) -> String {
    let mut page = format!("# {}\n", escape(title));
    for block in blocks {
        page.push('\n');
        // Writing to a string cannot fail.
        let _ = match block {
            Block::Heading(heading) => writeln!(page, "## {}", escape(heading)),
            Block::Text(text) | Block::Small(text) | Block::Summary(text) => {
                writeln!(page, "{}", escape(text))
            }
            Block::Warning(text) => {
                writeln!(page, "> **{}** {}", heading::warning(form), escape(text))
            }
            Block::List(sentences) => {
                sentences.iter().try_for_each(|sentence| writeln!(page, "- {}", escape(sentence)))
            }
            Block::Table(content) => {
                page.push_str(&table(content));
                Ok(())
            }
            Block::Figure(figure) => writeln!(page, "![{}]({})", escape(&figure.title), figure.png),
        };
    }
    page
}

fn table(table: &Table) -> String {
    let mut text = format!("{}\n\n", escape(&table.caption));
    let row = |text: &mut String, cells: Vec<String>| {
        text.push_str("| ");
        text.push_str(&cells.join(" | "));
        text.push_str(" |\n");
    };
    row(&mut text, table.columns.iter().map(|column| escape(&column.heading)).collect());
    let rule = |numeric| if numeric { "---:" } else { "---" };
    row(&mut text, table.columns.iter().map(|column| rule(column.numeric).to_owned()).collect());
    for group in &table.groups {
        if let Some(heading) = &group.heading {
            let mut cells = vec![String::new(); table.columns.len()];
            if let Some(first) = cells.first_mut() {
                *first = format!("**{}**", escape(heading));
            }
            row(&mut text, cells);
        }
        for cells in &group.rows {
            row(&mut text, cells.iter().map(shown).collect());
        }
    }
    text
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => escape(text),
        Cell::Service(service) => escape(&names::label(service)),
        Cell::Short(service, false) => escape(&service.to_string()),
        // Markdown has no shades.
        Cell::Short(service, true) => format!("**{}**", escape(&service.to_string())),
        Cell::Days(days, _) => spark::text(days),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::pipe("a|b", "a\\|b")]
    #[case::emphasis("*a* _b_", "\\*a\\* \\_b\\_")]
    #[case::link("[a](http://b)", "\\[a\\](http://b)")]
    #[case::image("![a](b)", "\\!\\[a\\](b)")]
    #[case::html("<img src=x>", "&lt;img src=x&gt;")]
    #[case::lines("a\n# b", "a \\# b")]
    #[case::list("- a", "\\- a")]
    #[case::code("`a`", "\\`a\\`")]
    #[case::backslash("\\|", "\\\\\\|")]
    fn text_is_no_markdown(#[case] text: &str, #[case] escaped: &str) {
        assert_eq!(escape(text), escaped);
    }
}
