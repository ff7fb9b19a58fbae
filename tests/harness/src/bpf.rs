//! The `bpf` system call, without a library that the agent uses too: programs of a few instructions, their maps,
//! attaching them, and `BPF_PROG_TEST_RUN`.
//!
//! The benchmark's timing wants nothing between the clock and the call.

mod assembler;
mod objects;

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

pub use self::assembler::{
    ARGUMENT, Assembler, Helper, Jump, Operation, Place, RESULT, Register, STACK, Width,
};
pub use self::objects::{Object, detach_link, objects_of, program, wait_until_freed};

/// What an XDP program returns (`enum xdp_action`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpAction {
    /// Something went wrong.
    Aborted = 0,
    /// Dropped.
    Drop = 1,
    /// Let through.
    Pass = 2,
}

/// Kinds of maps (`enum bpf_map_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapType {
    /// Elements by their number.
    Array = 2,
    /// Programs to jump to.
    ProgramArray = 3,
    /// Elements by their number, of which each CPU has its own.
    PerCpuArray = 6,
    /// A hash table from which goes what was not used for longest.
    LruHash = 9,
}

/// Lifts this process's limit of locked memory: before Linux 5.11 everybody's programs and maps count, those of
/// agents that run at the same time included.
pub fn lift_memory_limit() {
    let all = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the kernel only reads the limits. Without the right to lift them the next call says so.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const all) };
}

/// A map with one element of eight bytes, at the same place as long as it lives.
///
/// # Errors
/// Without root.
pub fn array() -> Result<OwnedFd> {
    create_map(MapType::Array, 4, 8, 1, 0).context("cannot make an array")
}

/// A table of programs with one entry, into which a program can jump.
///
/// # Errors
/// Without root.
pub fn table_of_programs() -> Result<OwnedFd> {
    create_map(MapType::ProgramArray, 4, 4, 1, 0).context("cannot make a table of programs")
}

/// Puts a program into the table.
///
/// # Errors
/// The program is of another kind than the one that jumps.
pub fn aim(table: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<()> {
    let (key, value) = (0_u32, program.as_raw_fd());
    let mut attributes = Element {
        map: number(table),
        reserved: 0,
        key: (&raw const key) as u64,
        value: (&raw const value) as u64,
        flags: 0,
    };
    call(MAP_UPDATE_ELEM, &mut attributes).map(drop).context("cannot put a program into the table")
}

/// Loads an XDP program.
///
/// # Errors
/// The verifier refuses it; or without root.
pub fn load(instructions: &[u64]) -> Result<OwnedFd> {
    load_with(instructions, 0)
}

/// Loads an XDP program that takes frames in several buffers (Linux 5.18).
///
/// # Errors
/// As [`load`].
pub fn load_multi_buffer(instructions: &[u64]) -> Result<OwnedFd> {
    /// `BPF_F_XDP_HAS_FRAGS`
    const HAS_FRAGS: u32 = 1 << 5;
    load_with(instructions, HAS_FRAGS)
}

fn load_with(instructions: &[u64], flags: u32) -> Result<OwnedFd> {
    let mut attributes = Load {
        program_type: XDP,
        instruction_count: u32::try_from(instructions.len())?,
        instructions: instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log: [0; 2],
        kernel_version: 0,
        flags,
        name: [0; 2],
        interface: 0,
        // As aya loads the sensor's: a program jumps only to one with the same (Linux 6.17).
        expected_attach_type: ATTACH_XDP,
        rest: [0; 7],
    };
    descriptor(call(PROG_LOAD, &mut attributes)).context("the kernel refuses the program")
}

/// Attaches a program to an interface of the calling thread's namespace as long as the result lives.
///
/// # Errors
/// The driver cannot, or there is a program already.
pub fn attach(program: BorrowedFd<'_>, interface: u32, mode: Mode) -> Result<OwnedFd> {
    let mut attributes = Link {
        program: number(program),
        interface,
        attach_type: ATTACH_XDP,
        flags: mode as u32,
        rest: [0; 6],
    };
    descriptor(call(LINK_CREATE, &mut attributes)).context("cannot attach a program")
}

/// Pins a program, map or link.
///
/// # Errors
/// Something is pinned there, or it is not in a BPF file system.
pub fn pin(object: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = Pin { path: path.as_ptr() as u64, object: number(object), flags: 0 };
    call(OBJECT_PIN, &mut attributes).map(drop).context("cannot pin")
}

/// What is pinned there.
///
/// # Errors
/// Nothing is.
pub fn pinned(path: &Path) -> Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = Pin { path: path.as_ptr() as u64, object: 0, flags: 0 };
    descriptor(call(OBJECT_GET, &mut attributes)).context("cannot open a pin")
}

