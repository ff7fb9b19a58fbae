//! `sensor detach` and `sensor confirm`: what can be done about an attached sensor without its agent, its
//! configuration or its pins.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::guard::{Confirmation, Guard};
use super::link::Link;
use super::netlink::{Interface, Netlink};
use super::{egress, own, pins};

/// Detaches the sensor from an interface, whoever attached it, and removes what is pinned for it below `root`.
///
/// # Errors
/// Another program is attached there, or the kernel refuses.
pub async fn detach(netlink: &Netlink, name: &str, root: &Path) -> Result<()> {
    let interface = netlink.interface(name).await?;
    let attached = interface.xdp.map(|xdp| xdp.program);
    match attached {
        Some(program) if own::is_ours(program) => detach_xdp(&interface, program)?,
        Some(program) => {
            tracing::warn!("interface {name} has the XDP program {program}, which is no sensor's: it stays");
        }
        None => {}
    }
    egress::detach(&interface)?;
    for directory in pins::clean(root)? {
        println!("removed the counters in {}", directory.display());
    }
    let left = netlink.interface(name).await?.xdp.map(|xdp| xdp.program);
    match left {
        Some(program) if own::is_ours(program) => bail!("{name} still has the program {program}"),
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

/// Confirms what is attached to these interfaces; to all in this network namespace if none is named.
///
/// # Errors
/// Nothing awaits a confirmation, or it comes too late.
pub async fn confirm(netlink: &Netlink, names: &[String]) -> Result<()> {
    let interfaces = if names.is_empty() {
        netlink.interfaces().await?
    } else {
        let mut interfaces = Vec::new();
        for name in names {
            interfaces.push(netlink.interface(name).await?);
        }
        interfaces
    };
    let mut confirmed = 0;
    let mut missed = Ok(());
    for interface in interfaces {
        let program = interface.xdp.map(|xdp| xdp.program).filter(|&program| own::is_ours(program));
        let guard = match program {
            Some(program) => own::guard_of(program)?,
            None => None,
        };
        if let Some(guard) = guard {
            match confirm_one(&interface.name, guard) {
                Ok(awaited) => confirmed += u32::from(awaited),
                // The others may still be in time.
                Err(error) => missed = Err(error),
            }
        } else if !names.is_empty() {
            bail!("no sensor is attached to {}: it was not, or it has undone itself", interface.name);
        }
    }
    missed?;
    if confirmed == 0 {
        bail!("nothing awaits a confirmation here: it was confirmed before, or it has undone itself");
    }
    Ok(())
}

/// Whether it had to be.
fn confirm_one(name: &str, mut guard: Guard) -> Result<bool> {
    match guard.confirmation()? {
        Confirmation::Given => Ok(false),
        Confirmation::Missed => bail!(
            "too late for {name}: the time is over, and the sensor lets everything pass; start it again, or \
             remove it with `sensor detach --interface {name}`"
        ),
        Confirmation::Awaited(left) => {
            guard.confirm()?;
            println!("confirmed: the sensor stays on {name} ({} s were left)", left.as_secs());
            Ok(true)
        }
    }
}
