//! Commands in the documents are ones that the programs take.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use clap::error::ErrorKind;
use rstest::rstest;
use sensor_harness::{built, needs, workspace};

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

/// The tasks, with what `cargo xtask TASK --help` has printed of those that were asked about.
struct Tasks {
    xtask: PathBuf,
    helps: BTreeMap<String, String>,
}

impl Tasks {
    fn new(xtask: PathBuf) -> Self {
        Self { xtask, helps: BTreeMap::new() }
    }

    fn help(&self, task: &str) -> Result<String> {
        let output = Command::new(&self.xtask).args([task, "--help"]).output();
        let output = output.with_context(|| format!("cannot run {}", self.xtask.display()))?;
        if !output.status.success() {
            bail!("there is no task {task:?}");
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// That there is such a task, and that it has these flags: `words` are those behind `cargo xtask`.
    fn take(&mut self, words: &str) -> Result<()> {
        let mut words = words.split_whitespace();
        let Some(task) = words.next() else { return Ok(()) };
        if !self.helps.contains_key(task) {
            let help = self.help(task)?;
            self.helps.insert(task.to_owned(), help);
        }
        for flag in words.filter(|word| word.starts_with("--")) {
            let is_there = self.helps[task].split([' ', ',', '\n']).any(|word| word == flag);
            ensure!(is_there, "{task} has no {flag}");
        }
        Ok(())
    }
}

#[test]
fn tasks_take_what_is_shown() -> Result<()> {
    let mut tasks = Tasks::new(needs!(built::xtask()?));
    for Shown { page, line, .. } in shown("cargo xtask")? {
        let words = line.strip_prefix("cargo xtask").unwrap_or_default();
        tasks.take(words).with_context(|| format!("{page}: {line}"))?;
    }
    assert!(tasks.helps.len() > 4, "{:?}", tasks.helps);
    Ok(())
}

#[test]
fn tasks_take_what_workflows_run() -> Result<()> {
    let mut tasks = Tasks::new(needs!(built::xtask()?));
    for file in fs::read_dir(workspace().join(".github/workflows"))? {
        let file = file?.path();
        let text = fs::read_to_string(&file)?;
        for (_, words) in text.lines().filter_map(|line| line.split_once("cargo xtask ")) {
            tasks.take(words).with_context(|| format!("{}: cargo xtask {words}", file.display()))?;
        }
    }
    assert!(tasks.helps.len() > 3, "{:?}", tasks.helps);
    Ok(())
}
