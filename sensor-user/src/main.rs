//! `sensor`: dispatches the command line and turns errors into exit codes.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "`output` prints")]

use std::process::ExitCode;

use clap::Parser;
use sensor_user::cli::{Cli, Command};
use sensor_user::commands::{
    check, confirm, detach, doctor, evidence, notices, reload, run, setup, sources, status, top,
};
use sensor_user::config::{Config, Input};
use sensor_user::obstacle::{WrongUse, in_words};
use sensor_user::{capabilities, log, output};

/// It could not be done.
const FAILED: u8 = 1;
/// It was not asked for in a way that can be done.
const WRONG_USE: u8 = 2;

fn main() -> ExitCode {
    output::start();
    let code = dispatch();
    output::finish();
    code
}

fn dispatch() -> ExitCode {
    let cli = Cli::parse();
    log::to_stderr(cli.log.as_deref());
    match cli.command {
        // Before there are threads, which would keep them, and before files are read, which a reload will read without.
        Command::Run(arguments) => match capabilities::give_up() {
            Ok(()) => with_config(arguments.input(), |config| {
                run::run(config, arguments.input(), arguments.attach_options())
            }),
            Err(error) => finish(Err(error)),
        },
        Command::Check(arguments) => {
            with_config(arguments.input(), |config| check::run(&config, &arguments.attach_options()))
        }
        Command::Doctor(arguments) => match arguments.input() {
            Some(input) => with_config(input, |config| doctor::run(&arguments, Some(&config))),
            None => finish(doctor::run(&arguments, None)),
        },
        Command::Confirm(arguments) => finish(confirm::run(&arguments)),
        Command::Status(arguments) => finish(status::run(&arguments)),
        Command::Evidence(arguments) => finish(evidence::run(&arguments)),
        Command::Sources(arguments) => finish(sources::sources(&arguments)),
        Command::Source(arguments) => finish(sources::source(&arguments)),
        Command::Scans(arguments) => finish(sources::scans(&arguments)),
        Command::Victims(arguments) => finish(sources::victims(&arguments)),
        Command::Notices(arguments) => finish(notices::run(&arguments)),
        Command::Tuples(arguments) => finish(sources::tuples(&arguments)),
        Command::Counts(arguments) => finish(sources::counts(&arguments)),
        Command::Setup(arguments) => finish(setup::run(&arguments)),
        Command::Top(arguments) => finish(top::run(&arguments)),
        Command::Reload(arguments) => finish(reload::run(&arguments)),
        Command::Detach(arguments) => finish(detach::run(&arguments)),
    }
}

/// Does something with the configuration, or says what is wrong with it.
fn with_config(input: Input, work: impl FnOnce(Config) -> anyhow::Result<()>) -> ExitCode {
    match Config::load(input) {
        Ok(config) => finish(work(config)),
        Err(error) => {
            for line in error.lines() {
                output::complain(line);
            }
            ExitCode::from(WRONG_USE)
        }
    }
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Lines after the first are to be pasted.
            output::complain(&in_words(&error));
            ExitCode::from(if WrongUse::is_behind(&error) { WRONG_USE } else { FAILED })
        }
    }
}
