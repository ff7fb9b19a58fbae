//! The agent's own log.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::output::Log;

/// What is logged whatever the level: of the libraries only what is wrong, and that not a second time where it is an
/// error of ours; not that aya cannot read the version of a kernel whose release has two numbers (`7.3-cloud-amd64`), which
/// changes nothing here; and all that the programs in the kernel were loaded to log.
const ALWAYS: &str = "aya=warn,aya::util=error,aya_obj=warn,hyper=warn,sensor_ebpf=trace";

/// The level, unless another one is asked for.
const USUAL: &str = "info";

/// Sends the agent's log, what the programs in the kernel log, and what a panic says, to standard error. Nobody
/// waits for its reader: see [`output`](crate::output).
pub fn to_stderr(level: Option<&str>) {
    let level = level.map(str::to_owned).or_else(|| std::env::var("RUST_LOG").ok());
    let level = level.as_deref().unwrap_or(USUAL);
    let directives = |level| format!("{ALWAYS},{level}").parse::<Targets>();
    // What nobody can make sense of is as if it were not there.
    let filter = directives(level).or_else(|_| directives(USUAL)).unwrap_or_default();
    let lines = fmt::layer().with_writer(|| Log).with_ansi(io::stderr().is_terminal()).with_target(false);
    tracing_subscriber::registry().with(lines).with(filter).init();
    panic::set_hook(Box::new(|panic| {
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            tracing::error!("{panic}\n{trace}");
        } else {
            tracing::error!("{panic}");
        }
    }));
}
