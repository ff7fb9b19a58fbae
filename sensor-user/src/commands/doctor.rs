//! `sensor doctor`: prints what the host and its NICs can do, and whether an agent could write where it is to.

use anyhow::{Result, bail};

use crate::cli;
use crate::config::Config;
use crate::doctor::{Finding, Places, Severity, examine, show};
use crate::kernel::check_names;
use crate::output;

/// Looks at the host and the interfaces, those of the configuration if there is one, and prints what it finds.
///
/// # Errors
/// Something prevents the sensor from running.
pub fn run(arguments: &cli::Doctor, config: Option<&Config>) -> Result<()> {
    let interfaces = config.map_or(&arguments.interfaces, |config| &config.interfaces);
    check_names(&arguments.pins)?;
    let diagnosis = examine(interfaces, &Places::of(&arguments.pins, config))?;
    let text = if arguments.json { show::json(&diagnosis)? } else { show::table(&diagnosis) };
    output::print(&text)?;
    let is_problem = |finding: &&Finding| finding.severity == Severity::Problem;
    let of_interfaces = diagnosis.interfaces.iter().flat_map(|interface| {
        let problems = interface.findings.iter().filter(is_problem);
        problems.map(|finding| format!("{} of {}", finding.check, interface.name))
    });
    let of_host = diagnosis.host.iter().filter(is_problem).map(|finding| finding.check.to_owned());
    let problems: Vec<_> = of_interfaces.chain(of_host).collect();
    if !problems.is_empty() {
        bail!("the sensor cannot run there before this is mended: {}", problems.join(", "));
    }
    Ok(())
}
