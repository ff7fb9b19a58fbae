//! What the running kernel can do, of the things that came after 5.10 and that matter to the sensor.
//!
//! Asked of the kernel itself, by doing it: distributions carry changes back, so a version tells little.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use sensor_guest::NIC;

/// Each feature and whether it is there.
pub fn all() -> Vec<(&'static str, bool)> {
    vec![
        ("TCX", tcx().is_ok()),
        ("multi-buffer XDP", load(XDP, HAS_FRAGS).is_ok()),
        ("batch reads of per-CPU arrays", batch_read().is_ok()),
        ("memory charged to cgroups", map_without_locked_memory().is_ok()),
        ("native XDP on a virtio NIC with one queue", native_on_the_nic().is_ok()),
    ]
}

const MAP_CREATE: c_int = 0;
const PROG_LOAD: c_int = 5;
const MAP_LOOKUP_BATCH: c_int = 24;
const LINK_CREATE: c_int = 28;

const PERCPU_ARRAY: u32 = 6;
const SCHED_CLS: u32 = 3;
const XDP: u32 = 6;
/// Since 5.18.
const HAS_FRAGS: u32 = 1 << 5;
/// Attach type `BPF_TCX_INGRESS`, since 6.6.
const TCX_INGRESS: u32 = 46;
/// Attach type `BPF_XDP`, and the flag for native mode.
const XDP_ATTACH: u32 = 37;
const NATIVE: u32 = 4;
/// The loopback interface is the first of its namespace.
const LOOPBACK: u32 = 1;

/// Words of `union bpf_attr`, enough for every command here; what is not used is 0.
type Attributes = [u32; 32];

/// Loads two instructions: 2, which is `XDP_PASS`, into register 0, and exit.
fn load(kind: u32, flags: u32) -> io::Result<OwnedFd> {
    let instructions: [u64; 2] = [2 << 32 | 0xb7, 0x95];
    let license = c"GPL";
    let mut attributes = [0; 32];
    attributes[0] = kind;
    attributes[1] = 2;
    put_pointer(&mut attributes, 2, instructions.as_ptr().cast());
    put_pointer(&mut attributes, 4, license.as_ptr().cast());
    attributes[11] = flags;
    descriptor(bpf(PROG_LOAD, &mut attributes)?)
}

fn tcx() -> io::Result<OwnedFd> {
    let program = load(SCHED_CLS, 0)?;
    let mut attributes = [0; 32];
    attributes[0] = program.as_raw_fd().cast_unsigned();
    attributes[1] = LOOPBACK;
    attributes[2] = TCX_INGRESS;
    descriptor(bpf(LINK_CREATE, &mut attributes)?)
}

/// Native XDP wants a transmit queue for each processor; since 5.13 virtio shares one if it has no more.
fn native_on_the_nic() -> io::Result<OwnedFd> {
    let program = load(XDP, 0)?;
    let mut attributes = [0; 32];
    attributes[0] = program.as_raw_fd().cast_unsigned();
    attributes[1] = nix::net::if_::if_nametoindex(NIC)?;
    attributes[2] = XDP_ATTACH;
    attributes[3] = NATIVE;
    descriptor(bpf(LINK_CREATE, &mut attributes)?)
}

/// A per-CPU array of one element of 8 bytes.
fn map() -> io::Result<OwnedFd> {
    let mut attributes = [0; 32];
    attributes[..4].copy_from_slice(&[PERCPU_ARRAY, 4, 8, 1]);
    descriptor(bpf(MAP_CREATE, &mut attributes)?)
}

fn batch_read() -> io::Result<()> {
    /// More CPUs than any kernel is built for.
    const CPUS: usize = 8192;
    let map = map()?;
    let (mut next, mut keys, mut values) = ([0_u32; 1], [0_u32; 1], vec![0_u64; CPUS]);
    let mut attributes = [0; 32];
    put_pointer(&mut attributes, 2, next.as_mut_ptr().cast());
    put_pointer(&mut attributes, 4, keys.as_mut_ptr().cast());
    put_pointer(&mut attributes, 6, values.as_mut_ptr().cast());
    attributes[8] = 1;
    attributes[9] = map.as_raw_fd().cast_unsigned();
    match bpf(MAP_LOOKUP_BATCH, &mut attributes) {
        // The end of the map.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        other => other.map(drop),
    }
}

/// Before 5.11 maps counted as locked memory, of which a service may have almost none.
fn map_without_locked_memory() -> io::Result<OwnedFd> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    setrlimit(Resource::RLIMIT_MEMLOCK, 0, hard)?;
    let map = map();
    setrlimit(Resource::RLIMIT_MEMLOCK, soft, hard)?;
    map
}

/// Puts a pointer at two of the words; it is 64 bits wide whatever the processor.
fn put_pointer(attributes: &mut Attributes, at: usize, pointer: *const u8) {
    let bytes = (pointer as u64).to_ne_bytes();
    let half =
        |from: usize| u32::from_ne_bytes([bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]]);
    attributes[at] = half(0);
    attributes[at + 1] = half(4);
}

/// Makes the system call. What `attributes` points to must outlive it.
fn bpf(command: c_int, attributes: &mut Attributes) -> io::Result<c_int> {
    let length = size_of::<Attributes>();
    // SAFETY: the kernel is told how long the attributes are; what they point to lives in the caller, and is as
    // large as the command asks for.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), length) };
    match c_int::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

fn descriptor(raw: c_int) -> io::Result<OwnedFd> {
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given this descriptor to us, and to no one else.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}
