//! What people read, in each language.

use rstest::rstest;

use super::*;
use crate::report::fixture;
use crate::report::language::Language;
use crate::report::publish::{PublishOptions, publishable};
use crate::report::write::figures;

/// All that is written in a block.
fn written(block: Block<'_>) -> Vec<String> {
    match block {
        Block::Heading(text) => vec![text.to_owned()],
        Block::Text(text) | Block::Small(text) | Block::Summary(text) | Block::Warning(text) => vec![text],
        Block::List(sentences) => sentences,
        Block::Figure(figure) => vec![figure.title.clone()],
        Block::Table(Table { caption, columns, groups, .. }) => {
            let cells = groups.into_iter().flat_map(|group| group.rows).flatten();
            let texts = cells.filter_map(|cell| match cell {
                Cell::Text(text) => Some(text),
                _ => None,
            });
            let headings = columns.into_iter().map(|column| column.heading);
            std::iter::once(caption).chain(headings).chain(texts).collect()
        }
    }
}

fn public() -> Report {
    let report = fixture::report();
    publishable(&report, &fixture::spread(&report), &PublishOptions::default()).unwrap()
}

/// Such as a sentence has that is broken into lines in the source, and of which the breaks were lost.
#[rstest]
#[case::house(fixture::report())]
#[case::public(public())]
#[case::fleet(fixture::fleet(250))]
#[case::nothing(fixture::nothing())]
#[case::surges_of_one_alone(Report { surges: Vec::new(), ..fixture::report() })]
fn nothing_has_two_blanks_in_a_row(#[case] report: Report) {
    for language in [Language::English, Language::Japanese] {
        let report = Report { language, ..report.clone() };
        let figures = figures::draw(&report).unwrap();
        for text in blocks(&report, &figures).into_iter().flat_map(written) {
            assert!(!text.contains("  "), "{text}");
        }
    }
}
