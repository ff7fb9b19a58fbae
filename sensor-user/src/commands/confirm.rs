//! `sensor confirm`: what `sensor run --confirm-within` attached stays.

use anyhow::{Result, bail};

use crate::cli;
use crate::kernel::{Confirmation, Guard, Interface, check_privileges, guard_of, is_ours};
use crate::output;

/// Confirms what is attached to the interfaces that are named; to all if none is.
///
/// # Errors
/// Nothing awaits a confirmation, or it comes too late.
pub fn run(arguments: &cli::Confirm) -> Result<()> {
    check_privileges()?;
    confirm(&arguments.interfaces)
}

/// Confirms what is attached to these interfaces; to all in this network namespace if none is named.
///
/// # Errors
/// Nothing awaits a confirmation, or it comes too late.
fn confirm(names: &[String]) -> Result<()> {
    let interfaces = if names.is_empty() {
        Interface::all()?
    } else {
        let mut interfaces = Vec::new();
        for name in names {
            interfaces.push(Interface::named(name)?);
        }
        interfaces
    };
    let mut confirmed = 0;
    let mut missed = Ok(());
    for interface in interfaces {
        let guard = match interface.xdp {
            Some(xdp) if is_ours(xdp.program)? => guard_of(xdp.program)?,
            _ => None,
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
            output::say(&format!("confirmed: the sensor stays on {name} ({} s were left)", left.as_secs()));
            Ok(true)
        }
    }
}
