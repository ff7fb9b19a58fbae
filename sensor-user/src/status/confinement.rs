//! How an agent is confined, as its status says it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the kernel refuses an agent, since it has asked for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfinementStatus {
    /// The version of the kernel's Landlock, by which it keeps to the files that its configuration names; `None` if it may open
    /// what its user may.
    pub landlock: Option<u32>,
    /// Whether it is refused system calls that open up the kernel, other processes or other programs.
    pub seccomp: bool,
}

impl fmt::Display for ConfinementStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.landlock, self.seccomp) {
            (Some(version), true) => {
                write!(f, "files by Landlock (ABI {version}), system calls by seccomp")
            }
            (Some(version), false) => write!(f, "files by Landlock (ABI {version}) alone"),
            (None, true) => f.write_str("system calls by seccomp alone"),
            (None, false) => f.write_str("no"),
        }
    }
}
