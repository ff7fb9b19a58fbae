//! What a build with schema 1 leaves: its maps, its program and its link, pinned.
//!
//! The program is as much of that build's as counts: a TCP packet over IPv4 in the slot of its port.

use std::fs;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use aya::maps::Array;
use nix::net::if_::if_nametoindex;
use sensor_common::flow::{
    FLOWS, FLOWS_TCP, FRAGMENTS, Flow, FlowKey, Fragment, FragmentKey, MAX_FLOWS, MAX_FRAGMENTS, USES, Uses,
};
use sensor_common::layout::{MAX_SENSORS, NAMES, Name, Page};
use sensor_common::policy::GUARD;
use sensor_harness::bpf::{
    self, ARGUMENT, Assembler, Helper, MapType, Mode, Operation, RESULT, Register, STACK, Width, XdpAction,
};
use sensor_harness::pins::Pins;
use sensor_harness::wire::{Interface, Wire};

/// Its directory of pins.
pub fn directory(pins: &Pins) -> PathBuf {
    pins.path().join("v1")
}

/// The maps that both schemas have, by the names of their pins; it makes that of the series too, but can do
/// without.
pub const SHARED: [&str; 6] = [NAMES, FLOWS_TCP, FLOWS, USES, FRAGMENTS, GUARD];

/// What its counters are pinned as, and what they are pinned as once they are taken over.
pub const COUNTERS: (&str, &str) = ("COUNTERS_0", "COUNTERS_V1_0");

/// What the link of the near interface is pinned as.
///
/// # Errors
/// If the interface is gone.
pub fn link(near: &Interface) -> Result<String> {
    let index = near.namespace.run(|| if_nametoindex(near.name.as_str()))??;
    Ok(format!("xdp_{index}"))
}

/// Has it count for a sensor of this name, on the near interface.
///
/// # Errors
/// Without root.
pub fn leave(wire: &Wire, pins: &Pins, sensor: &str) -> Result<()> {
    bpf::lift_memory_limit();
    let directory = directory(pins);
    fs::create_dir(&directory)?;
    let pin = |name: &str| directory.join(name);
    let mut names = Array::<_, Name>::create(MAX_SENSORS, 0)?;
    names.set(0, Name::new(sensor), 0)?;
    names.pin(pin(NAMES))?;
    let map = |name: &str, kind, key, value, entries, flags| {
        let map = bpf::create_map(kind, size(key)?, size(value)?, entries, flags)?;
        bpf::pin(map.as_fd(), &pin(name))?;
        anyhow::Ok(map)
    };
    for flows in [FLOWS_TCP, FLOWS] {
        map(flows, MapType::LruHash, size_of::<FlowKey>(), size_of::<Flow>(), MAX_FLOWS, 0)?;
    }
    map(USES, MapType::Array, 4, size_of::<Uses>(), 1, MMAPABLE)?;
    let (key, value) = (size_of::<FragmentKey>(), size_of::<Fragment>());
    map(FRAGMENTS, MapType::LruHash, key, value, MAX_FRAGMENTS, 0)?;
    map(GUARD, MapType::Array, 4, size_of::<u64>(), 1, 0)?;
    let counters = map(COUNTERS.0, MapType::PerCpuArray, 4, size_of::<Page>(), 1 + 69, 0)?;
    let program = program(counters.as_fd())?;
    let near = &wire.near;
    let attach = || {
        let index = if_nametoindex(near.name.as_str())?;
        bpf::attach(program.as_fd(), index, Mode::Native)
    };
    let attached = near.namespace.run(attach)??;
    bpf::pin(attached.as_fd(), &pin(&link(near)?))
}

/// `BPF_F_MMAPABLE`
const MMAPABLE: u32 = 1 << 10;

fn size(bytes: usize) -> Result<u32> {
    Ok(u32::try_from(bytes)?)
}

fn program(counters: BorrowedFd<'_>) -> Result<OwnedFd> {
    const FRAME: Register = 6;
    const END: Register = 7;
    const OFFSET: Register = 8;
    const LENGTH: Register = 9;
    const SCRATCH: Register = 3;
    const PORT: i16 = 14 + 20 + 2;

    let mut assembler = Assembler::default();
    assembler.load(Width::Word, FRAME, ARGUMENT, 0);
    assembler.load(Width::Word, END, ARGUMENT, 4);
    assembler.with(SCRATCH, Operation::Move, FRAME);
    assembler.with_constant(SCRATCH, Operation::Add, i32::from(PORT) + 2);
    let too_short = assembler.jump_if_greater(SCRATCH, END);
    assembler.with(LENGTH, Operation::Move, END);
    assembler.with(LENGTH, Operation::Subtract, FRAME);
    // The upper five bits of the port are the page's, behind that of what passes; the others say where in it.
    assembler.load(Width::Byte, OFFSET, FRAME, PORT);
    assembler.with(SCRATCH, Operation::Move, OFFSET);
    assembler.with_constant(SCRATCH, Operation::ShiftRight, 3);
    assembler.with_constant(SCRATCH, Operation::Add, 1);
    assembler.store(Width::Word, STACK, -4, SCRATCH);
    assembler.with_constant(OFFSET, Operation::And, 7);
    assembler.with_constant(OFFSET, Operation::Multiply, 256 * 16);
    assembler.load(Width::Byte, SCRATCH, FRAME, PORT + 1);
    assembler.with_constant(SCRATCH, Operation::Multiply, 16);
    assembler.with(OFFSET, Operation::Add, SCRATCH);
    assembler.map(ARGUMENT, counters);
    assembler.with(ARGUMENT + 1, Operation::Move, STACK);
    assembler.with_constant(ARGUMENT + 1, Operation::Add, -4);
    assembler.call(Helper::MapLookup);
    let no_page = assembler.jump_if_zero(RESULT);
    assembler.with(RESULT, Operation::Add, OFFSET);
    assembler.load(Width::Double, SCRATCH, RESULT, 0);
    assembler.with_constant(SCRATCH, Operation::Add, 1);
    assembler.store(Width::Double, RESULT, 0, SCRATCH);
    assembler.load(Width::Double, SCRATCH, RESULT, 8);
    assembler.with(SCRATCH, Operation::Add, LENGTH);
    assembler.store(Width::Double, RESULT, 8, SCRATCH);
    assembler.with_constant(RESULT, Operation::Move, XdpAction::Drop as i32);
    assembler.exit();
    assembler.land(too_short);
    assembler.land(no_page);
    assembler.with_constant(RESULT, Operation::Move, XdpAction::Pass as i32);
    assembler.exit();
    bpf::load(&assembler.finish()).context("the older build's program")
}

/// Pins something again under another name.
///
/// # Errors
/// Nothing is pinned there, or something is already.
pub fn pin_again(from: &Path, to: &Path) -> Result<()> {
    let object = bpf::pinned(from).with_context(|| format!("nothing is pinned at {}", from.display()))?;
    bpf::pin(object.as_fd(), to)
}
