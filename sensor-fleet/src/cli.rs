//! The command line as it is typed: what a value means by itself is checked here, so that wrong use ends with exit
//! code 2.

use clap::{Parser, Subcommand};

use crate::calibrate::CalibrateArgs;
use crate::dashboards::DashboardsArgs;
use crate::report::arguments::ReportArgs;
use crate::simulate::SimulateArgs;
use crate::sources::SourcesArgs;

const EXAMPLES: &str = "\
Examples:
  sensor-fleet report --prometheus http://127.0.0.1:9090 --quarter 2023Q4 --home japan --output 2023Q4
  sensor-fleet sources --agents agents.txt --port 37215/tcp --last 2h
  sensor-fleet dashboards --output dashboards
  sensor-fleet simulate --sensors 6 --days 90 --output history

Exit codes: 0 done, 1 failed, 2 wrong use.";

/// Looks at many sensors: reports and dashboards, from the Prometheus that scrapes them, and sources, from their agents.
#[derive(Clone, Debug, Parser)]
#[command(name = "sensor-fleet", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Write rankings and figures of a fleet for a period, from the Prometheus that scrapes it.
    Report(Box<ReportArgs>),
    /// Say who sent to the fleet, and which sensors saw whom: of its agents' answers, or of their files.
    Sources(Box<SourcesArgs>),
    /// Write the fleet's Grafana dashboards.
    Dashboards(DashboardsArgs),
    /// Write months of a made-up fleet's history for Prometheus, and what a report must find in it.
    Simulate(SimulateArgs),
    /// Measure on made-up fleets how often surges are found, where there are some and where there are none.
    Calibrate(CalibrateArgs),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
    fn a_report_has_a_period() {
        let cli = parse(
            "sensor-fleet report --prometheus http://p:9090 --from 2023-10-01 --to 2023-10-14 --time-zone -03:00 \
             --home japan --output o --token-file t --ca c --timeout 5m --publish --aliases a \
             --false-discovery-rate 0.1",
        )
        .unwrap();
        let Command::Report(report) = cli.command else { panic!("another command") };
        assert_eq!(report.from.zip(report.to).map(|(from, to)| (to - from).get_days()), Some(13));
        assert_eq!((report.prometheus.as_str(), report.home.as_deref()), ("http://p:9090", Some("japan")));
        assert_eq!(report.time_zone.to_fixed_offset().unwrap().seconds(), -3 * 3600);
        assert_eq!(report.timeout, Duration::from_mins(5));
        assert!(report.publish && report.token_file.is_some() && report.authority.is_some());
    }

    #[rstest]
    #[case::no_command("sensor-fleet")]
    #[case::report_without_period("sensor-fleet report --prometheus http://p --output o")]
    #[case::report_without_end("sensor-fleet report --prometheus http://p --output o --from 2023-10-01")]
    #[case::report_without_beginning("sensor-fleet report --prometheus http://p --output o --to 2023-10-01")]
    #[case::two_periods(
        "sensor-fleet report --prometheus http://p --output o --quarter 2023Q4 --from 2023-10-01 --to 2023-10-02"
    )]
    #[case::no_quarter("sensor-fleet report --prometheus http://p --output o --quarter 2023Q5")]
    #[case::no_day("sensor-fleet report --prometheus http://p --output o --from 2023-02-29 --to 2023-03-01")]
    #[case::no_zone(
        "sensor-fleet report --prometheus http://p --output o --quarter 2023Q4 --time-zone Nowhere"
    )]
    #[case::no_address("sensor-fleet report --prometheus p --output o --quarter 2023Q4")]
    #[case::no_port("sensor-fleet report --prometheus http://127.0.0.1:99999 --output o --quarter 2023Q4")]
    #[case::unpublished_aliases(
        "sensor-fleet report --prometheus http://p --output o --quarter 2023Q4 --aliases a"
    )]
    #[case::sources_of_nobody("sensor-fleet sources --port 23/tcp")]
    #[case::sources_of_both("sensor-fleet sources --agents a --files f")]
    #[case::sources_of_no_port("sensor-fleet sources --files f --port 023/tcp")]
    #[case::sources_of_no_tool("sensor-fleet sources --files f --tool hammer")]
    #[case::sources_of_no_time("sensor-fleet sources --files f --last 1y")]
    #[case::sources_of_two_times("sensor-fleet sources --files f --last 1h --from 2026-05-10")]
    #[case::sources_without_a_begin("sensor-fleet sources --files f --to 2026-05-10")]
    #[case::files_in_time("sensor-fleet sources --files f --timeout 5s")]
    #[case::two_forms("sensor-fleet sources --files f --json --csv")]
    #[case::unknown_command("sensor-fleet dance")]
    #[case::dashboards_nowhere("sensor-fleet dashboards")]
    fn wrong_use_exits_with_2(#[case] arguments: &str) {
        assert_eq!(parse(arguments).unwrap_err().exit_code(), 2);
    }

    #[rstest]
    #[case::help("sensor-fleet --help", ErrorKind::DisplayHelp, "sensor-fleet report --prometheus")]
    #[case::version("sensor-fleet --version", ErrorKind::DisplayVersion, env!("CARGO_PKG_VERSION"))]
    fn help_shows_examples(#[case] arguments: &str, #[case] kind: ErrorKind, #[case] contains: &str) {
        let shown = parse(arguments).unwrap_err();
        assert_eq!((shown.kind(), shown.exit_code()), (kind, 0));
        assert!(shown.to_string().contains(contains), "{shown}");
    }
}
