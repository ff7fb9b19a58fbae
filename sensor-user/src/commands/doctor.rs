//! `sensor doctor`: prints what the host and its NICs can do.

use std::io::{self, Write as _};

use anyhow::{Context, Result, bail};

use crate::cli;
use crate::doctor::{Verdict, examine, show};

/// Looks at the host and the interfaces, and prints what it finds.
///
/// # Errors
/// An interface is not there, or something prevents the sensor from running.
pub fn run(arguments: &cli::Doctor) -> Result<()> {
    let report = examine(&arguments.interfaces)?;
    let text = if arguments.json { show::json(&report)? } else { show::table(&report) };
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
    let all = report.interfaces.iter().flat_map(|interface| &interface.findings).chain(&report.host);
    let problems: Vec<_> =
        all.filter(|finding| finding.verdict == Verdict::Problem).map(|finding| finding.check).collect();
    if !problems.is_empty() {
        bail!("the sensor cannot run before this is mended: {}", problems.join(", "));
    }
    Ok(())
}
