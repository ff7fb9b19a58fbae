//! The command line as it is typed.
//!
//! What a value means by itself is checked here, so that wrong use ends with exit code 2; what depends on the
//! configuration file is checked by [`crate::config`].

mod notices;
mod setup;
mod sources;
mod top;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use jiff::{SignedDuration, Timestamp};

pub use self::notices::{NoticeForm, Notices};
pub use self::setup::{DEFAULT_CONFIG, Setup};
pub use self::sources::{Counts, Events, Form, Period, Source, Sources, Tuples};
pub use self::top::Top;

use crate::config::{self, KernelLog, Mode, Port, Prefix};
use crate::kernel::{AttachOptions, DEFAULT_PINS};

const EXAMPLES: &str = "\
Examples:
  sensor run --config /etc/sensor/sensor.toml
  sensor run --interface eth1 --listen 127.0.0.1:19817
  sensor run --interface eth1 --observe --log debug
  sensor setup
  sensor doctor --interface eth0
  sensor check --config /etc/sensor/sensor.toml
  sensor run --config /etc/sensor/sensor.toml --confirm-within 60s
  sensor confirm
  sensor status
  sensor top
  sensor evidence --last 1h --port 23/tcp
  sensor sources --port 37215/tcp
  sensor notices --constituency our-country --format intelmq
  sensor reload
  sensor detach --interface eth0
  sensor detach --all

Exit codes: 0 done, 1 failed, 2 wrong use.";

const RUN_EXAMPLES: &str = "\
Examples:
  Count what reaches eth1, drop nothing:
    sensor run --interface eth1 --observe
  Sensors, their prefixes and exported ports from a file, the interface from the command line:
    sensor run --config /etc/sensor/sensor.toml --interface eth1
  Two interfaces, metrics for another host to scrape:
    sensor run --interface eth1 eth2 --listen 192.0.2.10:19817

Flags override the file. Without a [[sensor]] in it, all IP traffic to the interfaces is counted and dropped.";

/// Counts unsolicited Internet traffic at the NIC and serves the counts to Prometheus.
#[derive(Clone, Debug, Parser)]
#[command(name = "sensor", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// How much the agent itself logs, to standard error [default: `RUST_LOG`, else info].
    #[arg(long, global = true, value_name = "LEVEL", value_parser = ["error", "warn", "info", "debug", "trace"])]
    pub log: Option<String>,
}

/// The subcommands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Attach to the interfaces, count, drop, and serve metrics until told to stop.
    Run(Run),
    /// Say what a configuration would do on this host, without attaching: who would be let in, what would
    /// go dark.
    Check(Check),
    /// Set up a sensor on this host: propose and write a configuration that keeps you let in, attach, wait for
    /// `sensor confirm` over a new connection, and have systemd run it.
    Setup(Setup),
    /// Say what this host and its NIC can do, what stands in the way, and how to mend it.
    Doctor(Doctor),
    /// Keep what `sensor run --confirm-within` attached: to be run over the connection that might be cut.
    Confirm(Confirm),
    /// Say what the running agent is doing: what it is attached to, what it counts, what is wrong.
    Status(Status),
    /// Show packets that the running agent keeps as evidence, or write them to a pcapng file: whole packets with the real
    /// addresses of both ends, which are never anonymized.
    Evidence(Evidence),
    /// Show who sent most of the last hours, or what most was sent to, as far as evidence tells.
    Sources(Sources),
    /// Show everything that is known of one source.
    Source(Source),
    /// Show who scanned: one source that asked many ports, or many addresses.
    Scans(Events),
    /// Show who is under denial of service, as their answers to forged sources tell.
    Victims(Events),
    /// Tell those who are responsible for addresses of constituencies: one notice of a source or a victim and a day.
    Notices(Notices),
    /// Show what SYNs have in common: window, options, MSS, window scale and TTL.
    Tuples(Tuples),
    /// Show what was counted over time, minute by minute or hour by hour: of all, of a protocol or of a port.
    Counts(Counts),
    /// Show on the terminal what there is to see: how fast packets come, to which ports, from whom, made by what, and whether
    /// all is well.
    Top(Top),
    /// Have the running agent apply its changed configuration file; a bad one is refused whole.
    Reload(Reload),
    /// Remove the sensor from interfaces, whoever attached it. Needs no configuration and no agent.
    Detach(Detach),
}

/// Arguments of `sensor check`.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// Configuration file (TOML).
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Network interfaces to look at instead of those of the file.
    #[arg(long = "interface", short, value_name = "IF", num_args = 1.., value_parser = config::interface_name)]
    pub interfaces: Vec<String>,

    /// Directory on a BPF file system where the programs and counters are pinned, and so outlive the agent.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_PINS)]
    pub pins: PathBuf,
}

