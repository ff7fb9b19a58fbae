//! What the outside sees: the metrics page, the slots API, and the HTTP server that serves both.
//!
//! [`Exporter`] turns each drain into the two documents; [`http`] hands them out and holds up against peers
//! of any kind. Neither touches the kernel: what it says comes in by [`Exporter::observe`] and [`Documents`].

mod buffer;
mod exported;
mod exporter;
pub mod families;
pub mod http;
mod metrics;
mod own;
mod slots;
mod sources;
mod text;

#[cfg(test)]
mod tests;

pub use self::exporter::Exporter;
pub use self::families::{FAMILIES, SOURCE_FAMILIES};
pub use self::http::{Documents, HttpStats};
pub use crate::counters::select::Scraper;
use crate::kernel::AttachedMode;

/// What the kernel says of an interface that the agent attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachStatus {
    /// The interface.
    pub interface: String,
    /// How the program is attached now; `None` if it isn't.
    pub mode: Option<AttachedMode>,
    /// Whether the program that sees what the interface sends is attached now.
    pub egress: bool,
}
