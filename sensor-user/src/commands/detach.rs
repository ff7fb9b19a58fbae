//! `sensor detach`: what can be done about an attached sensor without its agent or its configuration.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::run::block_on;
use crate::cli;
use crate::kernel::{Interface, Link, Netlink, clean, detach_egress, is_ours};

/// Detaches from every interface that is named.
///
/// # Errors
/// The kernel refuses.
pub fn run(arguments: &cli::Detach) -> Result<()> {
    block_on(async {
        let netlink = Netlink::connect()?;
        for interface in &arguments.interfaces {
            detach(&netlink, interface, &arguments.pins).await?;
        }
        Ok(())
    })
}

/// Detaches the sensor from an interface, whoever attached it, and removes what is pinned for it below `root`.
///
/// # Errors
/// Another program is attached there, or the kernel refuses.
async fn detach(netlink: &Netlink, name: &str, root: &Path) -> Result<()> {
    let interface = netlink.interface(name).await?;
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
        println!("removed the counters in {}", directory.display());
    }
    let left = netlink.interface(name).await?.xdp.map(|xdp| xdp.program);
    match left {
        Some(program) if is_ours(program) => bail!("{name} still has the program {program}"),
        _ if attached != left => println!("detached from {name}"),
        _ => println!("no sensor was attached to {name}"),
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
