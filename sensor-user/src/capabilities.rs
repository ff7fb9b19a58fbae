//! Capabilities that the agent gives up once it has looked who is logged in.
//!
//! A thread has its own capabilities, and hands them to the threads that it starts: so the look and the giving up are done
//! before there are others.

use anyhow::{Context as _, Result};
use caps::{CapSet, Capability};

use crate::preflight::Logins;

/// What looking into other users' processes takes, and nothing else does.
const LOOKING: [Capability; 2] = [Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH];

/// The sets that they are taken from; what is not permitted can never become effective again.
const SETS: [CapSet; 4] = [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted];

/// Looks who is logged in, for the preflight of the start, and gives up what that takes. Root, who can have it back
/// at any time, keeps it: a reload then looks as well as the start did.
///
/// # Errors
/// The kernel does not take it.
pub fn give_up() -> Result<()> {
    // SAFETY: geteuid takes no arguments, touches no memory and always succeeds.
    if unsafe { libc::geteuid() } == 0 {
        return Ok(());
    }
    Logins::look_ahead();
    for set in SETS {
        for capability in LOOKING {
            let has =
                caps::has_cap(None, set, capability).context("cannot ask for this thread's capabilities")?;
            if has {
                caps::drop(None, set, capability).with_context(|| format!("cannot give up {capability}"))?;
            }
        }
    }
    Ok(())
}
