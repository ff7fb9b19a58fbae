//! What a virtual machine says to the host, a line each, on a serial port of its own.
//!
//! The kernel's messages go to another port, so that neither cuts into the other's lines. Both sides are in
//! this one crate: what is written is what is read.

use std::fmt;

/// Where the host puts what the guest works from.
pub mod path {
    /// Modules to load, a path a line, in this order.
    pub const MODULES: &str = "/vm/modules";
    /// Programs of tests, a line each: a name, a tab, and the file.
    pub const PROGRAMS: &str = "/vm/programs";
    /// The environment of the programs, `NAME=VALUE` a line.
    pub const ENVIRONMENT: &str = "/vm/environment";
    /// The folder that programs run in.
    pub const FOLDER: &str = "/vm/folder";
    /// Where tests that cannot run say so: a line each, `name: reason`.
    pub const SKIPS: &str = "/tmp/skipped-tests";
}

/// The machine's own network interface, as its kernel calls it.
pub const NIC: &str = "eth0";

/// How often the guest says that it lives, in seconds, whatever its programs do.
pub const ALIVE_SECONDS: u64 = 5;

/// A line from the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The first: the kernel's release.
    Ready(String),
    /// Time passes and the kernel still schedules.
    Alive,
    /// Something worth keeping, as a module that did not load.
    Note(String),
    /// Whether the kernel can do something.
    Feature {
        /// What.
        name: String,
        /// Whether it can.
        there: bool,
    },
    /// A program of tests begins.
    Start(String),
    /// A line that the program wrote to its standard output.
    Out(String),
    /// A line that it wrote to its standard error.
    Err(String),
    /// It has ended.
    End {
        /// Which.
        name: String,
        /// `None`: well. Else how it ended.
        trouble: Option<String>,
    },
    /// A test that could not run here, and the reason.
    Skip(String),
    /// The last: how many programs ran, and how many of them failed.
    Verdict {
        /// Programs that ran.
        programs: usize,
        /// Those that did not end well.
        failed: usize,
    },
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(release) => write!(f, "ready {release}"),
            Self::Alive => f.write_str("alive"),
            Self::Note(text) => write!(f, "note {text}"),
            Self::Feature { name, there } => {
                write!(f, "feature {} {name}", if *there { "yes" } else { "no" })
            }
            Self::Start(name) => write!(f, "start {name}"),
            Self::Out(line) => write!(f, "out {line}"),
            Self::Err(line) => write!(f, "err {line}"),
            Self::End { name, trouble } => {
                write!(f, "end {name}\t{}", trouble.as_deref().unwrap_or_default())
            }
            Self::Skip(text) => write!(f, "skip {text}"),
            Self::Verdict { programs, failed } => write!(f, "verdict {programs} {failed}"),
        }
    }
}

impl Line {
    /// Reads a line without its end. `None`: the guest does not write such a line.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest_owned = || rest.to_owned();
        Some(match word {
            "ready" => Self::Ready(rest_owned()),
            "alive" => Self::Alive,
            "note" => Self::Note(rest_owned()),
            "feature" => {
                let (there, name) = rest.split_once(' ')?;
                Self::Feature { name: name.to_owned(), there: there == "yes" }
            }
            "start" => Self::Start(rest_owned()),
            "out" => Self::Out(rest_owned()),
            "err" => Self::Err(rest_owned()),
            "end" => {
                let (name, trouble) = rest.split_once('\t')?;
                let trouble = (!trouble.is_empty()).then(|| trouble.to_owned());
                Self::End { name: name.to_owned(), trouble }
            }
            "skip" => Self::Skip(rest_owned()),
            "verdict" => {
                let (programs, failed) = rest.split_once(' ')?;
                Self::Verdict { programs: programs.parse().ok()?, failed: failed.parse().ok()? }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::ready(Line::Ready("6.1.0-50-cloud-amd64".to_owned()))]
    #[case::alive(Line::Alive)]
    #[case::note(Line::Note("module veth: no such file".to_owned()))]
    #[case::there(Line::Feature { name: "TCX".to_owned(), there: true })]
    #[case::missing(Line::Feature { name: "batch reads".to_owned(), there: false })]
    #[case::start(Line::Start("counts".to_owned()))]
    #[case::out(Line::Out("test a ... ok".to_owned()))]
    #[case::empty(Line::Out(String::new()))]
    #[case::indented(Line::Err("    tests::a".to_owned()))]
    #[case::well(Line::End { name: "counts".to_owned(), trouble: None })]
    #[case::badly(Line::End { name: "counts".to_owned(), trouble: Some("exit status: 101".to_owned()) })]
    #[case::skip(Line::Skip("a: no promtool".to_owned()))]
    #[case::verdict(Line::Verdict { programs: 11, failed: 2 })]
    fn what_is_written_is_read(#[case] line: Line) {
        assert_eq!(Line::parse(&line.to_string()), Some(line));
    }

    #[rstest]
    #[case("")]
    #[case("verdict")]
    #[case("verdict 3")]
    #[case("verdict three 0")]
    #[case("end counts")]
    #[case("[    0.000000] Linux version")]
    fn other_lines_are_none(#[case] line: &str) {
        assert_eq!(Line::parse(line), None);
    }
}
