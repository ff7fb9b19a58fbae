//! bpf(2), for what aya does not offer.

use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::retry::retried;

/// Calls bpf(2) with the leading part of its attributes; the kernel takes the rest for zeros.
pub(super) fn bpf(command: u32, attributes: &mut [u32]) -> io::Result<i32> {
    // `union bpf_attr` is 8-byte aligned.
    #[repr(C, align(8))]
    struct Attributes([u32; 16]);
    let length = attributes.len();
    let size = u32::try_from(size_of_val(attributes)).expect("at most 64 bytes");
    retried(|| {
        let mut copy = Attributes([0; 16]);
        copy.0[..length].copy_from_slice(attributes);
        // SAFETY: the kernel reads and writes `size` bytes of `copy`. The pointers among the attributes are to
        // buffers that their callers keep alive until the call returns, of the length given or ended by a zero.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut copy, size) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        attributes.copy_from_slice(&copy.0[..length]);
        Ok(i32::try_from(result).expect("a descriptor or 0"))
    })
}

pub(super) fn descriptor(of: BorrowedFd<'_>) -> u32 {
    of.as_raw_fd().cast_unsigned()
}

/// The two words that 64 bits, most often a pointer, are in memory.
pub(super) fn split(bits: u64) -> [u32; 2] {
    let bytes = bits.to_ne_bytes();
    [0, 4].map(|at| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]))
}
