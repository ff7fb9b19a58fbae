//! What nobody reads, and what can't be written: neither stops the agent or fails a command.

use std::fs::{self, File, OpenOptions};
use std::io::pipe;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use rstest::rstest;
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::metrics::Page;
use sensor_harness::pace::PATIENCE;
use sensor_harness::wire::Wire;
use sensor_harness::{built, needs_root, skip};
use tempfile::TempDir;

/// Where an agent's standard error goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stderr {
    Closed,
    FullDisk,
    ReaderThatEnds,
    ReaderThatStops,
}

impl Stderr {
    /// A script that runs its arguments with that, and the reader if there is one.
    fn script(self, folder: &TempDir) -> Result<(String, Option<File>)> {
        let fifo = folder.path().join("stderr");
        let (redirection, reader) = match self {
            Self::Closed => ("2>&-".to_owned(), None),
            Self::FullDisk => ("2>/dev/full".to_owned(), None),
            Self::ReaderThatEnds | Self::ReaderThatStops => {
                mkfifo(&fifo, Mode::S_IRWXU).context("cannot make a FIFO")?;
                // For reading alone it would have to wait for the agent.
                let reader = OpenOptions::new().read(true).write(true).open(&fifo)?;
                fcntl(&reader, FcntlArg::F_SETPIPE_SZ(4096)).context("cannot make the pipe small")?;
                (format!("2>{}", fifo.display()), Some(reader))
            }
        };
        let script = folder.path().join("script");
        fs::write(&script, format!("exec \"$@\" {redirection}\n"))?;
        Ok((format!("sh {}", script.display()), reader))
    }
}

/// A configuration that is refused with a hundred kilobytes of reasons.
fn wrong() -> String {
    let ports: Vec<String> = (0..1000).map(|number| format!("\"{number}/no-such-transport\"")).collect();
    format!("[export]\nports = [{}]\n", ports.join(", "))
}

fn lost_lines(agent: &AgentProcess) -> Result<u64> {
    Ok(Page::parse(&agent.metrics()?)?.sum("sensor_log_lost_lines_total", &[]))
}

#[rstest]
#[case::closed(Stderr::Closed)]
#[case::full_disk(Stderr::FullDisk)]
#[case::reader_that_ends(Stderr::ReaderThatEnds)]
#[case::reader_that_stops(Stderr::ReaderThatStops)]
fn the_agent_outlives_the_reader_of_its_log(#[case] stderr: Stderr) -> Result<()> {
    needs_root!();
    let wire = Wire::new()?;
    let folder = TempDir::new()?;
    let (script, reader) = stderr.script(&folder)?;
    let mut agent =
        Launch::new(&wire.near.namespace).interface("sensor0").config("").wrapped(&script).start()?;
    // The agent has the pipe open by now.
    let _reads_nothing = reader.filter(|_| stderr == Stderr::ReaderThatStops);
    agent.rewrite_config(&wrong())?;
    // A closed one is /dev/null to the agent, which takes everything.
    let loses = stderr != Stderr::Closed;
    let deadline = Instant::now() + PATIENCE;
    for round in 0.. {
        agent.signal(Signal::SIGHUP)?;
        sleep(Duration::from_millis(20));
        let lost = lost_lines(&agent)?;
        if lost > 0 || !loses && round > 10 {
            break;
        }
        ensure!(Instant::now() < deadline, "no line is lost after {round} rounds");
    }
    ensure!(lost_lines(&agent)? == 0 || loses, "lines are lost");
    let ended = agent.stop(Signal::SIGTERM)?;
    ensure!(ended.success(), "it ended with {ended}");
    Ok(())
}

fn run(program: &str, arguments: &[&str], stdout: Stdio) -> Result<Output> {
    let program = if program == "sensor" { built::sensor()? } else { built::sensor_fleet()? };
    let command = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(stdout).output();
    command.context("cannot run it")
}

#[rstest]
#[case::check("sensor", &["check", "--interface", "lo"])]
#[case::doctor("sensor", &["doctor", "--interface", "lo"])]
#[case::help("sensor", &["--help"])]
#[case::dashboards("sensor-fleet", &["dashboards", "--output", "OUTPUT"])]
#[case::simulate("sensor-fleet", &["simulate", "--output", "OUTPUT", "--sensors", "2", "--days", "1"])]
fn a_reader_that_has_gone_changes_no_exit_code(
    #[case] program: &str,
    #[case] arguments: &[&str],
) -> Result<()> {
    if program == "sensor-fleet" && built::sensor_fleet().is_err() {
        skip!("sensor-fleet is not here: it runs on no sensor host");
    }
    let read = outcome(program, arguments, Stdio::piped())?;
    let (reader, writer) = pipe()?;
    drop(reader);
    let unread = outcome(program, arguments, writer.into())?;
    ensure!(read == unread, "{read:?}, but unread {unread:?}");
    Ok(())
}

/// How it ends, what it says on standard error, and how many files it writes in place of `OUTPUT`.
fn outcome(program: &str, arguments: &[&str], stdout: Stdio) -> Result<(Option<i32>, String, usize)> {
    let folder = TempDir::new()?;
    let output = folder.path().display().to_string();
    let arguments: Vec<&str> =
        arguments.iter().map(|&argument| if argument == "OUTPUT" { &output } else { argument }).collect();
    let ended = run(program, &arguments, stdout)?;
    let said = String::from_utf8_lossy(&ended.stderr).replace(&output, "OUTPUT");
    Ok((ended.status.code(), said, fs::read_dir(folder.path())?.count()))
}

#[rstest]
#[case::check(&["check", "--interface", "lo"])]
#[case::doctor(&["doctor", "--interface", "lo"])]
fn what_was_asked_for_and_cannot_be_written_is_an_error(#[case] arguments: &[&str]) -> Result<()> {
    let full = OpenOptions::new().write(true).open("/dev/full")?;
    let ended = run("sensor", arguments, full.into())?;
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.code() == Some(1), "{}: {said}", ended.status);
    ensure!(
        said.lines().last().is_some_and(|line| line.contains("cannot write to standard output")),
        "{said}"
    );
    Ok(())
}
