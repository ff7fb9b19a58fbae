//! The project's tasks: what a person or a CI job types after `cargo xtask`.

mod build;
mod cargo;
mod demo;
mod setup;
mod shell;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, shows and tests the sensor.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Bring whatever building and testing need and this machine lacks; the other tasks call it
    Setup,
    /// Build the XDP programs and the agent that embeds them
    Build,
    /// Show the sensor at work: a private namespace, real packets, the ranking and the metrics
    Demo(demo::Demo),
    /// Run every test, those that need root included
    Test(test::Test),
}

fn main() -> ExitCode {
    let done = match Xtask::parse().task {
        Task::Setup => setup::run(),
        Task::Build => build::run(),
        Task::Demo(demo) => demo::run(&demo),
        Task::Test(test) => match test::run(&test) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
