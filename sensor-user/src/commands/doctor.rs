//! `sensor doctor`: prints what the host and its NICs can do.

use anyhow::{Result, bail};

use crate::cli;
use crate::doctor::{Severity, examine, show};
use crate::output;

/// Looks at the host and the interfaces, and prints what it finds.
///
/// # Errors
/// An interface is not there, or something prevents the sensor from running.
pub fn run(arguments: &cli::Doctor) -> Result<()> {
    let diagnosis = examine(&arguments.interfaces)?;
    let text = if arguments.json { show::json(&diagnosis)? } else { show::table(&diagnosis) };
    output::print(&text)?;
    let all = diagnosis.interfaces.iter().flat_map(|interface| &interface.findings).chain(&diagnosis.host);
    let problems: Vec<_> =
        all.filter(|finding| finding.severity == Severity::Problem).map(|finding| finding.check).collect();
    if !problems.is_empty() {
        bail!("the sensor cannot run before this is mended: {}", problems.join(", "));
    }
    Ok(())
}
