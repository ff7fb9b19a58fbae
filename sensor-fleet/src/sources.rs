//! `sensor-fleet sources`: who sent to a fleet, of its agents' answers or of their files.

mod agents;
mod answer;
mod ask;
mod asked;
mod files;
pub(crate) mod hourly;
mod merge;
mod outcome;
mod show;
pub(crate) mod source;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::{ArgGroup, Args};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sensor_common::layout::side::Tool;
use sensor_common::time_span::time_span;

use self::asked::Asked;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  Who sent to a port of any sensor in the last hours, asked of the agents:
    sensor-fleet sources --agents agents.txt --port 37215/tcp --last 2h
  The same of a day, of the agents' files, which were copied to a folder:
    sensor-fleet sources --files flows --port 37215/tcp --from 2026-05-10 --to 2026-05-11

A line of the agents' file is NAME DESTINATION [SOCKET], with what ssh takes for a destination, or `local`. Files are
flows-SENSOR-YYYYMMDDTHHZ.jsonl.gz, as agents write them.";

/// Arguments of `sensor-fleet sources`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("where").required(true).args(["agents", "files"]))]
pub struct SourcesArgs {
    /// File that names the agents to ask.
    #[arg(long, value_name = "FILE")]
    agents: Option<PathBuf>,

    /// Folder with the agents' files by the hour.
    #[arg(long, value_name = "FOLDER")]
    files: Option<PathBuf>,

    /// Of what was sent to this port, as in 37215/tcp.
    #[arg(long, value_name = "PORT", value_parser = port)]
    port: Option<String>,

    /// Of SYNs that this tool has made: the labels of `sensor_tool_packets_total`.
    #[arg(long, value_name = "TOOL", value_parser = tool)]
    tool: Option<String>,

    /// All hours in UTC that the time just gone touches, as in 30m, 1h or 2d [default: the last full hour].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    last: Option<SignedDuration>,

    /// Hours from then on, as in 2026-11-29T02:00:00Z or 2026-11-29.
    #[arg(long, value_name = "TIME", value_parser = instant, conflicts_with = "last")]
    from: Option<Timestamp>,

    /// Until then.
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "from")]
    to: Option<Timestamp>,

    /// Sources that are printed at most.
    #[arg(long, value_name = "ROWS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// How long an agent may take, 1s to 1h.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = time_span, conflicts_with = "files")]
    timeout: Duration,

    /// How many agents are asked at once.
    #[arg(long, value_name = "AGENTS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256), conflicts_with = "files")]
    at_once: u16,

    /// Configuration that ssh reads in place of its own.
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    ssh_config: Option<PathBuf>,

    /// Print a JSON object a line.
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Print the sources as CSV.
    #[arg(long)]
    csv: bool,
}

/// Asks, merges and prints.
///
/// # Errors
/// There is nothing to ask, or nothing that could be asked answered.
pub fn run(arguments: &SourcesArgs) -> Result<()> {
    let SourcesArgs { from, to, last, .. } = *arguments;
    let (from, to) = asked::hours(Timestamp::now(), from, to, last).map_err(|cause| anyhow!(cause))?;
    let asked = Asked { from, to, slot: arguments.port.clone(), tool: arguments.tool.clone() };
    let merge = match (&arguments.agents, &arguments.files) {
        (Some(file), _) => {
            let how = ask::How {
                timeout: arguments.timeout,
                at_once: arguments.at_once.into(),
                ssh_config: arguments.ssh_config.clone(),
            };
            ask::all(agents::read(file)?, &asked, &how)
        }
        (None, Some(folder)) => files::read(folder, &asked)?,
        (None, None) => bail!("name --agents or --files"),
    };
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let outcome = merge.outcome(limit);
    if outcome.sensors.is_empty() {
        for silent in &outcome.silent {
            output::complain(&format!("{}: {}", silent.who, silent.cause));
        }
        bail!("nobody could tell anything: see above why");
    }
    output::print(&match (arguments.json, arguments.csv) {
        (true, _) => show::json(&outcome, &asked)?,
        (false, true) => show::csv(&outcome),
        (false, false) => show::text(&outcome, &asked),
    });
    Ok(())
}

fn port(text: &str) -> Result<String, String> {
    let known = text.split_once('/').filter(|(number, transport)| {
        ["tcp", "udp"].contains(transport)
            && number.parse::<u16>().is_ok_and(|port| port.to_string() == *number)
    });
    known.map(|_| text.to_owned()).ok_or_else(|| "write a port and tcp or udp, as in 37215/tcp".to_owned())
}

fn tool(text: &str) -> Result<String, String> {
    let names: Vec<_> = Tool::ALL.iter().map(|tool| tool.label()).collect();
    let known = names.contains(&text).then(|| text.to_owned());
    known.ok_or_else(|| format!("there is no such tool: write one of {}", names.join(", ")))
}

/// A moment, or the begin of a day in UTC.
fn instant(text: &str) -> Result<Timestamp, &'static str> {
    let day = || text.parse::<Date>().ok()?.to_zoned_datetime(TimeZone::UTC).ok().map(|day| day.timestamp());
    text.parse().ok().or_else(day).ok_or("write it as in 2026-11-29T02:00:00Z or 2026-11-29")
}

/// A time that is over, of some hours or days.
fn duration(text: &str) -> Result<SignedDuration, &'static str> {
    let number = |unit: char| text.strip_suffix(unit)?.parse::<u16>().ok().map(i64::from);
    let days = || number('d').map(|days| SignedDuration::from_hours(24 * days));
    let hours = || number('h').map(SignedDuration::from_hours);
    let minutes = || number('m').map(SignedDuration::from_mins);
    let duration = days().or_else(hours).or_else(minutes).filter(SignedDuration::is_positive);
    duration.ok_or("write it as in 30m, 1h or 2d")
}
