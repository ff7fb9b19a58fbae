//! Arguments of `sensor top`.

use std::time::Duration;

use clap::Args;

use super::Asked;
use crate::config;
use crate::top::rows::Topic;

/// Arguments of `sensor top`.
#[derive(Args, Clone, Debug)]
pub struct Top {
    /// Which table is shown first, or printed.
    #[arg(long, value_enum, value_name = "TABLE", default_value_t)]
    pub show: Topic,

    /// Of one sensor.
    #[arg(long, value_name = "NAME")]
    pub sensor: Option<String>,

    /// Time between two questions to the agent, 1s to 1h.
    #[arg(long, value_name = "TIME", value_parser = config::time_span, default_value = "1s")]
    pub interval: Duration,

    /// Print the table, with how fast packets came meanwhile, after one interval and end: for scripts.
    #[arg(long)]
    pub once: bool,

    /// Which agent.
    #[command(flatten)]
    pub agent: Asked,
}
