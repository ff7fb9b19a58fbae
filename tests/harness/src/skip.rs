//! Skipping a test out loud, under its own name.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::thread;

/// What a test needs and this machine lacks, and where to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(String);

impl Missing {
    /// So it will be said.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Gives what the test needs, of a `Result<_, Missing>`, or else ends the test as skipped.
#[macro_export]
macro_rules! needs {
    ($need:expr) => {
        match $need {
            Ok(needed) => needed,
            Err(missing) => $crate::skip!("{missing}"),
        }
    };
}

/// Ends the test as skipped unless it runs as root.
#[macro_export]
macro_rules! needs_root {
    () => {
        $crate::needs!($crate::skip::root())
    };
}

/// Ends the test as skipped, for a reason that is given as to `format!`.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)+) => {{
        // A closure's type is called after the function that it is in.
        $crate::skip::say(::std::any::type_name_of_val(&|| ()), &::std::format!($($reason)+));
        return Ok(());
    }};
}

/// Whether a program is installed.
///
/// # Errors
/// If it isn't.
pub fn program(name: &str) -> Result<(), Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(name).is_file()) {
        return Ok(());
    }
    Err(Missing::new(format!("{name} is not here: `cargo xtask setup` brings it")))
}

/// Whether this process is root.
///
/// # Errors
/// If it isn't.
pub fn root() -> Result<(), Missing> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(Missing::new("needs root: network namespaces and BPF"))
}

/// Says that the test at this place of the code didn't run and why, on standard error and, for the one who counts,
/// in the file that the environment variable `SENSOR_SKIPS` names.
///
/// # Panics
/// If that file can't be written: a skip that goes uncounted is a lie.
pub fn say(place: &str, reason: &str) {
    let line = format!("{}: {reason}\n", name(place));
    eprint!("skipped: {line}");
    if let Some(path) = std::env::var_os("SENSOR_SKIPS") {
        let file = File::options().create(true).append(true).open(path);
        let mut file = file.expect("the file named by SENSOR_SKIPS can be opened");
        // In one write: tests run at once, and lines must not get into each other.
        file.write_all(line.as_bytes()).expect("the file named by SENSOR_SKIPS can be written");
    }
}

/// The running test's name, its program's in front.
fn name(place: &str) -> String {
    let function = place.trim_end_matches("::{{closure}}");
    let program = function.split("::").next().unwrap_or(function);
    // The thread's name knows which case of a table it is. Where all tests run on the main thread, it doesn't.
    match thread::current().name() {
        Some(test) if test != "main" => format!("{program}::{test}"),
        _ => function.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::any::type_name_of_val;

    use super::*;

    const NAME: &str = "sensor_harness::skip::tests::a_test_is_called_by_its_name";

    #[test]
    fn a_test_is_called_by_its_name() {
        let place = type_name_of_val(&|| ());
        assert_eq!(name(place), NAME);
        let elsewhere = |test: &str| {
            let thread = thread::Builder::new().name(test.to_owned()).spawn(move || name(place));
            thread.expect("a thread can be started").join().expect("it only names itself")
        };
        assert_eq!(elsewhere("main"), NAME, "all tests on the main thread");
        assert_eq!(elsewhere("many::case_1_few"), "sensor_harness::many::case_1_few");
    }
}
