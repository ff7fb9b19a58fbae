//! What can be asked of it.

use serde::{Deserialize, Serialize};

/// Rows of each ranking, at most.
pub const MOST: usize = 100;

/// Which part of what there is to see is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskView {
    /// Of this sensor; without it, of all together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
}
