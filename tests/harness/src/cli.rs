//! The agent's other commands: run to their end, and what they say.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::built;
use crate::namespace::Namespace;

/// What a command said, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Commands that ask an agent.
const ASK: [&str; 11] = [
    "counts", "evidence", "notices", "reload", "scans", "source", "sources", "status", "top", "tuples",
    "victims",
];

/// Runs `sensor` with these arguments in a namespace; where they ask an agent, and name no pins, the one that was
/// started in this namespace without.
///
/// # Errors
/// If there is no such program, or it dies of a signal.
pub fn sensor(namespace: &Namespace, arguments: &[&str]) -> Result<Said> {
    let mut command = Command::new(built::sensor()?);
    command.args(arguments).env_remove("SSH_CONNECTION");
    let asks = arguments.first().is_some_and(|command| ASK.contains(command));
    if asks && !arguments.iter().any(|it| matches!(*it, "--pins" | "--socket")) {
        command.args(namespace.pins());
    }
    run(namespace, &mut command)
}

/// Runs any command in a namespace.
///
/// # Errors
/// If there is no such program, or it dies of a signal.
pub fn run(namespace: &Namespace, command: &mut Command) -> Result<Said> {
    command.stdin(Stdio::null());
    let output = namespace.run(|| command.output())?.with_context(|| format!("cannot run {command:?}"))?;
    let code = output.status.code().with_context(|| format!("{command:?} ended by {}", output.status))?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said { code, stdout: text(&output.stdout), stderr: text(&output.stderr) })
}
