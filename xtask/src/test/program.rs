//! Runs one program of tests: its output is shown as it comes, and read.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::outcome::{Outcome, Reader};
use crate::shell;

/// Past this a program of tests hangs. The longest takes a few minutes on a small machine.
const LIMIT: Duration = Duration::from_mins(20);

/// How long to wait for the last lines once the program has ended: something that it started and left
/// behind may hold its output open for ever.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Runs the program on the tests whose names contain `filter`. Whatever goes wrong is a failed test.
pub fn run(command: Command, name: &str, filter: Option<&str>) -> Outcome {
    run_within(command, name, filter, LIMIT, io::stdout())
        .unwrap_or_else(|error| Outcome::broken(name, &format!("{error:#}")))
}

fn run_within(
    mut command: Command,
    name: &str,
    filter: Option<&str>,
    limit: Duration,
    screen: impl Write + Send + 'static,
) -> Result<Outcome> {
    let mut child = command
        .args(filter)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let (lines, read) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || show(stdout, screen, &lines));
    }
    let status = shell::wait(&mut child, limit)?;
    let trouble = match status {
        Some(status) => (!status.success()).then(|| status.to_string()),
        None => Some(format!("killed: it was still running after {} s", limit.as_secs())),
    };
    Ok(understand(&read).finish(name, trouble))
}

/// Passes lines on, to the user and to the reader, until the pipe ends.
fn show(pipe: impl Read, mut screen: impl Write, lines: &Sender<String>) {
    let mut pipe = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while pipe.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
        let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned();
        // A closed terminal is no reason to lose the count.
        let _ = writeln!(screen, "{line}");
        if lines.send(line).is_err() {
            return;
        }
        bytes.clear();
    }
}

fn understand(lines: &Receiver<String>) -> Reader {
    let mut reader = Reader::default();
    while let Ok(line) = lines.recv_timeout(LAST_LINES) {
        reader.line(&line);
    }
    reader
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Outcome {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run_within(command, "p", None, limit, io::sink()).expect("sh runs")
    }

    #[test]
    fn a_program_that_hangs_is_killed_and_named() {
        let outcome = shell("echo test a ... ok; sleep 100", Duration::from_millis(200));
        assert_eq!(outcome.failed.len(), 1);
        assert!(outcome.failed[0].starts_with("p: killed"), "{:?}", outcome.failed);
    }

    #[test]
    fn what_it_leaves_behind_does_not_hold_the_run_up() {
        let outcome = shell(
            "sleep 30 & echo 'test result: ok. 1 passed; 0 failed; 0 ignored'",
            Duration::from_secs(20),
        );
        assert_eq!((outcome.passed, outcome.failed.len()), (1, 0));
    }

    #[test]
    fn a_program_that_is_not_there_is_a_failure() {
        let outcome = run(Command::new("/nowhere/at/all"), "p", None);
        assert_eq!(outcome.failed.len(), 1);
    }
}
