//! What stands in the way, with what to do about it: for who shows the two apart, and for who prints one line.

use anyhow::{Error, Result, bail};

use crate::confine;

/// Something that stands in the way of attaching. Printed as `found: remedy`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found}: {remedy}")]
pub struct Obstacle {
    /// What is the case.
    pub found: String,
    /// What to do about it.
    pub remedy: String,
}

impl Obstacle {
    /// What is the case, and what to do about it.
    #[must_use]
    pub fn new(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { found: found.into(), remedy: remedy.into() }
    }
}

/// What was not asked for in a way that can be done: an argument, or the configuration, is wrong by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WrongUse(pub String);

impl WrongUse {
    /// A sensor is asked for that there is not.
    #[must_use]
    pub fn no_sensor(name: &str) -> Self {
        Self(format!("there is no sensor {name:?}: `sensor status` shows those there are"))
    }

    /// Whether an error comes from wrong use.
    #[must_use]
    pub fn is_behind(error: &Error) -> bool {
        error.chain().any(<dyn std::error::Error>::is::<Self>)
    }
}

/// An error in one line; where a limit on files is behind it, or may be what this process is confined to, with what to do
/// about that.
#[must_use]
pub fn in_words(error: &Error) -> String {
    words(error, confine::keeps_to_files())
}

/// The same, of a process that keeps to its files or does not.
pub(crate) fn words(error: &Error, keeps_to_files: bool) -> String {
    let said = format!("{error:#}");
    // A number tells in every language.
    if said.contains("LimitNOFILE=") || said.contains("fs.file-max") {
        said
    } else if said.contains("(os error 24)") {
        format!("{said}: allow more with `LimitNOFILE=` in the unit, or `ulimit -n`")
    } else if said.contains("(os error 23)") {
        format!("{said}: the host has no more of them; allow more with `sysctl fs.file-max`")
    } else if said.contains("(os error 13)") && keeps_to_files {
        format!(
            "{said}: its user may not, or it was not there when the agent started, which is confined to what was: allow it, \
             and restart the agent"
        )
    } else {
        said
    }
}

/// One error of all that failed, the very one if it is alone; none of nothing.
///
/// # Errors
/// Something failed.
pub fn together(failures: impl IntoIterator<Item = Error>) -> Result<()> {
    let mut failures: Vec<_> = failures.into_iter().collect();
    if failures.len() <= 1 {
        return failures.pop().map_or(Ok(()), Err);
    }
    let failures: Vec<_> = failures.iter().map(|failure| format!("{failure:#}")).collect();
    bail!("{}", failures.join("; "))
}

#[cfg(test)]
mod tests {
    use std::io;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::confined(libc::EACCES, true, "and restart the agent")]
    #[case::not_confined(libc::EACCES, false, "(os error 13)")]
    #[case::not_by_files(libc::EPERM, true, "(os error 1)")]
    #[case::own_limit(libc::EMFILE, true, "or `ulimit -n`")]
    #[case::limit_of_the_host(libc::ENFILE, true, "with `sysctl fs.file-max`")]
    fn what_can_be_done_is_said(#[case] number: i32, #[case] keeps_to_files: bool, #[case] end: &str) {
        let error = Error::from(io::Error::from_raw_os_error(number)).context("cannot read /a");
        let said = words(&error, keeps_to_files);
        assert!(said.starts_with("cannot read /a: ") && said.ends_with(end), "{said}");
    }
}
