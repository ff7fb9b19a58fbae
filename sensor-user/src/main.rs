//! `sensor`: dispatches the command line and turns errors into exit codes.

use std::process::ExitCode;

use clap::Parser;
use sensor_user::cli::{Cli, Command};
use sensor_user::config::Config;
use sensor_user::run;

/// It could not be done.
const FAILED: u8 = 1;
/// It was not asked for in a way that can be done.
const WRONG_USE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    run::log_to_stderr(cli.log.as_deref());
    match cli.command {
        Command::Run(flags) => match Config::load(flags) {
            Ok(config) => finish(run::run(config)),
            Err(error) => {
                for line in error.lines() {
                    eprintln!("sensor: {line}");
                }
                ExitCode::from(WRONG_USE)
            }
        },
    }
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sensor: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}
