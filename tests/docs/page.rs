//! The documents, taken apart.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use sensor_harness::workspace;

/// Folders whose Markdown files are documents.
const FOLDERS: [&str; 3] = [".", "docs", "fleet"];

/// A block of code.
pub struct Block {
    /// What it is in, as `toml`.
    pub language: String,
    /// What it says.
    pub text: String,
}

/// A piece of a document.
pub enum Piece {
    /// Where a link or an image leads.
    Link(String),
    /// A block of code.
    Block(Block),
    /// Code within a sentence.
    Span(Span),
}

/// Code within a sentence.
pub struct Span {
    /// What it says.
    pub text: String,
    /// The heading that it stands under.
    pub heading: String,
    /// The column of the table that it stands in, from 0.
    pub column: Option<usize>,
}

/// A document.
pub struct Page {
    /// Its path from the workspace's folder.
    pub path: PathBuf,
    /// Its headings, as anchors.
    pub anchors: Vec<String>,
    /// What it is made of.
    pub pieces: Vec<Piece>,
}

impl Page {
    /// Its name, for people.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Its blocks of code in a language.
    pub fn blocks(&self, language: &str) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(move |piece| match piece {
            Piece::Block(block) if block.language == language => Some(block.text.as_str()),
            _ => None,
        })
    }

    /// Code within its sentences.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Span(span) => Some(span),
            _ => None,
        })
    }
}

/// Every document.
pub fn pages() -> Result<Vec<Page>> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        let entries = fs::read_dir(workspace().join(folder)).with_context(|| folder.to_owned())?;
        for entry in entries {
            let path = PathBuf::from(folder).join(entry?.file_name());
            if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path.strip_prefix(".").map(PathBuf::from).unwrap_or(path));
            }
        }
    }
    paths.sort();
    paths.into_iter().map(page).collect()
}

/// The document at a path from the workspace's folder.
pub fn page(path: impl Into<PathBuf>) -> Result<Page> {
    let path = path.into();
    let text = fs::read_to_string(workspace().join(&path)).with_context(|| path.display().to_string())?;
    let (anchors, pieces) = take_apart(&text);
    Ok(Page { path, anchors, pieces })
}

fn take_apart(text: &str) -> (Vec<String>, Vec<Piece>) {
    let (mut anchors, mut pieces) = (Vec::new(), Vec::new());
    let mut taken = BTreeMap::new();
    let mut heading = None;
    let mut title = String::new();
    let mut block = None;
    let mut column = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                title = heading.take().unwrap_or_default();
                anchors.push(anchor(&title, &mut taken));
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                pieces.push(Piece::Link(dest_url.into_string()));
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                block = Some(Block { language: language.into_string(), text: String::new() });
            }
            Event::End(TagEnd::CodeBlock) => pieces.extend(block.take().map(Piece::Block)),
            Event::Start(Tag::TableHead | Tag::TableRow) => column = Some(0),
            Event::End(TagEnd::TableHead | TagEnd::TableRow) => column = None,
            Event::End(TagEnd::TableCell) => column = column.map(|column| column + 1),
            Event::Code(code) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&code);
                }
                pieces.push(Piece::Span(Span { text: code.into_string(), heading: title.clone(), column }));
            }
            Event::Text(text) => {
                if let Some(block) = &mut block {
                    block.text.push_str(&text);
                } else if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }
    (anchors, pieces)
}

/// A heading's anchor as GitHub makes it: lower case, no punctuation, hyphens for spaces; later ones of the same
/// name get a number.
fn anchor(heading: &str, taken: &mut BTreeMap<String, usize>) -> String {
    let kept = heading.chars().filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    let anchor: String = kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect();
    let times = taken.entry(anchor.clone()).or_default();
    *times += 1;
    if *times == 1 { anchor } else { format!("{anchor}-{}", *times - 1) }
}

#[test]
fn anchors_are_those_of_github() {
    let (anchors, _) = take_apart("# A `sensor`\n## 1. The sensors\n## What: it's\n### Fix\n### Fix\n");
    assert_eq!(anchors, ["a-sensor", "1-the-sensors", "what-its", "fix", "fix-1"]);
}

#[test]
fn the_first_page_is_short_and_begins_with_the_two_commands() -> Result<()> {
    let text = fs::read_to_string(workspace().join("README.md"))?;
    let words = text.split_whitespace().count();
    assert!(words <= 1_200, "{words} words are more than two screens: move some to docs");
    let screen: Vec<_> = text.lines().take(24).collect();
    for command in ["cargo xtask demo", "cargo xtask test"] {
        assert!(screen.iter().any(|line| line.starts_with(command)), "{command} is not on the first screen");
    }
    Ok(())
}
