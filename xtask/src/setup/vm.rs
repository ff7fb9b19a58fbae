//! Programs that virtual machines are made with: QEMU, and what packs their first file system.

use anyhow::Result;

use super::{Report, tools};

/// Finds or brings all of them.
///
/// # Errors
/// When one is missing and cannot be brought: which, and how to get it.
pub fn bring(report: &mut Report) -> Result<()> {
    for (program, package) in [
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("xz", "xz-utils"),
        ("strip", "binutils"),
        ("ldd", "libc-bin"),
        ("tc", "iproute2"),
        ("setpriv", "util-linux"),
    ] {
        tools::installed(program, &[package], report)?;
    }
    Ok(())
}
