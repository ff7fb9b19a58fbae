//! `cargo xtask demo` builds this and runs it as root: the sensor at work on real packets, with nothing else at hand.

mod capture;
mod demo;
mod lists;
mod options;
mod ranking;
mod reconcile;
mod screen;
mod source;
mod traffic;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::options::Options;

/// Shows the sensor at work: a private namespace, real packets, the ranking and the metrics.
#[derive(Parser)]
#[command(bin_name = "cargo xtask demo")]
struct Arguments {
    /// The agent to show
    #[arg(long, value_name = "FILE")]
    agent: PathBuf,
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    let Arguments { agent, options } = Arguments::parse();
    match demo::run(&options, &agent) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sensor-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
