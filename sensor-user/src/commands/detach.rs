//! `sensor detach`: what can be done about an attached sensor without its agent or its configuration.
//!
//! Whatever fails, everything else is still tried: this is how an operator who is cut off gets back in.

use std::path::Path;

use anyhow::{Context, Error, Result, anyhow, bail};

use crate::kernel::{
    Interface, Link, Root, check_names, check_privileges, clean, detach_command, detach_egress, is_ours,
};
use crate::obstacle::together;
use crate::{cli, output, socket};

/// Detaches from every interface that is named, or from all, and removes what is pinned for nothing any more.
///
/// # Errors
/// All that could not be done, in one line.
pub fn run(arguments: &cli::Detach) -> Result<()> {
    if arguments.all {
        return detach_all();
    }
    check_privileges()?;
    let mut failures: Vec<_> =
        arguments.interfaces.iter().filter_map(|interface| detach_named(interface).err()).collect();
    failures.extend(check_names(&arguments.pins).err());
    failures.extend(remove_pins(&arguments.pins));
    tell_of_others(&arguments.pins, &arguments.interfaces);
    together(failures)
}

/// Detaches from an interface, and says what became of it.
fn detach_named(name: &str) -> Result<()> {
    let interface = Interface::named(name)?;
    let name = &interface.name;
    output::say(&if detach(&interface)? {
        format!("detached from {name}")
    } else {
        format!("no sensor was attached to {name}")
    });
    Ok(())
}

/// Detaches from every interface of this network namespace, and of others what is pinned, and removes all pins.
fn detach_all() -> Result<()> {
    let interfaces = Interface::all()?;
    let roots = Root::all();
    // Where nothing can be attached, as in a container that may attach nothing, there is nothing to be kept from.
    if roots.is_empty() && interfaces.iter().all(|interface| interface.xdp.is_none()) {
        output::say("no sensor is attached here");
        return Ok(());
    }
    check_privileges()?;
    // With its pins goes the lock by which an agent is known.
    let with_agents: Vec<&Root> = roots.iter().filter(|root| root.has_agent()).collect();
    let mut failures = Vec::new();
    for interface in &interfaces {
        match detach(interface) {
            Ok(true) => output::say(&format!("detached from {}", interface.name)),
            Ok(false) => {}
            Err(error) => failures.push(error),
        }
    }
    for root in &roots {
        failures.extend(root.detach().err());
        failures.extend(remove_pins(&root.path));
    }
    for root in with_agents {
        failures.push(anyhow!(
            "an agent works with what was pinned in {}, and may attach again: stop it, and try again",
            root.path.display()
        ));
    }
    for left in Root::all().iter().filter(|root| root.is_at_work) {
        failures.push(anyhow!(
            "a program is attached again by what is pinned in {}: stop its agent, and try again",
            left.path.display()
        ));
    }
    together(failures)
}

/// Detaches the sensor from an interface, whoever attached it; whether one was.
fn detach(interface: &Interface) -> Result<bool> {
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
        (Some(program), _) => detach_xdp(interface, program)?,
        (None, Some(program)) => {
            tracing::warn!("interface {name} has the XDP program {program}, which is no sensor's: it stays");
        }
        (None, None) => {}
    }
    detach_egress(interface)?;
    let left = Interface::of_number(interface.index)?.and_then(|interface| interface.xdp);
    match left.map(|xdp| xdp.program) {
        Some(program) if is_ours(program)? => bail!("{name} still has the program {program}"),
        left => Ok(left != attached),
    }
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
