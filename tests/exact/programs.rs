//! The programs of the test: one that makes every packet another and says what it was, and one that counts as the
//! sensor must not.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use anyhow::Result;
use sensor_harness::bpf::{
    self, ARGUMENT, Assembler, Helper, MapType, Operation, RESULT, Register, STACK, Width, XdpAction,
};

/// Which ports packets go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Always the same.
    One(u16),
    /// Four.
    Few,
    /// Half to eight ports, half to any.
    Skewed,
    /// Any.
    Random,
}

const CONTEXT: Register = 6;
const FRAME: Register = 7;
const PORT: Register = 8;
const LENGTH: Register = 9;
const SCRATCH: Register = 3;
const OTHER: Register = 4;

/// Where a TCP port is in a frame over IPv4.
const PORT_AT: i16 = 14 + 20 + 2;

/// Draws a port for each packet, adds the packet to the truth, and only then hands it to the sensor: what the sensor
/// has counted is never more than the truth.
pub struct Front {
    program: OwnedFd,
    _state: OwnedFd,
    _table: OwnedFd,
}

impl Front {
    /// Loads it in front of a sensor's program, which takes frames in several buffers or not.
    pub fn new(
        ports: Ports,
        truth: BorrowedFd<'_>,
        sensor: BorrowedFd<'_>,
        several_buffers: bool,
    ) -> Result<Self> {
        let (state, table) = (bpf::array()?, bpf::table_of_programs()?);
        let mut assembler = Assembler::default();
        assembler.with(CONTEXT, Operation::Move, ARGUMENT);
        assembler.load(Width::Word, FRAME, CONTEXT, 0);
        assembler.load(Width::Word, LENGTH, CONTEXT, 4);
        assembler.with(SCRATCH, Operation::Move, FRAME);
        assembler.with_constant(SCRATCH, Operation::Add, i32::from(PORT_AT) + 2);
        let too_short = assembler.jump_if_greater(SCRATCH, LENGTH);
        assembler.with(LENGTH, Operation::Subtract, FRAME);
        draw(&mut assembler, ports, state.as_fd());
        // In network order.
        assembler.with(SCRATCH, Operation::Move, PORT);
        assembler.with_constant(SCRATCH, Operation::ShiftRight, 8);
        assembler.store(Width::Byte, FRAME, PORT_AT, SCRATCH);
        assembler.store(Width::Byte, FRAME, PORT_AT + 1, PORT);
        if several_buffers {
            assembler.with(ARGUMENT, Operation::Move, CONTEXT);
            assembler.call(Helper::XdpLength);
            assembler.with(LENGTH, Operation::Move, RESULT);
        }
        assembler.with(SCRATCH, Operation::Move, PORT);
        assembler.with_constant(SCRATCH, Operation::ShiftRight, 11);
        assembler.store(Width::Word, STACK, -4, SCRATCH);
        assembler.map(ARGUMENT, truth);
        assembler.with(ARGUMENT + 1, Operation::Move, STACK);
        assembler.with_constant(ARGUMENT + 1, Operation::Add, -4);
        assembler.call(Helper::MapLookup);
        let no_page = assembler.jump_if_zero(RESULT);
        assembler.with_constant(PORT, Operation::And, 2_047);
        assembler.with_constant(PORT, Operation::Multiply, 16);
        assembler.with(RESULT, Operation::Add, PORT);
        assembler.load(Width::Double, SCRATCH, RESULT, 0);
        assembler.with_constant(SCRATCH, Operation::Add, 1);
        assembler.store(Width::Double, RESULT, 0, SCRATCH);
        assembler.load(Width::Double, SCRATCH, RESULT, 8);
        assembler.with(SCRATCH, Operation::Add, LENGTH);
        assembler.store(Width::Double, RESULT, 8, SCRATCH);
        assembler.with(ARGUMENT, Operation::Move, CONTEXT);
        assembler.map(ARGUMENT + 1, table.as_fd());
        assembler.with_constant(ARGUMENT + 2, Operation::Move, 0);
        assembler.call(Helper::TailCall);
        assembler.land(too_short);
        assembler.land(no_page);
        assembler.with_constant(RESULT, Operation::Move, XdpAction::Aborted as i32);
        assembler.exit();
        let instructions = assembler.finish();
        let program =
            if several_buffers { bpf::load_multi_buffer(&instructions) } else { bpf::load(&instructions) }?;
        bpf::aim(table.as_fd(), sensor)?;
        Ok(Self { program, _state: state, _table: table })
    }

    /// The program.
    pub fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }
}

/// Draws a port below 65,536.
fn draw(assembler: &mut Assembler, ports: Ports, state: BorrowedFd<'_>) {
    if let Ports::One(port) = ports {
        assembler.with_constant(PORT, Operation::Move, i32::from(port));
        return;
    }
    // A linear congruential generator (Knuth's MMIX), whose upper bits are the better ones.
    assembler.map_value(SCRATCH, state);
    assembler.load(Width::Double, PORT, SCRATCH, 0);
    assembler.number(OTHER, 6_364_136_223_846_793_005);
    assembler.with(PORT, Operation::Multiply, OTHER);
    assembler.number(OTHER, 1_442_695_040_888_963_407);
    assembler.with(PORT, Operation::Add, OTHER);
    assembler.store(Width::Double, SCRATCH, 0, PORT);
    match ports {
        Ports::One(_) => {}
        Ports::Few => {
            assembler.with_constant(PORT, Operation::ShiftRight, 62);
            assembler.with_constant(PORT, Operation::Multiply, 1_999);
        }
        Ports::Random => assembler.with_constant(PORT, Operation::ShiftRight, 48),
        Ports::Skewed => {
            assembler.with_constant(PORT, Operation::ShiftRight, 40);
            assembler.with(SCRATCH, Operation::Move, PORT);
            assembler.with_constant(SCRATCH, Operation::And, 1 << 20);
            assembler.with_constant(PORT, Operation::And, 0xffff);
            let any = assembler.jump_if_zero(SCRATCH);
            assembler.with_constant(PORT, Operation::ShiftRight, 13);
            assembler.with_constant(PORT, Operation::Multiply, 1_999);
            assembler.land(any);
        }
    }
}

