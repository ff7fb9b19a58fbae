//! Follows what a guest says, and judges it.
//!
//! Only a run in which every program of tests began and ended, and of which exactly one verdict came that says
//! so, has passed; whatever else happened is named.

use sensor_guest::Line;

use crate::test::outcome::{Outcome, Reader};

/// How a machine ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It switched itself off.
    Off,
    /// Something went wrong outside of it, or it was switched off from outside: why.
    Badly(String),
}

/// What is known of a run.
#[derive(Default)]
pub struct Watch {
    /// Names of the programs that are to run.
    expected: Vec<String>,
    /// The kernel's release, once it has said it.
    pub release: Option<String>,
    /// What the kernel cannot do.
    pub lacks: Vec<String>,
    /// What went wrong without failing a test.
    pub notes: Vec<String>,
    running: Option<(String, Reader)>,
    ended: Vec<String>,
    failed: usize,
    verdicts: Vec<(usize, usize)>,
    outcome: Outcome,
    skipped: Vec<String>,
}

/// Something to tell the user while the machine runs.
pub enum News {
    /// The kernel is up.
    Ready(String),
    /// A program ended: its name, tests passed, and tests failed.
    Ended(String, usize, usize),
}

impl Watch {
    /// Of a run of these programs.
    pub fn new(expected: impl IntoIterator<Item = String>) -> Self {
        Self { expected: expected.into_iter().collect(), ..Self::default() }
    }

    /// Takes a line.
    pub fn line(&mut self, line: Line) -> Option<News> {
        match line {
            Line::Ready(release) => {
                if self.release.is_some() {
                    self.trouble("the machine started twice");
                }
                self.release = Some(release.clone());
                return Some(News::Ready(release));
            }
            Line::Alive | Line::Err(_) => {}
            Line::Note(text) => self.notes.push(text),
            Line::Feature { name, there } => self.lacks.extend((!there).then_some(name)),
            Line::Start(name) => {
                self.abandon();
                self.running = Some((name, Reader::default()));
            }
            Line::Out(text) => {
                if let Some((_, reader)) = &mut self.running {
                    reader.line(&text);
                }
            }
            Line::End { name, trouble } => return self.end(&name, trouble),
            Line::Skip(text) => self.skipped.push(text),
            Line::Verdict { programs, failed } => self.verdicts.push((programs, failed)),
        }
        None
    }

    fn end(&mut self, name: &str, trouble: Option<String>) -> Option<News> {
        let (_, reader) = self.running.take().filter(|(running, _)| running == name)?;
        self.failed += usize::from(trouble.is_some());
        let outcome = reader.finish(name, trouble);
        let news = News::Ended(name.to_owned(), outcome.passed, outcome.failed.len());
        self.outcome.add(outcome);
        self.ended.push(name.to_owned());
        Some(news)
    }

    /// A program that began and of which no end came.
    fn abandon(&mut self) {
        if let Some((name, reader)) = self.running.take() {
            self.outcome.add(reader.finish(&name, Some("it did not come to its end".to_owned())));
        }
    }

    fn trouble(&mut self, what: &str) {
        self.outcome.failed.push(what.to_owned());
    }

    /// Judges: `console` is what the kernel said.
    pub fn judge(mut self, ended: &Ended, console: &str) -> Judged {
        self.abandon();
        if let Ended::Badly(why) = ended {
            self.trouble(why);
        }
        if let Some(panic) = console.lines().find(|line| line.contains("Kernel panic")) {
            self.trouble(panic.split_once("] ").map_or(panic, |(_, words)| words));
        }
        let missing: Vec<String> =
            self.expected.iter().filter(|name| !self.ended.contains(name)).cloned().collect();
        if !missing.is_empty() {
            self.trouble(&format!("not run to the end: {}", missing.join(", ")));
        }
        match self.verdicts[..] {
            [] => self.trouble("no verdict"),
            [(programs, failed)] if programs == self.ended.len() && failed == self.failed => {}
            [(programs, failed)] => self.trouble(&format!(
                "the verdict is of {programs} programs, {failed} failed, where {} ran and {} failed",
                self.ended.len(),
                self.failed
            )),
            _ => self.trouble("more than one verdict"),
        }
        self.outcome.skip(self.skipped);
        Judged { release: self.release, lacks: self.lacks, notes: self.notes, outcome: self.outcome }
    }
}

/// What a run came to.
#[derive(Default)]
pub struct Judged {
    /// The kernel's release, if it came so far.
    pub release: Option<String>,
    /// What the kernel cannot do.
    pub lacks: Vec<String>,
    /// What went wrong without failing a test.
    pub notes: Vec<String>,
    /// The tests, and what else went wrong as failures.
    pub outcome: Outcome,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const GOOD: &str = "ready 6.1\nalive\nstart a\nout test x ... ok\nout test result: ok. 1 passed; 0 failed\n\
                        end a\t\nverdict 1 0";
    const FAILED: &str = "ready 6.1\nstart a\nout failures:\nout     x\n\
                          out test result: FAILED. 1 passed; 1 failed\nend a\texit status: 101\nverdict 1 1";

    fn judged(said: &str, ended: &Ended, console: &str) -> Outcome {
        let mut watch = Watch::new(["a".to_owned()]);
        for line in said.lines() {
            watch.line(Line::parse(line).expect("a line of the guest's"));
        }
        watch.judge(ended, console).outcome
    }

    #[test]
    fn a_run_that_ends_well_has_passed() {
        assert_eq!(judged(GOOD, &Ended::Off, "").to_string(), "1 passed, 0 failed");
    }

    #[rstest]
    #[case::a_test_failed(FAILED, Ended::Off, "", "a: x")]
    #[case::no_verdict(GOOD.rsplit_once('\n').expect("lines").0, Ended::Off, "", "no verdict")]
    #[case::two_verdicts(&format!("{GOOD}\nverdict 1 0"), Ended::Off, "", "more than one verdict")]
    #[case::another_verdict(&GOOD.replace("verdict 1 0", "verdict 2 0"), Ended::Off, "", "the verdict is of 2")]
    #[case::denies_failure(&FAILED.replace("verdict 1 1", "verdict 1 0"), Ended::Off, "", "the verdict is of 1")]
    #[case::nothing_ran("ready 6.1\nverdict 0 0", Ended::Off, "", "not run to the end: a")]
    #[case::stalled("ready 6.1\nstart a", Ended::Badly("silent".to_owned()), "", "a: it did not come to its end")]
    #[case::silent("", Ended::Badly("silent".to_owned()), "", "silent")]
    #[case::started_twice(&format!("ready 6.1\n{GOOD}"), Ended::Off, "", "started twice")]
    #[case::panicked(
        GOOD,
        Ended::Off,
        "[ 1.0] Kernel panic - not syncing: x",
        "Kernel panic - not syncing: x"
    )]
    fn whatever_else_happens_is_a_failure(
        #[case] said: &str,
        #[case] ended: Ended,
        #[case] console: &str,
        #[case] named: &str,
    ) {
        let outcome = judged(said, &ended, console);
        assert!(outcome.failed.iter().any(|failed| failed.contains(named)), "{:?}", outcome.failed);
    }

    #[test]
    fn what_was_skipped_has_not_passed() {
        let said = GOOD.replace("verdict", "skip x: no second CPU\nverdict");
        assert!(judged(&said, &Ended::Off, "").to_string().ends_with("0 passed, 0 failed, 1 skipped"));
    }
}
