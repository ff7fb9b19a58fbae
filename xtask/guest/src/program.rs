//! Runs one program of tests, and leaves nothing of it behind.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use sensor_guest::{Line, path};

use crate::report::Report;

/// Past this a program of tests hangs. The longest takes some minutes where the processor is emulated.
const LIMIT: Duration = Duration::from_mins(20);

const GLANCE: Duration = Duration::from_millis(20);

/// Runs it, its output passed on line by line. `None`: it ended well; else what was wrong.
pub fn run(file: &str, environment: &[String], report: &Report) -> Option<String> {
    let mut command = Command::new(file);
    command
        .envs(environment.iter().filter_map(|variable| variable.split_once('=')))
        .current_dir(path::FOLDER)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Some(format!("cannot run {file}: {error}")),
    };
    let readers = [
        child.stdout.take().map(|pipe| pass_on(pipe, Line::Out, report)),
        child.stderr.take().map(|pipe| pass_on(pipe, Line::Err, report)),
    ];
    let status = wait(&mut child);
    // Nothing else runs here: whatever is left is this program's, and holds its pipes open.
    kill_all();
    for reader in readers.into_iter().flatten() {
        // A reader only passes lines on.
        let _ = reader.join();
    }
    match status {
        Some(status) if status.success() => None,
        Some(status) => Some(status.to_string()),
        None => Some(format!("killed: it was still running after {} s", LIMIT.as_secs())),
    }
}

/// Waits for its end. `None`: it takes too long, or cannot be waited for.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().ok()? {
            return Some(status);
        }
        thread::sleep(GLANCE);
    }
    None
}

/// Kills every process but this one, and takes leave of them.
fn kill_all() {
    // There may be none.
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    while matches!(waitpid(Pid::from_raw(-1), None), Ok(status) if status != WaitStatus::StillAlive) {}
}

fn pass_on(pipe: impl Read + Send + 'static, line: fn(String) -> Line, report: &Report) -> JoinHandle<()> {
    let report = report.clone();
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while pipe.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned();
            report.say(&line(text));
            bytes.clear();
        }
    })
}