/// Arguments of `sensor doctor`.
#[derive(Args, Clone, Debug)]
pub struct Doctor {
    /// Configuration file (TOML): where its agent is asked, keeps evidence and has its store is looked at too.
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Network interfaces to look at instead of those of the file.
    #[arg(long = "interface", short, value_name = "IF", num_args = 1.., required_unless_present = "config", value_parser = config::interface_name)]
    pub interfaces: Vec<String>,

    /// Directory on a BPF file system where the agent's programs and counters are pinned.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_PINS)]
    pub pins: PathBuf,

    /// Write the findings as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `sensor confirm`.
#[derive(Args, Clone, Debug)]
pub struct Confirm {
    /// Network interfaces to confirm [default: all that wait for it].
    #[arg(long = "interface", short, value_name = "IF", num_args = 1.., value_parser = config::interface_name)]
    pub interfaces: Vec<String>,
}

/// Which agent is asked, by its socket.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// Directory on a BPF file system where the agent's programs and counters are pinned: its socket is named after
    /// it.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_PINS)]
    pub pins: PathBuf,

    /// The agent's socket, where its configuration names one.
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// Arguments of `sensor reload`.
#[derive(Args, Clone, Debug)]
pub struct Reload {
    /// Which agent.
    #[command(flatten)]
    pub agent: Asked,
}

/// Arguments of `sensor evidence`.
#[derive(Args, Clone, Debug)]
pub struct Evidence {
    /// Packets seen then or later, as in 2026-11-29T02:00:00Z or 2026-11-29.
    #[arg(long, value_name = "TIME", value_parser = value::instant, conflicts_with = "last")]
    pub from: Option<Timestamp>,

    /// Packets seen before then.
    #[arg(long, value_name = "TIME", value_parser = value::instant, conflicts_with = "last")]
    pub to: Option<Timestamp>,

    /// Packets of the time just gone, as in 30m, 1h or 2d.
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub last: Option<SignedDuration>,

    /// Packets of one sensor.
    #[arg(long, value_name = "NAME")]
    pub sensor: Option<String>,

    /// Packets that were counted as this, as in 23/tcp.
    #[arg(long, value_name = "PORT")]
    pub port: Option<Port>,

    /// Packets that this tool has made: the labels of `sensor_tool_packets_total`.
    #[arg(long, value_name = "TOOL", value_parser = value::tool)]
    pub tool: Option<String>,

    /// Packets from an address, or from a prefix of them.
    #[arg(long, value_name = "PREFIX")]
    pub source: Option<Prefix>,

    /// Packets from the addresses of a constituency.
    #[arg(long, value_name = "NAME")]
    pub constituency: Option<String>,

    /// Write them to this file, as pcapng; - is standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub write: Option<PathBuf>,

    /// Print the agent's answer as it is: a JSON object a line.
    #[arg(long)]
    pub json: bool,

    /// Which agent.
    #[command(flatten)]
    pub agent: Asked,
}

/// Arguments of `sensor status`.
#[derive(Args, Clone, Debug)]
pub struct Status {
    /// Which agent.
    #[command(flatten)]
    pub agent: Asked,

    /// Print the agent's answer as it is: a JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `sensor detach`.
#[derive(Args, Clone, Debug)]
pub struct Detach {
    /// Network interfaces to detach from.
    #[arg(long = "interface", short, value_name = "IF", num_args = 1.., required_unless_present = "all", value_parser = config::interface_name)]
    pub interfaces: Vec<String>,

    /// Detach from every interface, whatever the agents' --pins, and remove all counters.
    #[arg(long, conflicts_with_all = ["interfaces", "pins"])]
    pub all: bool,

    /// Directory on a BPF file system where the programs and counters are pinned, and so outlive the agent.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_PINS)]
    pub pins: PathBuf,
}

/// Arguments of `sensor run`; those that are left out come from the file, else from the defaults.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = RUN_EXAMPLES)]
pub struct Run {
    /// Network interfaces to attach to.
    #[arg(long = "interface", short, value_name = "IF", num_args = 1.., value_parser = config::interface_name)]
    pub interfaces: Vec<String>,

    /// Configuration file (TOML).
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Where to serve /metrics, as ADDR:PORT [default: 127.0.0.1:19817].
    #[arg(long, short, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,

    /// Where in the kernel to attach [default: auto].
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,

    /// Count and pass: drop nothing.
    #[arg(long)]
    pub observe: bool,

    /// Attach even if that cuts off who is connected now, or nobody could connect afterwards.
    #[arg(long = "i-have-console-access")]
    pub console_access: bool,

    /// Detach again by itself unless `sensor confirm` is run within this time, 1s to 1h: even if the agent
    /// is killed meanwhile.
    #[arg(long, value_name = "TIME", value_parser = config::time_span)]
    pub confirm_within: Option<Duration>,

    /// Leave nothing behind: detach and forget the counts when the agent ends, however it ends.
    #[arg(long)]
    pub detach_on_exit: bool,

    /// Directory on a BPF file system where the programs and counters are pinned, and so outlive the agent
    /// [default: /sys/fs/bpf/sensor].
    #[arg(long, value_name = "DIR")]
    pub pins: Option<PathBuf>,

