//! What a run of tests came to, read from what the test harness prints.

use std::fmt;

/// Passed, failed and skipped tests.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many passed.
    pub passed: usize,
    /// The names of those that failed, with the program's.
    pub failed: Vec<String>,
    /// The names of those that did not run, with the reason.
    pub skipped: Vec<String>,
}

impl Outcome {
    /// A program of tests that could not tell its result; it counts as one failure.
    pub fn broken(program: &str, why: &str) -> Self {
        println!("{program}: {why}");
        Self { failed: vec![format!("{program}: {why}")], ..Self::default() }
    }

    /// Adds another run's.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
    }

    /// Takes note of tests that returned early because they could not run here, and so seem to have passed.
    pub fn skip(&mut self, skipped: Vec<String>) {
        self.passed = self.passed.saturating_sub(skipped.len());
        self.skipped.extend(skipped);
    }
}

/// Names what failed and what was skipped; the last line counts.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.failed {
            writeln!(f, "failed: {name}")?;
        }
        for name in &self.skipped {
            writeln!(f, "skipped: {name}")?;
        }
        write!(f, "{} passed, {} failed", self.passed, self.failed.len())?;
        if !self.skipped.is_empty() {
            write!(f, ", {} skipped", self.skipped.len())?;
        }
        Ok(())
    }
}

/// Reads the harness's output, line by line.
#[derive(Default)]
pub struct Reader {
    outcome: Outcome,
    /// Whether a list of names is being read, and the names so far. The harness prints two sections called
    /// "failures:", the last one with the names.
    listing: bool,
    names: Vec<String>,
    /// Tests said to be slow that have not ended yet.
    slow: Vec<String>,
    /// Whether a result was read at all.
    concluded: bool,
}

impl Reader {
    /// Takes a line, without its end.
    pub fn line(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.conclude(counts);
        } else if line == "failures:" {
            self.listing = true;
            self.names.clear();
        } else if let Some(test) = line.strip_prefix("test ") {
            self.listing = false;
            self.test(test);
        } else if let Some(name) = line.strip_prefix("    ").filter(|_| self.listing) {
            self.names.push(name.to_owned());
        }
    }

    /// A test's own line: "name ... ok", or "name has been running for over 60 seconds".
    fn test(&mut self, line: &str) {
        if let Some((name, _)) = line.split_once(" has been running for over ") {
            self.slow.push(name.to_owned());
        } else if let Some((name, result)) = line.split_once(" ... ") {
            self.slow.retain(|slow| slow != name);
            if let Some(reason) = result.strip_prefix("ignored") {
                let reason = reason.trim_start_matches([',', ' ']);
                let reason = if reason.is_empty() { "marked as ignored" } else { reason };
                self.outcome.skipped.push(format!("{name}: {reason}"));
            }
        }
    }

    /// "FAILED. 3 passed; 1 failed; 0 ignored; …"
    fn conclude(&mut self, counts: &str) {
        self.concluded = true;
        self.listing = false;
        let count = |what: &str| {
            counts
                .split(['.', ';'])
                .find_map(|part| part.trim().strip_suffix(what)?.trim().parse::<usize>().ok())
                .unwrap_or(0)
        };
        self.outcome.passed += count("passed");
        let failed = count("failed");
        self.names.truncate(failed);
        for _ in self.names.len()..failed {
            self.names.push("a test whose name was not printed".to_owned());
        }
        self.outcome.failed.append(&mut self.names);
    }

    /// What was read, the failures under the program's name. A program that failed without saying which test,
    /// as one that crashed does, is a failure itself: `trouble` says how it ended.
    pub fn finish(mut self, program: &str, trouble: Option<String>) -> Outcome {
        for name in &mut self.outcome.failed {
            *name = format!("{program}: {name}");
        }
        let unexplained = self.outcome.failed.is_empty() || !self.concluded;
        let trouble = trouble.or_else(|| (!self.concluded).then(|| "it ended without a result".to_owned()));
        if let Some(trouble) = trouble.filter(|_| unexplained) {
            let during = if self.slow.is_empty() {
                String::new()
            } else {
                format!(", during {}", self.slow.join(", "))
            };
            self.outcome.add(Outcome::broken(program, &format!("{trouble}{during}")));
        }
        self.outcome
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(output: &str, trouble: Option<&str>) -> Outcome {
        let mut reader = Reader::default();
        output.lines().for_each(|line| reader.line(line));
        reader.finish("p", trouble.map(str::to_owned))
    }

    const PASSED: &str = "
running 3 tests
test a ... ok
test b ... ignored, needs a NIC
test c::case_1 ... ok

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    const FAILED: &str = "
test a ... ok
test b ... FAILED
test c ... FAILED

failures:

---- b stdout ----
thread 'b' panicked at src/lib.rs:3:9:
    an indented line of a message

---- c stdout ----
failures:
    a line that a test printed

failures:
    b
    c

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    const SLOW: &str = "test a has been running for over 60 seconds\n";
    const ONE_OK: &str = "test result: ok. 1 passed; 0 failed; 0 ignored\n";

    #[rstest]
    #[case::passed(PASSED.to_owned(), None, "skipped: b: needs a NIC\n2 passed, 0 failed, 1 skipped")]
    #[case::failed(FAILED.to_owned(), Some("exit status: 101"), "failed: p: b\nfailed: p: c\n1 passed, 2 failed")]
    #[case::several_results(ONE_OK.repeat(3), None, "3 passed, 0 failed")]
    #[case::crashed("test a ... ok\n".to_owned(), Some("signal: 11"), "failed: p: signal: 11\n0 passed, 1 failed")]
    #[case::hung(SLOW.to_owned(), Some("killed"), "failed: p: killed, during a\n0 passed, 1 failed")]
    #[case::slow_but_done(format!("{SLOW}test a ... ok\n{ONE_OK}"), None, "1 passed, 0 failed")]
    #[case::silent(String::new(), None, "failed: p: it ended without a result\n0 passed, 1 failed")]
    #[case::failed_after_its_result(ONE_OK.to_owned(), Some("signal: 6"), "failed: p: signal: 6\n1 passed, 1 failed")]
    fn the_harness_is_understood(#[case] output: String, #[case] trouble: Option<&str>, #[case] said: &str) {
        assert_eq!(read(&output, trouble).to_string(), said);
    }

    #[test]
    fn a_test_that_says_it_was_skipped_has_not_passed() {
        let mut total = read(PASSED, None);
        total.skip(vec!["a: no second CPU".to_owned()]);
        assert!(total.to_string().ends_with("\n1 passed, 0 failed, 2 skipped"));
    }
}
