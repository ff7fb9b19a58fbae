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

/// One error of all that failed; none of nothing.
///
/// # Errors
/// Something failed.
pub fn together(failures: impl IntoIterator<Item = Error>) -> Result<()> {
    let failures: Vec<_> = failures.into_iter().map(|failure| format!("{failure:#}")).collect();
    if failures.is_empty() {
        return Ok(());
    }
    bail!("{}", failures.join("; "))
}
