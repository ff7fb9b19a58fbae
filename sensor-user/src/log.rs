//! The agent's own log.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic;

use tracing_subscriber::EnvFilter;

use crate::output::Log;

/// What is logged whatever the level: of the libraries only what is wrong, and that not a second time where it is an
/// error of ours; and all that the programs in the kernel were loaded to log.
const ALWAYS: &str = "aya=warn,aya_obj=warn,hyper=warn,sensor_ebpf=trace";

/// Sends the agent's log, what the programs in the kernel log, and what a panic says, to standard error. Nobody
/// waits for its reader: see [`output`](crate::output).
pub fn to_stderr(level: Option<&str>) {
    let level = level.map(str::to_owned).or_else(|| std::env::var("RUST_LOG").ok());
    let level = level.as_deref().unwrap_or("info");
    let filter = EnvFilter::builder().parse_lossy(format!("{ALWAYS},{level}"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Log)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
    panic::set_hook(Box::new(|panic| {
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            tracing::error!("{panic}\n{trace}");
        } else {
            tracing::error!("{panic}");
        }
    }));
}
