//! What the host must have before anything is tried: a new enough kernel and the capabilities.

use std::fs;

use super::version::Version;
use crate::obstacle::Obstacle;

/// Capabilities that loading and attaching take, by number (`include/uapi/linux/capability.h`).
const NEEDED: [(&str, u32); 3] = [("CAP_NET_ADMIN", CAP_NET_ADMIN), ("CAP_PERFMON", 38), ("CAP_BPF", 39)];
const CAP_NET_ADMIN: u32 = 12;
/// Stands for `CAP_PERFMON` and `CAP_BPF`.
const CAP_SYS_ADMIN: u32 = 21;

/// Refuses kernels that are too old.
///
/// # Errors
/// The kernel is older than 5.10, or does not say its version.
pub fn check_kernel() -> Result<(), Obstacle> {
    match Version::running() {
        Ok(version) if version >= Version::OLDEST => Ok(()),
        Ok(_) => Err(Obstacle::new(
            "the kernel is older than 5.10, the oldest that has what the sensor needs",
            "boot a newer one",
        )),
        Err(error) => Err(Obstacle::new(format!("{error:#}"), "mount /proc, and boot Linux 5.10 or newer")),
    }
}

/// Refuses to look at other processes' programs and links, and to detach them, without root's capabilities.
///
/// # Errors
/// One is missing.
pub fn check_privileges() -> Result<(), Obstacle> {
    let needed = 1 << CAP_SYS_ADMIN | 1 << CAP_NET_ADMIN;
    match effective_capabilities() {
        Some(effective) if effective & needed == needed => Ok(()),
        _ => {
            Err(Obstacle::new("only root can tell what is attached, and detach or confirm it", "run as root"))
        }
    }
}

/// Refuses to start without the capabilities that loading and attaching take.
///
/// # Errors
/// One is missing; the error names all that are.
pub fn check_capabilities() -> Result<(), Obstacle> {
    let Some(effective) = effective_capabilities() else {
        return Err(Obstacle::new(
            "/proc/self/status does not tell this process's capabilities",
            "mount /proc",
        ));
    };
    let has = |capability: u32| effective & (1 << capability) != 0;
    let covered = |&&(name, capability): &&(&str, u32)| {
        has(capability) || (name != "CAP_NET_ADMIN" && has(CAP_SYS_ADMIN))
    };
    let missing: Vec<_> = NEEDED.iter().filter(|needed| !covered(needed)).map(|&(name, _)| name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Obstacle::new(
        format!("attaching to a NIC needs {}", missing.join(", ")),
        format!("run as root, or grant {} to the service", if missing.len() == 1 { "it" } else { "them" }),
    ))
}

fn effective_capabilities() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

/// Whether the kernel takes programs for frames in several buffers.
pub(in crate::kernel) fn has_multi_buffer() -> bool {
    Version::running().is_ok_and(|version| version >= Version::MULTI_BUFFER)
}

/// Lifts the limit on locked memory on kernels that charge maps to it.
pub(in crate::kernel) fn lift_memory_limit() {
    if Version::running().is_ok_and(|version| version >= Version::CGROUP_ACCOUNTING) {
        return;
    }
    let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the call reads the struct, which outlives it.
    let failed = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const unlimited) } != 0;
    if failed {
        tracing::warn!("cannot lift the limit on locked memory: creating the counters may fail");
    }
}
