//! How the sensor is attached this once: what only a command line says, and no file.

use std::path::PathBuf;
use std::time::Duration;

use crate::kernel::maps::DEFAULT_PINS;

/// How the sensor is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachOptions {
    /// The operator can reach the host even when the network can't.
    pub console_access: bool,
    /// Detach unless confirmed within this time.
    pub confirm_within: Option<Duration>,
    /// Nothing outlives the agent.
    pub detach_on_exit: bool,
    /// The directory for what outlives the agent, without the layout's version.
    pub pins: PathBuf,
}

impl AttachOptions {
    /// Whether a mistake undoes itself, or can be undone.
    #[must_use]
    pub const fn forgive_mistakes(&self) -> bool {
        self.console_access || self.confirm_within.is_some()
    }
}

impl Default for AttachOptions {
    fn default() -> Self {
        Self { console_access: false, confirm_within: None, detach_on_exit: false, pins: DEFAULT_PINS.into() }
    }
}
