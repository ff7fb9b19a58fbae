//! All that the program prints. None of it can fail what the program does: files are there whether or not anybody
//! reads that they are.

use std::io::{self, Write};

/// Prints a line to standard output. A reader that has gone has read enough.
pub fn say(line: &str) {
    write(io::stdout(), &format!("{line}\n"));
}

/// Says on standard error what went wrong.
pub fn complain(line: &str) {
    write(io::stderr(), &format!("sensor-fleet: {line}\n"));
}

/// Writes to standard error how far the work is.
pub fn progress(text: &str) {
    write(io::stderr(), text);
}

fn write(mut to: impl Write, text: &str) {
    let _unread = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
