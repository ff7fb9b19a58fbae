//! Programs that virtual machines are made with: QEMU, what packs their first file system, and what is put into it.

use anyhow::Result;

use super::{Report, tools};

/// Finds or brings all of them.
///
/// # Errors
/// When one is missing and cannot be brought: which, and how to get it.
pub fn bring(report: &mut Report) -> Result<()> {
    for (program, package) in [
        ("qemu-system-x86_64", "qemu-system-x86"),
        // Distributions compress modules in different ways.
        ("xz", "xz-utils"),
        ("zstd", "zstd"),
        ("gzip", "gzip"),
        ("strip", "binutils"),
        ("ldd", "libc-bin"),
        ("ip", "iproute2"),
        ("tc", "iproute2"),
        ("setpriv", "util-linux"),
        ("prlimit", "util-linux"),
        ("unshare", "util-linux"),
        ("mount", "mount"),
        ("cp", "coreutils"),
    ] {
        tools::installed(program, &[package], report)?;
    }
    Ok(())
}
