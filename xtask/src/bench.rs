//! `cargo xtask bench`: builds the benchmark and the agent for release, and runs it as root.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::cargo::{self, Build, Target};
use crate::{build, setup, shell};

/// What `cargo xtask bench` takes.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench --section path --section veth\n\n\
                        Leave the machine alone meanwhile: it takes some minutes."
)]
pub struct Bench {
    /// Just enough to see that everything runs: a few seconds, and figures that mean little
    #[arg(long)]
    quick: bool,
    /// Measure only this, one of processor, path, veth, drain and agent; may be given again
    #[arg(long, value_name = "NAME")]
    section: Vec<String>,
    /// Another build of the agent, whose program is measured beside this one's
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Where to write bench.json and bench.svg [default: target/bench]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// When it does not build, is not root and cannot become it, or measures something else than it should.
pub fn run(bench: &Bench) -> Result<()> {
    setup::for_benchmark()?;
    let agent = build::agent()?;
    let built = Build::statically(
        &Target::here()?,
        &["--release", "--package", "sensor-bench", "--bin", "sensor-bench"],
    )?
    .finish()?;
    let mut command = shell::as_root(cargo::program("sensor-bench", &built)?)?;
    let output = bench.output.clone().unwrap_or_else(|| shell::workspace().join("target/bench"));
    command.arg("--agent").arg(agent).arg("--output").arg(output);
    if bench.quick {
        command.arg("--quick");
    }
    if let Some(other) = &bench.against {
        command.arg("--against").arg(other);
    }
    for section in &bench.section {
        command.args(["--section", section]);
    }
    let status = command.status().context("cannot run the benchmark")?;
    ensure!(status.success(), "the benchmark failed ({status})");
    Ok(())
}
