//! `cargo xtask bench` runs this as root: it measures, shows one table, and writes what came of it beside a plot.

mod agent;
mod arrived;
mod clock;
mod configuration;
mod drain;
mod effort;
mod figure;
mod machine;
mod other;
mod path;
mod pinned;
mod plot;
mod processor;
mod programs;
mod sample;
mod sensor;
mod statistics;
mod table;
mod target;
mod traffic;
mod veth;

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use serde_json::json;

use crate::effort::Effort;
use crate::figure::{Figures, Section};
use crate::machine::Machine;
use crate::target::TARGETS;

/// Measures the sensor against what one would otherwise use.
#[derive(Parser)]
struct Arguments {
    /// Just enough to see that everything runs: a few seconds, and figures that mean nothing
    #[arg(long)]
    quick: bool,
    /// Measure only this; may be given again
    #[arg(long, value_enum, value_name = "NAME")]
    section: Vec<Section>,
    /// The agent to measure
    #[arg(long, value_name = "FILE")]
    agent: PathBuf,
    /// Another build of the agent, whose program is measured beside this one's
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Where to write the figures and the plot
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sensor-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "loading BPF programs and making namespaces need root");
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let machine = Machine::this()?;
    let sections = Section::ALL
        .iter()
        .filter(|section| arguments.section.is_empty() || arguments.section.contains(section));
    let against = arguments.against.as_deref();
    let mut figures = Figures::default();
    for section in sections {
        eprintln!("bench: {}", section.name());
        figures.0.extend(match section {
            Section::Processor => processor::measure(&effort)?,
            Section::Path => path::measure(&effort, against)?,
            Section::Veth => veth::measure(&effort, against)?,
            Section::Drain => drain::measure(&effort, &machine)?,
            Section::Agent => agent::measure(&effort, &machine, &arguments.agent)?,
        });
    }
    let judged = TARGETS.map(|target| target.judge(&figures));
    let caption = machine.caption();
    writeln!(io::stdout(), "{caption}\n\n{}", table::table(&figures, &judged))?;

    let report = json!({
        "machine": machine.to_json(),
        "quick": arguments.quick,
        "figures": figures.to_json(),
        "targets": judged.iter().map(target::Judged::to_json).collect::<Vec<_>>(),
    });
    let directory = &arguments.output;
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let figures_file = serde_json::to_string_pretty(&report)? + "\n";
    for (name, text) in [("bench.json", figures_file), ("bench.svg", plot::plot(&figures, &caption))] {
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(io::stdout(), "{}{}", if name == "bench.json" { "\n" } else { "" }, path.display())?;
    }
    Ok(())
}
