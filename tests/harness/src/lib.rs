//! What the tests and the demo share: packets, a wire to send them over, and the agent.
//!
//! Nothing here depends on the agent's own code: it is started, fed and read like any other program.

pub mod agent;
pub mod bpf;
pub mod built;
pub mod cli;
pub mod counts;
mod daemon;
pub mod disk;
pub mod engines;
pub mod fleet;
pub mod foreign;
pub mod frame;
pub mod http;
pub mod metrics;
pub mod mix;
pub mod mmdb;
pub mod model;
pub mod namespace;
pub mod order;
pub mod pace;
pub mod pins;
pub mod prometheus;
pub mod proxy;
pub mod random;
pub mod report;
pub mod sender;
pub mod skip;
pub mod table;
pub mod victoria;
pub mod wire;
pub mod world;

/// The workspace's folder.
#[must_use]
pub fn workspace() -> &'static std::path::Path {
    let harness = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    harness.ancestors().nth(2).unwrap_or(harness)
}
