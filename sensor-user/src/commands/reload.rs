//! `sensor reload`: the running agent applies its changed configuration.

use anyhow::Result;

use crate::kernel::check_names;
use crate::{cli, output, socket};

/// Has the agent reload, and prints what it says.
///
/// # Errors
/// No agent answers, or it refuses the configuration: its words.
pub fn run(arguments: &cli::Reload) -> Result<()> {
    let cli::Asked { pins, socket } = &arguments.agent;
    check_names(pins)?;
    socket::reload(pins, socket.as_deref()).map(|said| output::say(&said))
}
