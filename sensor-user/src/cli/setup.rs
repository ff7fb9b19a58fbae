//! Arguments of `sensor setup`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::config::{self, Port, Prefix};
use crate::kernel::DEFAULT_PINS;

/// The configuration that the unit of the package runs.
pub const DEFAULT_CONFIG: &str = "/etc/sensor/sensor.toml";

const EXAMPLES: &str = "\
Examples:
  Asking, with what is found on this host proposed:
    sensor setup
  Asking nothing, for scripts; confirmed from elsewhere within five minutes:
    sensor setup --yes --allow 203.0.113.0/24 --confirm-within 5m
  A prefix that is routed to this host, whose web server stays open:
    sensor setup --interface eth1 --monitor 198.51.100.0/24 --open 443/tcp

Lines that begin with + are the commands that do what it does; those that undo it are printed at the end.";

/// Arguments of `sensor setup`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Setup {
    /// Network interfaces to attach to [default: those that default routes depend on].
    #[arg(long = "interface", short, value_name = "IF", num_args = 1.., value_parser = config::interface_name)]
    pub interfaces: Vec<String>,

    /// Addresses to monitor, or prefixes of them: what is sent there is counted and dropped [default: those of the
    /// interfaces].
    #[arg(long, value_name = "PREFIX", num_args = 1..)]
    pub monitor: Vec<Prefix>,

    /// From where one may log in, beside the addresses of who is logged in over SSH now.
    #[arg(long, value_name = "PREFIX", num_args = 1..)]
    pub allow: Vec<Prefix>,

    /// TCP ports to log in at [default: those of the SSH sessions that there are, else 22].
    #[arg(long = "login-port", value_name = "PORT", num_args = 1.., value_parser = clap::value_parser!(u16).range(1..))]
    pub login_ports: Vec<u16>,

    /// Services that stay open to everybody, as in 443/tcp [default: none, all others go dark].
    #[arg(long, value_name = "PORT", num_args = 1..)]
    pub open: Vec<Port>,

    /// The sensor's name [default: the host's].
    #[arg(long, value_name = "NAME", value_parser = config::sensor_name)]
    pub name: Option<String>,

    /// The region that it is in, for comparing sensors with one another.
    #[arg(long, value_name = "NAME", value_parser = config::sensor_name)]
    pub region: Option<String>,

    /// The configuration file to write.
    #[arg(long, short, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,

    /// Replace the configuration that is there, which is kept beside it.
    #[arg(long)]
    pub replace: bool,

    /// How long there is to run `sensor confirm` over a new connection, 1s to 1h.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = config::time_span)]
    pub confirm_within: Duration,

    /// Directory on a BPF file system where the programs and counters are pinned, and so outlive the agent.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_PINS)]
    pub pins: PathBuf,

    /// Ask nothing, and take what is proposed.
    #[arg(long, short)]
    pub yes: bool,
}
