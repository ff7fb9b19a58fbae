//! What stands in the way, with what to do about it: for who shows the two apart, and for who prints one line.

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
