//! `cargo xtask demo`: builds the agent, and the program that shows it at work, and runs that as root.

#[path = "../demo/src/options.rs"]
mod options;

use std::env;
use std::fs::File;
use std::os::unix::process::CommandExt as _;

use anyhow::{Context, Result};

use crate::cargo::{self, Build};
use crate::{build, shell};

pub use options::Options;

/// Runs the demo in this program's place.
///
/// # Errors
/// When something does not build, or this is not root and cannot become it.
pub fn run(options: &Options) -> Result<()> {
    // Building takes minutes the first time.
    if let Some(capture) = &options.pcap {
        File::open(capture).with_context(|| format!("cannot open the capture {}", capture.display()))?;
    }
    let demo = Build::start(&["--package", "sensor-demo", "--bin", "sensor-demo"])?;
    let agent = build::agent()?;
    let built = demo.finish()?;
    if !shell::is_root() {
        println!("Network namespaces and XDP need root: going on through sudo.");
    }
    let mut demo = shell::as_root(cargo::program("sensor-demo", &built)?)?;
    let error = demo.arg("--agent").arg(agent).args(env::args_os().skip(2)).exec();
    Err(error).context("cannot run the demo")
}
