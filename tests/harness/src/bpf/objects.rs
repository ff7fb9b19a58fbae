//! BPF objects: which ones a process holds, and whether the kernel has freed them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Context as _, Result};

use super::{call, descriptor};
use crate::pace::until;

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

/// Detaches a link by its number, as `bpftool link detach` does.
///
/// # Errors
/// There is no such link, or the kernel refuses.
pub fn detach_link(number: u32) -> Result<()> {
    const BPF_LINK_DETACH: libc::c_int = 34;
    let link = descriptor(call(BPF_LINK_GET_FD_BY_ID, &mut [number, 0, 0]))?;
    call(BPF_LINK_DETACH, &mut [link.as_raw_fd()])?;
    Ok(())
}

/// Opens a program by its number.
///
/// # Errors
/// There is no such program, or without root.
pub fn program(number: u32) -> Result<OwnedFd> {
    descriptor(call(BPF_PROG_GET_FD_BY_ID, &mut [number, 0, 0]))
        .with_context(|| format!("cannot open the program {number}"))
}

const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;
const BPF_LINK_GET_FD_BY_ID: libc::c_int = 30;

fn exists(object: Object) -> io::Result<bool> {
    const BPF_MAP_GET_FD_BY_ID: libc::c_int = 14;
    let (command, number) = match object {
        Object::Program(number) => (BPF_PROG_GET_FD_BY_ID, number),
        Object::Map(number) => (BPF_MAP_GET_FD_BY_ID, number),
        Object::Link(number) => (BPF_LINK_GET_FD_BY_ID, number),
    };
    // The number, then fields that stay 0.
    match descriptor(call(command, &mut [number, 0, 0])) {
        Ok(_descriptor) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}
