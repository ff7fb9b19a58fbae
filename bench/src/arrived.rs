//! How many packets an interface has taken in: what is sent to a full ring never arrives.

use std::fs;

use anyhow::{Context as _, Result};
use sensor_harness::wire::Interface;

/// Packets that have arrived since the interface was made.
///
/// # Errors
/// The kernel does not tell.
pub fn arrived(Interface { namespace, name }: &Interface) -> Result<u64> {
    let text = namespace.run(|| fs::read_to_string("/proc/thread-self/net/dev"))??;
    let prefix = format!("{name}:");
    text.lines()
        .find_map(|line| line.trim_start().strip_prefix(&prefix)?.split_whitespace().nth(1)?.parse().ok())
        .with_context(|| format!("{name} is not in /proc/net/dev"))
}
