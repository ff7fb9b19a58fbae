//! Skipping a test out loud.

use std::io::Write as _;

/// Says that the test `name` didn't run and why, on standard error and, for the one who counts, in the
/// file that the environment variable `SENSOR_SKIPS` names.
///
/// # Panics
/// If that file can't be written: a skip that goes uncounted is a lie.
pub fn skip(name: &str, reason: &str) {
    eprintln!("skipped: {name}: {reason}");
    if let Some(path) = std::env::var_os("SENSOR_SKIPS") {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .expect("the file named by SENSOR_SKIPS can be opened");
        // In one write: tests run at once, and lines must not get into each other.
        let line = format!("{name}: {reason}\n");
        file.write_all(line.as_bytes()).expect("the file named by SENSOR_SKIPS can be written");
    }
}

/// Whether this process is root. A test that needs it is skipped otherwise, under its name.
#[must_use]
pub fn root_or_skip(name: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        skip(name, "needs root: network namespaces and BPF");
    }
    root
}
