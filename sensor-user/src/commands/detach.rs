//! `sensor detach`: what can be done about an attached sensor without its agent or its configuration.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cli;
use crate::kernel::{Interface, Link, clean, detach_egress, is_ours};
use crate::output;

/// Detaches from every interface that is named.
///
/// # Errors
/// The kernel refuses.
pub fn run(arguments: &cli::Detach) -> Result<()> {
    for interface in &arguments.interfaces {
        detach(interface, &arguments.pins)?;
    }
    Ok(())
}

/// Detaches the sensor from an interface, whoever attached it, and removes what is pinned for it below `root`.
///
/// # Errors
/// Another program is attached there, or the kernel refuses.
fn detach(name: &str, root: &Path) -> Result<()> {
    let interface = Interface::named(name)?;
    let attached = interface.xdp.map(|xdp| xdp.program);
    match attached {
        Some(program) if is_ours(program) => detach_xdp(&interface, program)?,
        Some(program) => {
            tracing::warn!("interface {name} has the XDP program {program}, which is no sensor's: it stays");
        }
        None => {}
    }
    detach_egress(&interface)?;
    for directory in clean(root)? {
        output::say(&format!("removed the counters in {}", directory.display()));
    }
    let left = Interface::named(name)?.xdp.map(|xdp| xdp.program);
    match left {
        Some(program) if is_ours(program) => bail!("{name} still has the program {program}"),
        _ if attached != left => output::say(&format!("detached from {name}")),
        _ => output::say(&format!("no sensor was attached to {name}")),
    }
    Ok(())
}

fn detach_xdp(interface: &Interface, program: u32) -> Result<()> {
    let name = &interface.name;
    let links = Link::all_of(program, interface.index)
        .context("cannot list BPF links: run as root, or grant CAP_SYS_ADMIN")?;
    for link in links {
        link.detach().with_context(|| format!("cannot detach from {name}"))?;
    }
    Ok(())
}
