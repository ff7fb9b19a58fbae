//! `sensor reload`: the running agent applies its changed configuration.

use anyhow::Result;

use crate::{cli, control, output};

/// Has the agent reload, and prints what it says.
///
/// # Errors
/// No agent answers, or it refuses the configuration: its words.
pub fn run(arguments: &cli::Reload) -> Result<()> {
    control::reload(&arguments.pins).map(|said| output::say(&said))
}
