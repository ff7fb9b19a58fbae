//! The project's tasks: what a person or a CI job types after `cargo xtask`.

mod architecture;
mod bench;
mod build;
mod calibrate;
mod cargo;
mod cross;
mod dashboards;
mod demo;
mod package;
mod reproducible;
mod setup;
mod shell;
mod test;
mod vm;
mod world;

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
    Demo(demo::Options),
    /// Measure the sensor against what one would otherwise use: packets, drains, scrapes, memory
    Bench(bench::Bench),
    /// Measure how often a report finds surges, where there are some and where there are none
    Calibrate(calibrate::Calibrate),
    /// Write the fleet's Grafana dashboards
    Dashboards,
    /// Make the outlines of countries on the page's map anew, of Natural Earth's
    World,
    /// Run every test, those that need root included
    Test(test::Test),
    /// Pack what is installed: Debian packages, archives, bills of materials, checksums
    Package(package::Package),
    /// Build and pack twice, in two folders, and compare byte for byte
    Reproducible(reproducible::Reproducible),
    /// Build the agent for other processors and run the tests that need no kernel on emulated ones
    Cross(cross::Cross),
    /// Run the integration tests in virtual machines, on kernels from 5.10 to the newest
    Vm(vm::Vm),
}

fn main() -> ExitCode {
    let passed = |passed: bool| if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let done = match Xtask::parse().task {
        Task::Setup => setup::run().map(|()| ExitCode::SUCCESS),
        Task::Build => build::run().map(|()| ExitCode::SUCCESS),
        Task::Demo(demo) => demo::run(&demo).map(|()| ExitCode::SUCCESS),
        Task::Bench(bench) => bench::run(&bench).map(|()| ExitCode::SUCCESS),
        Task::Calibrate(calibrate) => calibrate::run(&calibrate).map(|()| ExitCode::SUCCESS),
        Task::Dashboards => dashboards::run().map(|()| ExitCode::SUCCESS),
        Task::Package(package) => package::run(&package).map(|()| ExitCode::SUCCESS),
        Task::Reproducible(reproducible) => reproducible::run(&reproducible).map(passed),
        Task::World => world::run().map(|()| ExitCode::SUCCESS),
        Task::Cross(cross) => cross::run(&cross).map(passed),
        Task::Test(test) => test::run(&test).map(passed),
        Task::Vm(vm) => vm::run(&vm).map(passed),
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}
