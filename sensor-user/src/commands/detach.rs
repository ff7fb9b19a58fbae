//! `sensor detach`: what can be done about an attached sensor without its agent or its configuration.
//!
//! Whatever fails, everything else is still tried: this is how an operator who is cut off gets back in.

use std::path::Path;

use anyhow::{Context, Error, Result, bail};

use crate::kernel::{
    Interface, Link, Root, check_names, check_privileges, clean, detach_command, detach_egress, is_ours,
};
use crate::obstacle::together;
use crate::{cli, output, socket};

/// Detaches from every interface that is named, and removes what is pinned for nothing any more.
///
/// # Errors
/// All that could not be done, in one line.
pub fn run(arguments: &cli::Detach) -> Result<()> {
    check_privileges()?;
    let mut failures: Vec<_> =
        arguments.interfaces.iter().filter_map(|interface| detach(interface).err()).collect();
    failures.extend(check_names(&arguments.pins).err());
    failures.extend(remove_pins(&arguments.pins));
    tell_of_others(&arguments.pins, &arguments.interfaces);
    together(failures)
}

/// Detaches the sensor from an interface, whoever attached it.
fn detach(name: &str) -> Result<()> {
    let interface = Interface::named(name)?;
    let name = &interface.name;
    let attached = interface.xdp.map(|xdp| xdp.program);
    let ours = match attached {
        Some(program) => is_ours(program)?.then_some(program),
        None => None,
    };
    // An agent that keeps it attached must know that a person wants it gone.
    for failure in socket::detach(interface.index) {
        tracing::warn!("an agent may attach to {name} again: {failure:#}");
    }
    match (ours, attached) {
        (Some(program), _) => detach_xdp(&interface, program)?,
        (None, Some(program)) => {
            tracing::warn!("interface {name} has the XDP program {program}, which is no sensor's: it stays");
        }
        (None, None) => {}
    }
    detach_egress(&interface)?;
    let left = Interface::of_number(interface.index)?.and_then(|interface| interface.xdp);
    match left.map(|xdp| xdp.program) {
        Some(program) if is_ours(program)? => bail!("{name} still has the program {program}"),
        left if left != attached => output::say(&format!("detached from {name}")),
        _ => output::say(&format!("no sensor was attached to {name}")),
    }
    Ok(())
}

/// Each link, even if one of them fails.
fn detach_xdp(interface: &Interface, program: u32) -> Result<()> {
    let name = &interface.name;
    let links = Link::all_of(program, interface.index)
        .context("cannot list BPF links: run as root, or grant CAP_SYS_ADMIN")?;
    let mut detached = Ok(());
    for link in links {
        detached = detached.and(link.detach());
    }
    detached.with_context(|| format!("cannot detach from {name}"))
}

/// Says what sensors have pinned elsewhere: it is not theirs that was asked for.
fn tell_of_others(pins: &Path, interfaces: &[String]) {
    let names: Vec<_> = interfaces.iter().map(String::as_str).collect();
    for root in Root::all().into_iter().filter(|root| root.path != pins) {
        let directory = root.path.display();
        if root.is_at_work {
            let command = root.detach_command();
            let place = if root.interfaces.is_empty() { ", in its network namespace," } else { "" };
            output::say(&format!(
                "another sensor's program and counters are pinned in {directory}: {command}{place} ends it"
            ));
        } else {
            let command = detach_command(&names, &root.path);
            let once = if root.has_agent() { " once its agent has stopped" } else { "" };
            output::say(&format!(
                "counters of a sensor that is attached nowhere are left in {directory}: {command} removes them{once}"
            ));
        }
    }
}

/// What could not be removed.
fn remove_pins(root: &Path) -> Vec<Error> {
    let cleaned = clean(root);
    for directory in cleaned.gone {
        output::say(&format!("removed the counters in {}", directory.display()));
    }
    cleaned.failures
}
