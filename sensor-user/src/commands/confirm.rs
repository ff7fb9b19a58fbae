//! `sensor confirm`: what `sensor run --confirm-within` attached stays.

use anyhow::{Result, anyhow, bail};

use crate::cli;
use crate::kernel::{Confirmation, Guard, Interface, check_privileges, detach_command_of, guard_of, is_ours};
use crate::obstacle::together;
use crate::output;

/// Confirms what is attached to the interfaces that are named; to all if none is.
///
/// # Errors
/// Nothing awaits a confirmation, or it comes too late.
pub fn run(arguments: &cli::Confirm) -> Result<()> {
    check_privileges()?;
    confirm(&arguments.interfaces)
}

/// Confirms what is attached to these interfaces; to all in this network namespace if none is named. Whatever fails,
/// the others are tried: they may still be in time.
///
/// # Errors
/// All that could not be confirmed.
fn confirm(names: &[String]) -> Result<()> {
    let mut failures = Vec::new();
    let mut interfaces = Vec::new();
    if names.is_empty() {
        interfaces = Interface::all()?;
    }
    for name in names {
        match Interface::named(name) {
            Ok(interface) => interfaces.push(interface),
            Err(error) => failures.push(error),
        }
    }
    let mut confirmed = 0;
    for interface in interfaces {
        match confirm_if_attached(&interface) {
            Ok(Some(awaited)) => confirmed += u32::from(awaited),
            Ok(None) if names.is_empty() => {}
            Ok(None) => failures.push(anyhow!(
                "no sensor is attached to {}: it was not, or it has undone itself",
                interface.name
            )),
            Err(error) => failures.push(error),
        }
    }
    together(failures)?;
    if confirmed == 0 {
        bail!("nothing awaits a confirmation here: it was confirmed before, or it has undone itself");
    }
    Ok(())
}

/// Whether what is attached had to be confirmed; `None` if no sensor is.
fn confirm_if_attached(interface: &Interface) -> Result<Option<bool>> {
    let guard = match interface.xdp {
        Some(xdp) if is_ours(xdp.program)? => guard_of(xdp.program)?,
        _ => None,
    };
    guard.map(|guard| confirm_one(interface, guard)).transpose()
}

/// Whether it had to be.
fn confirm_one(interface: &Interface, mut guard: Guard) -> Result<bool> {
    let name = &interface.name;
    match guard.confirmation()? {
        Confirmation::Given => Ok(false),
        Confirmation::Missed => bail!(
            "too late for {name}: the time is over, and the sensor lets everything pass; start it again, or \
             remove it with {}",
            detach_command_of(interface)
        ),
        Confirmation::Awaited(left) => {
            guard.confirm()?;
            output::say(&format!(
                "confirmed: the sensor stays on {name} ({:.0} s were left)",
                left.as_secs_f64()
            ));
            Ok(true)
        }
    }
}
