//! All that the program prints: what was asked for, what was done, and what went wrong.
//!
//! The agent must outlive whoever reads its log, and an emergency command must not stop half-way because nobody
//! reads what it says. So only [`print()`] waits for its reader; what [`say`], [`complain`] and the log write is
//! written by threads of their own, and lost, counted and said later where it can't be written.

mod lossy;

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result};

use self::lossy::Lossy;

/// How long the end of the program waits for its last words to be written.
const PATIENCE: Duration = Duration::from_secs(1);

static STDOUT: LazyLock<Lossy<File>> = LazyLock::new(|| Lossy::new(unbuffered(io::stdout())));
static STDERR: LazyLock<Lossy<File>> = LazyLock::new(|| Lossy::new(unbuffered(io::stderr())));

/// The same without the library's buffer, which keeps what can't be written and waits for it when the program ends.
/// `None` if there is no descriptor to be had.
fn unbuffered(stream: impl AsFd) -> Option<File> {
    stream.as_fd().try_clone_to_owned().ok().map(File::from)
}

/// Takes the descriptors that later words need, before others have taken the last: to be called first.
pub fn start() {
    LazyLock::force(&STDOUT);
    LazyLock::force(&STDERR);
}

/// Prints what was asked for to standard output. A reader that has gone has read enough: that is no error.
///
/// # Errors
/// It can't be written, to a full disk for example.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Prints what somebody is to have. A reader that has gone has not got it.
///
/// # Errors
/// It can't be written.
pub fn deliver(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.context("cannot write to standard output")
}

/// Says on standard output what a command has done, which stays done whether anybody reads it or not.
pub fn say(line: &str) {
    STDOUT.add(format!("{line}\n").as_bytes());
}

/// Says on standard error what went wrong.
pub fn complain(line: &str) {
    STDERR.add(format!("sensor: {line}\n").as_bytes());
}

/// Waits until what was said is written, but not for long: to be called before the program ends.
pub fn finish() {
    STDOUT.wait(PATIENCE);
    STDERR.wait(PATIENCE);
}

/// Lines that standard error has not taken.
#[must_use]
pub fn lost_lines() -> u64 {
    STDERR.lost()
}

/// Writes whole lines to standard error, in order with what is [complained](complain) of.
#[derive(Clone, Copy, Debug)]
pub struct Log;

impl Write for Log {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        STDERR.add(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
