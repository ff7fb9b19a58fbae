//! `sensor-fleet`: dispatches the command line and turns errors into exit codes.

use std::process::ExitCode;

use clap::Parser;
use sensor_fleet::cli::{Cli, Command};
use sensor_fleet::{dashboards, report, simulate};

/// It could not be done.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Report(arguments) => report::run(&arguments),
        Command::Dashboards(arguments) => dashboards::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sensor-fleet: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}