/// Where in the kernel to attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the network stack.
    Generic = 2,
    /// In the driver.
    Native = 4,
}

/// Runs a program over one frame `repeat` times, and gives what it returned last.
///
/// # Errors
/// The kernel refuses.
pub fn test_run(program: BorrowedFd<'_>, frame: &[u8], repeat: u32) -> Result<u32> {
    run(program, frame, repeat, 0, 0).context("cannot run a program over a frame")
}

/// Sends a program `repeat` frames of its own to redirect, in batches, as a driver would (Linux 5.18).
///
/// # Errors
/// The kernel refuses.
pub fn send_live(program: BorrowedFd<'_>, frame: &[u8], repeat: u32) -> Result<()> {
    const LIVE_FRAMES: u32 = 2;
    const BATCH: u32 = 64;
    run(program, frame, repeat, LIVE_FRAMES, BATCH).map(drop).context("cannot send live frames")
}

fn run(program: BorrowedFd<'_>, frame: &[u8], repeat: u32, flags: u32, batch: u32) -> io::Result<u32> {
    let mut attributes = TestRun {
        program: number(program),
        returned: 0,
        length: u32::try_from(frame.len()).map_err(io::Error::other)?,
        length_out: 0,
        frame: frame.as_ptr() as u64,
        frame_out: 0,
        repeat,
        duration: 0,
        context: [0; 3],
        flags,
        cpu: 0,
        batch,
        padding: 0,
    };
    call(PROG_TEST_RUN, &mut attributes)?;
    Ok(attributes.returned)
}

const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const OBJECT_PIN: libc::c_int = 6;
const OBJECT_GET: libc::c_int = 7;
const PROG_TEST_RUN: libc::c_int = 10;
const LINK_CREATE: libc::c_int = 28;

const XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;

// The leading fields of `union bpf_attr` for each command.

#[repr(C)]
struct Map {
    kind: u32,
    key_size: u32,
    value_size: u32,
    entries: u32,
    flags: u32,
    padding: u32,
    rest: [u64; 3],
}

#[repr(C)]
struct Element {
    map: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct Load {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    /// The verifier's: none.
    log: [u64; 2],
    kernel_version: u32,
    flags: u32,
    name: [u64; 2],
    interface: u32,
    expected_attach_type: u32,
    rest: [u64; 7],
}

#[repr(C)]
struct Link {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
    rest: [u64; 6],
}

#[repr(C)]
struct Pin {
    path: u64,
    object: u32,
    flags: u32,
}

#[repr(C)]
struct TestRun {
    program: u32,
    returned: u32,
    length: u32,
    length_out: u32,
    frame: u64,
    frame_out: u64,
    repeat: u32,
    duration: u32,
    /// Of the context, in and out: none.
    context: [u64; 3],
    flags: u32,
    cpu: u32,
    batch: u32,
    padding: u32,
}

/// Makes a map; keys and values are this many bytes long.
///
/// # Errors
/// Without root, or where the kernel has no memory for it.
pub fn create_map(kind: MapType, key: u32, value: u32, entries: u32, flags: u32) -> io::Result<OwnedFd> {
    let mut attributes =
        Map { kind: kind as u32, key_size: key, value_size: value, entries, flags, padding: 0, rest: [0; 3] };
    descriptor(call(MAP_CREATE, &mut attributes))
}

fn number(descriptor: BorrowedFd<'_>) -> u32 {
    descriptor.as_fd().as_raw_fd().cast_unsigned()
}

fn descriptor(result: io::Result<libc::c_long>) -> io::Result<OwnedFd> {
    let descriptor = i32::try_from(result?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just given this descriptor to us, and to no one else.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Makes the call with the leading fields of `union bpf_attr` that belong to the command; what they point to must
/// outlive the call.
fn call<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads and writes as many bytes as it is told, which are there, and of any value valid: they
    // are integers.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
