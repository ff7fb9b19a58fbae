//! As much of the `bpf` system call as tests need, without a library that the agent uses too.

use crate::pace::until;
use anyhow::Result;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

/// A program, map or link in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// A program, by its number.
    Program(u32),
    /// A map, by its number.
    Map(u32),
    /// A link, by its number.
    Link(u32),
}

/// The BPF objects that a process holds.
///
/// # Errors
/// If there is no such process, or it is somebody else's.
pub fn objects_of(pid: u32) -> Result<BTreeSet<Object>> {
    let mut objects = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        // A descriptor may be closed meanwhile.
        let Ok(text) = fs::read_to_string(entry?.path()) else { continue };
        for line in text.lines() {
            let Some((key, number)) = line.split_once(':') else { continue };
            let Ok(number) = number.trim().parse() else { continue };
            objects.extend(match key {
                "prog_id" => Some(Object::Program(number)),
                "map_id" => Some(Object::Map(number)),
                "link_id" => Some(Object::Link(number)),
                _ => None,
            });
        }
    }
    Ok(objects)
}

/// Waits until the kernel has freed all of them: that takes a moment after the last reference is gone.
///
/// # Errors
/// If one stays.
pub fn wait_until_freed(objects: &BTreeSet<Object>) -> Result<()> {
    objects
        .iter()
        .try_for_each(|object| until(|| Ok(!exists(*object)?), || format!("{object:?} is left behind")))
}

/// Lifts this process's limit of locked memory: before Linux 5.11 everybody's programs and maps count, those of
/// agents that run at the same time included.
pub fn lift_memory_limit() {
    let all = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the kernel only reads the limits. Without the right to lift them the next call says so.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const all) };
}

fn exists(object: Object) -> io::Result<bool> {
    const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;
    const BPF_MAP_GET_FD_BY_ID: libc::c_int = 14;
    const BPF_LINK_GET_FD_BY_ID: libc::c_int = 30;
    let (command, number) = match object {
        Object::Program(number) => (BPF_PROG_GET_FD_BY_ID, number),
        Object::Map(number) => (BPF_MAP_GET_FD_BY_ID, number),
        Object::Link(number) => (BPF_LINK_GET_FD_BY_ID, number),
    };
    // The number, then fields that stay 0.
    match call(command, &[number, 0, 0]) {
        Ok(_descriptor) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a `bpf` call that gives a descriptor. `attributes` are the leading fields of `union bpf_attr` that
/// belong to the command; what they point to must outlive the call.
pub(crate) fn call<T: Copy>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads as many bytes as it is told, which are there.
    let descriptor =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    let descriptor = i32::try_from(descriptor).map_err(io::Error::other)?;
    // SAFETY: the kernel has just given this descriptor to us, and to no one else.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
