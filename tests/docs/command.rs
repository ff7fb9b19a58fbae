//! Commands in the documents are ones that the programs take.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use clap::error::ErrorKind;
use rstest::rstest;
use sensor_harness::built;
use sensor_harness::needs;

use crate::page::pages;

/// What a document shows to be typed.
struct Shown {
    page: String,
    line: String,
    /// Whether it stands in a sentence, where what must be given may be left out.
    in_sentence: bool,
}

/// The commands that begin with this program.
fn shown(program: &str) -> Result<Vec<Shown>> {
    let mut shown = Vec::new();
    for page in pages()? {
        let blocks = page.blocks("console").chain(page.blocks("text")).flat_map(str::lines);
        let blocks = blocks.flat_map(|line| line.split(" && ")).map(|line| (line, false));
        let spans = page.spans().map(|span| (span.text.as_str(), true));
        for (line, in_sentence) in blocks.chain(spans) {
            let line = line.trim().trim_start_matches("$ ");
            // A comment, a pipe or a redirection is the shell's.
            let line =
                [" # ", " | ", " >", " 2>"].iter().fold(line, |line, end| match line.split_once(end) {
                    Some((command, _)) => command.trim(),
                    None => line,
                });
            if line == program || line.starts_with(&format!("{program} ")) {
                shown.push(Shown { page: page.name(), line: line.to_owned(), in_sentence });
            }
        }
    }
    ensure!(shown.len() > 3, "the documents hardly show {program}");
    Ok(shown)
}

/// What a program says of a line that it does not take.
fn refusal<P: Parser>(line: &str) -> Option<clap::Error> {
    // An ellipsis stands for whatever else there is.
    P::try_parse_from(line.trim_end_matches(" …").split_whitespace()).err()
}

/// Whether only what must be given is left out, or help is asked for.
fn is_harmless(error: &clap::Error, in_sentence: bool) -> bool {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
        ErrorKind::MissingRequiredArgument | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            in_sentence
        }
        _ => false,
    }
}

#[rstest]
#[case::agent("sensor", refusal::<sensor_user::cli::Cli>)]
#[case::fleet("sensor-fleet", refusal::<sensor_fleet::cli::Cli>)]
fn programs_take_what_is_shown(
    #[case] program: &str,
    #[case] refusal: fn(&str) -> Option<clap::Error>,
) -> Result<()> {
    let mut refused = Vec::new();
    for Shown { page, line, in_sentence } in shown(program)? {
        if let Some(error) = refusal(&line).filter(|error| !is_harmless(error, in_sentence)) {
            refused.push(format!("{page}: {line}: {error}"));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    Ok(())
}

/// What `cargo xtask TASK --help` prints.
fn help(xtask: &PathBuf, task: &str) -> Result<String> {
    let output = Command::new(xtask).args([task, "--help"]).output();
    let output = output.with_context(|| format!("cannot run {}", xtask.display()))?;
    if !output.status.success() {
        bail!("there is no task {task:?}");
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn tasks_take_what_is_shown() -> Result<()> {
    let xtask = needs!(built::xtask()?);
    let mut known = BTreeMap::new();
    for Shown { page, line, .. } in shown("cargo xtask")? {
        let mut words = line.split_whitespace().skip(2);
        let Some(task) = words.next() else { continue };
        if !known.contains_key(task) {
            known.insert(task.to_owned(), help(&xtask, task).with_context(|| format!("{page}: {line}"))?);
        }
        for flag in words.filter(|word| word.starts_with("--")) {
            let is_there = known[task].split([' ', ',', '\n']).any(|word| word == flag);
            ensure!(is_there, "{page}: {line}: {task} has no {flag}");
        }
    }
    assert!(known.len() > 4, "{known:?}");
    Ok(())
}
