//! Elements of per-CPU arrays, read into memory that is used again and again.
//!
//! aya's own lookup takes new memory for each element, copies it once more, and reads from /sys how many CPUs there
//! are: it takes about twice as long.

use std::io;
use std::marker::PhantomData;
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use aya::Pod;
use aya::util::nr_cpus;

use super::pinned::Pinned;
use crate::kernel::syscall::{bpf, descriptor, split};

/// A per-CPU array of which each CPU's elements are a `T`.
pub(super) struct PerCpu<T> {
    pinned: Pinned,
    of: PhantomData<T>,
}

impl<T: Pod> PerCpu<T> {
    /// A map that was seen to be laid out like this.
    pub(super) const fn new(pinned: Pinned) -> Self {
        // The kernel rounds up to this.
        const { assert!(size_of::<T>().is_multiple_of(8)) }
        Self { pinned, of: PhantomData }
    }

    /// The map.
    pub(super) const fn pinned(&self) -> &Pinned {
        &self.pinned
    }

    /// Reads what each CPU has of an element; `per_cpu` has room for [`cpus`].
    ///
    /// # Errors
    /// There is no such element.
    pub(super) fn read(&self, index: u32, per_cpu: &mut [T]) -> io::Result<()> {
        // `enum bpf_cmd`
        const MAP_LOOKUP_ELEM: u32 = 1;
        self.call(MAP_LOOKUP_ELEM, index, per_cpu.as_mut_ptr() as u64)
    }

    /// Sets an element to what each CPU is to have of it; `per_cpu` is of [`cpus`].
    ///
    /// # Errors
    /// There is no such element.
    pub(super) fn write(&self, index: u32, per_cpu: &[T]) -> io::Result<()> {
        const MAP_UPDATE_ELEM: u32 = 2;
        self.call(MAP_UPDATE_ELEM, index, per_cpu.as_ptr() as u64)
    }

    fn call(&self, command: u32, index: u32, values: u64) -> io::Result<()> {
        let map = descriptor(self.pinned.map.fd().as_fd());
        let (key, value) = (split((&raw const index) as u64), split(values));
        // struct { map_fd; __aligned_u64 key; __aligned_u64 value; __u64 flags; }
        bpf(command, &mut [map, 0, key[0], key[1], value[0], value[1], 0, 0]).map(drop)
    }
}

/// How many CPUs there may ever be: the kernel has an element's value for each.
///
/// # Errors
/// The kernel does not tell.
pub(super) fn cpus() -> Result<usize> {
    nr_cpus().map_err(|(_, error)| error).context("cannot count the CPUs")
}
