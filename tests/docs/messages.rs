//! What the table of symptoms quotes is what the program says.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use sensor_harness::workspace;

use crate::page::page;

/// Where the words of the agent stand.
const SOURCE: &str = "sensor-user/src";

/// The source in a folder, with texts that go on over lines in one piece.
fn source(folder: &Path) -> Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            text += &source(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &one_piece(&fs::read_to_string(&path)?);
        }
    }
    Ok(text)
}

/// A backslash at the end of a line drops the newline and the spaces after it.
fn one_piece(text: &str) -> String {
    let mut lines = text.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |joined, line| joined + line.trim_start())
}

#[test]
fn quoted_messages_are_the_programs_own() -> Result<()> {
    let source = source(&workspace().join(SOURCE))?;
    let page = page("docs/operations.md")?;
    let symptoms = ["You cannot get in", "The agent does not start", "It runs, but"];
    let quoted = page.spans().filter(|span| {
        symptoms.contains(&span.heading.as_str()) && span.column == Some(0) && span.text.contains(' ')
    });
    let (mut strange, mut tried) = (Vec::new(), 0);
    for span in quoted {
        tried += 1;
        // An ellipsis stands for what differs.
        if !span.text.split('…').all(|part| source.contains(part.trim())) {
            strange.push(&span.text);
        }
    }
    assert!(strange.is_empty(), "nothing in {SOURCE} says {strange:#?}");
    assert!(tried > 20, "only {tried} messages were found");
    Ok(())
}

/// One function writes the command that detaches, since it must not forget where the pins are.
#[test]
fn one_function_writes_the_command_that_detaches() -> Result<()> {
    let written = source(&workspace().join(SOURCE))?.matches("sensor detach --interface {").count();
    assert_eq!(written, 2, "with --pins and without");
    Ok(())
}

#[test]
fn texts_over_lines_are_read_as_one() {
    assert_eq!(one_piece("a \\\n     b\nc"), "a b\nc");
}