/// The maps that the sensor counts in.
#[derive(Clone, Copy)]
pub struct Maps<'a> {
    /// Its counters.
    pub counters: BorrowedFd<'a>,
    /// Its hot words.
    pub hot: BorrowedFd<'a>,
    /// How often its counters were set.
    pub seq: BorrowedFd<'a>,
}

/// The port that [`wrong_order`] counts for: the last of the pages that are read together.
pub const LAST: u16 = 8_191;

/// Counts packets of 60 bytes to [`LAST`] as the sensor does, but raises the count of settings last, and is held up
/// before that, as if the CPU were taken away.
pub fn wrong_order(maps: Maps<'_>) -> Result<OwnedFd> {
    const WORD: Register = 6;
    const COUNTER: Register = 7;
    const SETTINGS: Register = 8;
    const BEFORE: Register = 9;
    const AFTER: Register = 5;
    const LENGTH: i32 = 60;
    /// About a tenth of a millisecond.
    const PAUSE: i32 = 4_000;

    let mut assembler = Assembler::default();
    let mut missing = Vec::new();
    let last = i32::from(LAST);
    for (map, element, register, offset) in [
        (maps.hot, 0, WORD, last * 4),
        (maps.counters, last / 2_048, COUNTER, last % 2_048 * 16),
        (maps.seq, 0, SETTINGS, last / 2_048 * 8),
    ] {
        assembler.with_constant(SCRATCH, Operation::Move, element);
        assembler.store(Width::Word, STACK, -4, SCRATCH);
        assembler.map(ARGUMENT, map);
        assembler.with(ARGUMENT + 1, Operation::Move, STACK);
        assembler.with_constant(ARGUMENT + 1, Operation::Add, -4);
        assembler.call(Helper::MapLookup);
        missing.push(assembler.jump_if_zero(RESULT));
        assembler.with_constant(RESULT, Operation::Add, offset);
        assembler.with(register, Operation::Move, RESULT);
    }
    assembler.load(Width::Word, BEFORE, WORD, 0);
    assembler.with(AFTER, Operation::Move, BEFORE);
    assembler.with_constant(AFTER, Operation::Add, LENGTH << 10 | 1);
    assembler.lower_half(AFTER, AFTER);
    assembler.with(SCRATCH, Operation::Move, BEFORE);
    assembler.with(SCRATCH, Operation::Xor, AFTER);
    assembler.number(OTHER, 1 << 31 | 1 << 9);
    assembler.with(SCRATCH, Operation::And, OTHER);
    let settles = assembler.jump_if_greater_than_constant(SCRATCH, 0);
    assembler.store(Width::Word, WORD, 0, AFTER);
    let counted = assembler.jump();
    assembler.land(settles);
    // The carry out of the packets is no byte.
    assembler.with(SCRATCH, Operation::Move, AFTER);
    assembler.with_constant(SCRATCH, Operation::And, 1_023);
    let no_carry = assembler.jump_if_greater_than_constant(SCRATCH, 0);
    assembler.with_constant(AFTER, Operation::Subtract, 1_024);
    assembler.lower_half(AFTER, AFTER);
    assembler.land(no_carry);
    assembler.store(Width::Word, WORD, 0, AFTER);
    for (offset, shift, mask) in [(0, 0, 0x3ff), (8, 10, 0x3f_ffff)] {
        assembler.load(Width::Double, OTHER, COUNTER, offset);
        assembler.with(SCRATCH, Operation::Move, AFTER);
        assembler.with_constant(SCRATCH, Operation::ShiftRight, shift);
        assembler.with(SCRATCH, Operation::Subtract, OTHER);
        assembler.with_constant(SCRATCH, Operation::And, mask);
        assembler.with(OTHER, Operation::Add, SCRATCH);
        assembler.store(Width::Double, COUNTER, offset, OTHER);
    }
    assembler.with_constant(BEFORE, Operation::Move, PAUSE);
    let again = assembler.here();
    assembler.call(Helper::Clock);
    assembler.with_constant(BEFORE, Operation::Subtract, 1);
    assembler.jump_back_if_not_zero(BEFORE, again);
    assembler.load(Width::Double, SCRATCH, SETTINGS, 0);
    assembler.with_constant(SCRATCH, Operation::Add, 1);
    assembler.store(Width::Double, SETTINGS, 0, SCRATCH);
    assembler.land(counted);
    for jump in missing {
        assembler.land(jump);
    }
    assembler.with_constant(RESULT, Operation::Move, XdpAction::Drop as i32);
    assembler.exit();
    bpf::load(&assembler.finish())
}

/// A map for the truth: 32 pages for TCP's ports, as counters are laid out.
pub fn truth() -> Result<OwnedFd> {
    Ok(bpf::create_map(MapType::PerCpuArray, 4, 32 * 1_024, 32, 0)?)
}
