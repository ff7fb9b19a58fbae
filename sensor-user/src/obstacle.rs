//! What stands in the way, with what to do about it: for who shows the two apart, and for who prints one line.

use anyhow::{Error, Result, bail};

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
    /// Whether an error comes from wrong use.
    #[must_use]
    pub fn is_behind(error: &Error) -> bool {
        error.chain().any(<dyn std::error::Error>::is::<Self>)
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
