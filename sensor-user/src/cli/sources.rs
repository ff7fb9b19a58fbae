//! Arguments of the commands that ask about sources.

use std::path::PathBuf;

use clap::Args;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::Asked;
use super::value::{duration, instant, offset, tool};
use crate::config::Port;
use crate::sources::{By, Country, DEFAULT_LIMIT, MAX_LIMIT, Protocol, Source as Address};
use crate::store::Step;

/// A time that is asked for.
#[derive(Args, Clone, Copy, Debug)]
pub struct Period {
    /// From then on, as in 2026-11-29T02:00:00Z or 2026-11-29.
    #[arg(long, visible_alias = "since", value_name = "TIME", value_parser = instant, conflicts_with = "last")]
    pub from: Option<Timestamp>,

    /// Until then.
    #[arg(long, value_name = "TIME", value_parser = instant, conflicts_with = "last")]
    pub to: Option<Timestamp>,

    /// The time just gone, as in 30m, 1h or 2d.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub last: Option<SignedDuration>,
}

/// How an answer is printed.
#[derive(Args, Clone, Debug)]
pub struct Form {
    /// Print the agent's answer as it is: a JSON object a line.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,

    /// Print the rows as CSV.
    #[arg(long)]
    pub csv: bool,

    /// Show times as they are so far from UTC, as in +09:00.
    #[arg(long, value_name = "OFFSET", value_parser = offset, default_value = "UTC", allow_hyphen_values = true)]
    pub time_zone: Offset,

    /// Put another address in the place of each, by the key in this file: those of a network stay of one network.
    #[arg(long, value_name = "KEY_FILE")]
    pub anonymize: Option<PathBuf>,
}

/// Arguments of `sensor sources`.
#[derive(Args, Clone, Debug)]
pub struct Sources {
    /// When: hours as a whole, or days where hours do not reach back so far; without it, this hour and the last.
    #[command(flatten)]
    pub period: Period,

    /// Of one sensor.
    #[arg(long, value_name = "NAME")]
    pub sensor: Option<String>,

    /// Of what was sent to this port, as in 37215/tcp.
    #[arg(long, value_name = "PORT")]
    pub port: Option<Port>,

    /// Of SYNs that this tool has made: the labels of `sensor_tool_packets_total`.
    #[arg(long, value_name = "TOOL", value_parser = tool)]
    pub tool: Option<String>,

    /// From this country, by its two letters.
    #[arg(long, value_name = "COUNTRY")]
    pub country: Option<Country>,

    /// Leave out known scanners.
    #[arg(long)]
    pub without_known_scanners: bool,

    /// What the rows are of. Of a port, a tool or a country, all but sources are told by the store, up to a minute ago; so is
    /// a port with a tool.
    #[arg(long, value_name = "WHAT", default_value = "source")]
    pub by: By,

    /// Put ports, countries or autonomous systems in the order of their sources, not of their packets.
    #[arg(long)]
    pub order_by_sources: bool,

    /// Rows at most.
    #[arg(long, value_name = "ROWS", default_value_t = DEFAULT_LIMIT, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT)))]
    pub limit: u32,

    /// How it is printed.
    #[command(flatten)]
    pub form: Form,

    /// Which agent.
    #[command(flatten)]
    pub agent: Asked,
}

/// Arguments of `sensor source`.
#[derive(Args, Clone, Debug)]
pub struct Source {
    /// An IPv4 address, or an IPv6 address for its /64.
    #[arg(value_name = "ADDRESS")]
    pub address: Address,

    /// When: what the store has of those hours; without it, what is in memory.
    #[command(flatten)]
    pub period: Period,

    /// How it is printed.
    #[command(flatten)]
    pub form: Form,

    /// Which agent.
    #[command(flatten)]
    pub agent: Asked,
}

/// Arguments of `sensor scans` and `sensor victims`.
#[derive(Args, Clone, Debug)]
pub struct Events {
    /// When they were; without it, all that are known.
    #[command(flatten)]
    pub period: Period,

    /// Of one sensor.
    #[arg(long, value_name = "NAME")]
    pub sensor: Option<String>,

    /// Leave out known scanners.
    #[arg(long)]
    pub without_known_scanners: bool,

    /// How it is printed.
    #[command(flatten)]
    pub form: Form,

    /// Which agent.
    #[command(flatten)]
    pub agent: Asked,
}

/// Arguments of `sensor counts`.
#[derive(Args, Clone, Debug)]
pub struct Counts {
    /// When; without it, the last hour of minutes, or the last day of hours.
    #[command(flatten)]
    pub period: Period,

    /// Of one sensor.
    #[arg(long, value_name = "NAME")]
    pub sensor: Option<String>,

    /// What was sent to this port, as in 37215/tcp.
    #[arg(long, value_name = "PORT", conflicts_with = "protocol")]
    pub port: Option<Port>,

    /// What was of this protocol.
    #[arg(long, value_name = "PROTOCOL")]
    pub protocol: Option<Protocol>,

    /// How far apart: minutes are kept for two days.
    #[arg(long, value_name = "STEP", default_value = "minute")]
    pub by: Step,

    /// How it is printed.
    #[command(flatten)]
    pub form: Form,

    /// Which agent.
    #[command(flatten)]
    pub agent: Asked,
}

/// Arguments of `sensor tuples`.
#[derive(Args, Clone, Debug)]
pub struct Tuples {
    /// When: hours as a whole, or days where hours do not reach back so far; without it, this hour and the last.
    #[command(flatten)]
    pub period: Period,

    /// Of one sensor.
    #[arg(long, value_name = "NAME")]
    pub sensor: Option<String>,

    /// SYNs to this port, as in 37215/tcp: sure to be there are tuples that sent more than a quarter of their SYNs to it.
    #[arg(long, value_name = "PORT", conflicts_with = "order_by_sources")]
    pub port: Option<Port>,

    /// Leave out known scanners.
    #[arg(long)]
    pub without_known_scanners: bool,

    /// In the order of their sources, not of their packets.
    #[arg(long)]
    pub order_by_sources: bool,

    /// Rows at most.
    #[arg(long, value_name = "ROWS", default_value_t = DEFAULT_LIMIT, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT)))]
    pub limit: u32,

    /// How it is printed.
    #[command(flatten)]
    pub form: Form,

    /// Which agent.
    #[command(flatten)]
    pub agent: Asked,
}