    /// Time between two readings of the kernel's counters, 1s to 1h [default: 10s].
    #[arg(long, value_name = "TIME", value_parser = config::time_span)]
    pub drain_interval: Option<Duration>,

    /// What the programs in the kernel log about rare packets, 20 lines a second at most [default: off].
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub kernel_log: Option<KernelLog>,
}

impl Check {
    /// What the configuration is made from.
    #[must_use]
    pub fn input(&self) -> config::Input {
        config::Input {
            file: self.config.clone(),
            interfaces: self.interfaces.clone(),
            ..config::Input::default()
        }
    }

    /// How the sensor would be attached.
    #[must_use]
    pub fn attach_options(&self) -> AttachOptions {
        AttachOptions { pins: self.pins.clone(), ..AttachOptions::default() }
    }
}

impl Doctor {
    /// What the configuration is made from, if there is one.
    #[must_use]
    pub fn input(&self) -> Option<config::Input> {
        let file = Some(self.config.clone()?);
        Some(config::Input { file, interfaces: self.interfaces.clone(), ..config::Input::default() })
    }
}

impl Run {
    /// What the configuration is made from, at the start and at each reload.
    #[must_use]
    pub fn input(&self) -> config::Input {
        config::Input {
            file: self.config.clone(),
            interfaces: self.interfaces.clone(),
            listen: self.listen,
            drain_interval: self.drain_interval,
            mode: self.mode,
            observe: self.observe,
            kernel_log: self.kernel_log,
        }
    }

    /// How the sensor is attached.
    #[must_use]
    pub fn attach_options(&self) -> AttachOptions {
        AttachOptions {
            console_access: self.console_access,
            confirm_within: self.confirm_within,
            detach_on_exit: self.detach_on_exit,
            pins: self.pins.clone().unwrap_or_else(|| DEFAULT_PINS.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;
    use rstest::rstest;

    use super::*;

    fn parse(arguments: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(arguments.split_whitespace())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_reaches_its_field() {
        let cli = parse(
            "sensor run --interface eth0 eth1 --interface eth2 --config f.toml --listen [::1]:80 --mode native \
             --observe --i-have-console-access --drain-interval 1m --kernel-log trace --log debug \
             --confirm-within 60s --detach-on-exit --pins /p",
        )
        .unwrap();
        let (Command::Run(run), log) = (cli.command, cli.log) else { panic!("another command") };
        assert_eq!(run.confirm_within, Some(Duration::from_mins(1)));
        assert!(run.detach_on_exit);
        assert_eq!(run.pins, Some("/p".into()));
        assert_eq!(run.interfaces, ["eth0", "eth1", "eth2"]);
        assert_eq!(run.config, Some("f.toml".into()));
        assert_eq!(run.listen, Some("[::1]:80".parse().unwrap()));
        assert_eq!(run.mode, Some(Mode::Native));
        assert!(run.observe && run.console_access);
        assert_eq!(run.drain_interval, Some(Duration::from_mins(1)));
        assert_eq!(run.kernel_log, Some(KernelLog::Trace));
        assert_eq!(log.as_deref(), Some("debug"));
        let options = AttachOptions {
            console_access: true,
            confirm_within: Some(Duration::from_mins(1)),
            detach_on_exit: true,
            pins: "/p".into(),
        };
        assert_eq!(run.attach_options(), options);
        assert_eq!(run.input().kernel_log, run.kernel_log);
    }

    #[rstest]
    #[case::no_command("sensor")]
    #[case::unknown_command("sensor dance")]
    #[case::unknown_flag("sensor run --fast")]
    #[case::interface_missing("sensor run --interface")]
    #[case::interface_name("sensor run --interface a/b")]
    #[case::listen("sensor run --listen localhost")]
    #[case::mode("sensor run --mode fast")]
    #[case::interval("sensor run --drain-interval 10")]
    #[case::kernel_log("sensor run --kernel-log loud")]
    #[case::log("sensor run --log loud")]
    #[case::detach_from_nothing("sensor detach")]
    #[case::detach_from_all_and_one("sensor detach --all --interface eth0")]
    fn wrong_use_exits_with_2(#[case] arguments: &str) {
        assert_eq!(parse(arguments).unwrap_err().exit_code(), 2);
    }

    #[rstest]
    #[case::help("sensor --help", ErrorKind::DisplayHelp, "sensor run --config")]
    #[case::help_of_run("sensor run --help", ErrorKind::DisplayHelp, "sensor run --interface eth1 eth2")]
    #[case::version("sensor --version", ErrorKind::DisplayVersion, env!("CARGO_PKG_VERSION"))]
    fn help_shows_examples(#[case] arguments: &str, #[case] kind: ErrorKind, #[case] contains: &str) {
        let shown = parse(arguments).unwrap_err();
        assert_eq!((shown.kind(), shown.exit_code()), (kind, 0));
        assert!(shown.to_string().contains(contains), "{shown}");
    }
}
