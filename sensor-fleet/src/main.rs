//! `sensor-fleet`: dispatches the command line and turns errors into exit codes.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "`output` prints")]

use std::process::ExitCode;

use clap::Parser;
use sensor_fleet::cli::{Cli, Command};
use sensor_fleet::{calibrate, dashboards, output, report, simulate, sources};

/// It could not be done.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Report(arguments) => report::run(&arguments),
        Command::Sources(arguments) => sources::run(&arguments),
        Command::Dashboards(arguments) => dashboards::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Calibrate(arguments) => calibrate::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("{error:#}"));
            ExitCode::from(FAILED)
        }
    }
}
