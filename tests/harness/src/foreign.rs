//! An XDP program that isn't the sensor's: two instructions, loaded without any toolchain.

use crate::bpf;
use crate::wire::Interface;
use anyhow::{Context as _, Result};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

/// What the program does with every packet.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    /// `XDP_DROP`.
    Drop = 1,
    /// `XDP_PASS`.
    Pass = 2,
}

/// An attached program; dropping it detaches it.
#[derive(Debug)]
pub struct Foreign {
    _link: OwnedFd,
}

impl Foreign {
    /// Attaches a program with that verdict in native mode.
    ///
    /// # Errors
    /// Without root, or when the interface has a program already.
    pub fn attach(interface: &Interface, verdict: Verdict) -> Result<Self> {
        bpf::lift_memory_limit();
        let program = load(verdict).context("cannot load a program of two instructions")?;
        let link = interface
            .namespace
            .run(|| link(&program, &interface.name))?
            .with_context(|| format!("cannot attach to {}", interface.name))?;
        Ok(Self { _link: link })
    }
}

/// The fields of `union bpf_attr` for `BPF_PROG_LOAD` that matter here, zeroes behind them.
#[repr(C)]
#[derive(Clone, Copy)]
struct Load {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    rest: [u64; 13],
}

/// Likewise for `BPF_LINK_CREATE`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Link {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
    rest: [u64; 14],
}

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;
const XDP_FLAGS_DRV_MODE: u32 = 4;

fn load(verdict: Verdict) -> io::Result<OwnedFd> {
    // The verdict into register 0, and exit.
    let instructions: [u64; 2] = [(verdict as u64) << 32 | 0xb7, 0x95];
    let license = c"GPL";
    let attributes = Load {
        program_type: BPF_PROG_TYPE_XDP,
        instruction_count: 2,
        instructions: instructions.as_ptr() as u64,
        license: license.as_ptr() as u64,
        rest: [0; 13],
    };
    bpf::call(BPF_PROG_LOAD, &attributes)
}

fn link(program: &OwnedFd, interface: &str) -> io::Result<OwnedFd> {
    let attributes = Link {
        program: program.as_raw_fd().cast_unsigned(),
        interface: nix::net::if_::if_nametoindex(interface)?,
        attach_type: BPF_XDP,
        flags: XDP_FLAGS_DRV_MODE,
        rest: [0; 14],
    };
    bpf::call(BPF_LINK_CREATE, &attributes)
}
