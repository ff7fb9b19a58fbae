//! The arguments of `sensor-fleet report`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sensor_common::time_span::time_span;

use super::language::Language;
use super::period::{self, Quarter};
use super::request;

const EXAMPLES: &str = "\
Examples:
  A quarter, with the sensors of region japan against all others:
    sensor-fleet report --prometheus http://127.0.0.1:9090 --quarter 2023Q4 --home japan --output 2023Q4
  Two weeks, in days of Japan, from a Prometheus behind TLS and a token:
    sensor-fleet report --prometheus https://prometheus.example --token-file token --ca ca.pem \\
      --from 2023-10-01 --to 2023-10-14 --time-zone Asia/Tokyo --output october
  In Japanese:
    sensor-fleet report --prometheus http://127.0.0.1:9090 --quarter 2023Q4 --home japan --language ja --output ja
  What may leave the house:
    sensor-fleet report --prometheus http://127.0.0.1:9090 --quarter 2023Q4 --publish --output public

Prometheus must have the rules in fleet/rules. The directory gets report.html, report.md, report.json, tables as CSV
and figures as SVG and PNG.";

/// Arguments of `sensor-fleet report`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("period").required(true).args(["quarter", "from"]))]
pub struct ReportArgs {
    /// Prometheus, or what answers like one, as `http://HOST:PORT` or `https://HOST/PATH`.
    #[arg(long, value_name = "URL", value_parser = request::url)]
    pub prometheus: String,

    /// File with the token that it wants.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// File with the certificates (PEM) that it may be signed by [default: those that the system trusts].
    #[arg(long = "ca", value_name = "FILE")]
    pub authority: Option<PathBuf>,

    /// How long it may take to answer a query, 1s to 1h.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = time_span)]
    pub timeout: Duration,

    /// A calendar quarter, compared with the one before.
    #[arg(long, value_name = "YEARQn", conflicts_with_all = ["from", "to"])]
    pub quarter: Option<Quarter>,

    /// First day, as YYYY-MM-DD; compared with as many days before.
    #[arg(long, value_name = "DAY", requires = "to")]
    pub from: Option<Date>,

    /// Last day.
    #[arg(long, value_name = "DAY", requires = "from")]
    pub to: Option<Date>,

    /// Whose midnights divide the days: UTC, a name such as Asia/Tokyo, or an offset such as +09:00.
    #[arg(long, value_name = "ZONE", default_value = "UTC", allow_hyphen_values = true, value_parser = period::zone)]
    pub time_zone: TimeZone,

    /// The region that all others are compared with.
    #[arg(long, value_name = "REGION")]
    pub home: Option<String>,

    /// What its sentences are written in: English, or Japanese, for which figures need the system's Noto Sans CJK.
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value_t = Language::English)]
    pub language: Language,

    /// Directory to write to; it is made if it is not there.
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,

    /// Write only what may be published: aliases for sensors, nothing that fewer than three saw, coarse figures.
    #[arg(long)]
    pub publish: bool,

    /// File with the sensors' aliases to publish under.
    #[arg(long, value_name = "FILE", requires = "publish")]
    pub aliases: Option<PathBuf>,

    /// Folder with the agents' files by the hour, `flows-SENSOR-YYYYMMDDTHHZ.jsonl.gz`: says of each surge whether one source or
    /// network made it, and lists those that one made apart. With --publish it is not looked at.
    #[arg(long, value_name = "FOLDER")]
    pub files: Option<PathBuf>,

    /// The largest part of the surges found that may be false, on average.
    #[arg(long, value_name = "RATE", default_value = "0.05", value_parser = request::rate)]
    pub false_discovery_rate: f64,
}
