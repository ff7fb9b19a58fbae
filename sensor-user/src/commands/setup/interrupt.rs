//! Ctrl-C and SIGTERM, from when there is something to undo on: whoever waits is told, and undoes it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};

/// Whether one has come.
static CAUGHT: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_signal: libc::c_int) {
    CAUGHT.store(true, Ordering::Relaxed);
}

/// Catches them from here on. The end of the session that this was typed in is no reason to end: a mistake has cut it
/// off, or the confirmation comes by another.
///
/// # Errors
/// The kernel refuses.
pub(super) fn catch() -> Result<()> {
    let handler = note as extern "C" fn(libc::c_int) as libc::sighandler_t;
    for (signal, to) in [(libc::SIGINT, handler), (libc::SIGTERM, handler), (libc::SIGHUP, libc::SIG_IGN)] {
        // SAFETY: the handler stores a flag, which one may at any moment, and does nothing else.
        if unsafe { libc::signal(signal, to) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error()).context("cannot handle signals");
        }
    }
    Ok(())
}

/// Whether to go on.
///
/// # Errors
/// One has come.
pub(super) fn check() -> Result<()> {
    if CAUGHT.load(Ordering::Relaxed) {
        bail!("interrupted before it was confirmed");
    }
    Ok(())
}
