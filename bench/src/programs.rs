//! The benchmark's own XDP programs: one that only drops, and one that makes every packet another.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use anyhow::Result;
use sensor_harness::bpf::{self, ARGUMENT, Assembler, Helper, Operation, RESULT, Register, Width, XdpAction};
use sensor_harness::frame::ETHERNET;

use crate::sensor::FIRST_NETWORK;

/// A program of two instructions: the least that one can cost.
///
/// # Errors
/// Without root.
pub fn only(verdict: XdpAction) -> Result<OwnedFd> {
    let mut assembler = Assembler::default();
    assembler.with_constant(RESULT, Operation::Move, verdict as i32);
    assembler.exit();
    bpf::load(&assembler.finish())
}

/// A program that reads the ports of a TCP or UDP packet over IPv4, and drops it: the least that one can cost
/// which counts by port. What [`only`] drops never comes near the CPU's cache.
///
/// # Errors
/// Without root.
pub fn reading() -> Result<OwnedFd> {
    const FRAME: Register = 2;
    const END: Register = 3;
    const PORTS: i16 = ETHERNET_HEADER + IPV4;
    let mut assembler = Assembler::default();
    assembler.with_constant(RESULT, Operation::Move, 0);
    assembler.load(Width::Word, FRAME, ARGUMENT, 0);
    assembler.load(Width::Word, END, ARGUMENT, 4);
    assembler.with(ARGUMENT, Operation::Move, FRAME);
    assembler.with_constant(ARGUMENT, Operation::Add, i32::from(PORTS) + 4);
    let too_short = assembler.jump_if_greater(ARGUMENT, END);
    assembler.load(Width::Word, RESULT, FRAME, PORTS);
    assembler.land(too_short);
    // The verdict waits for what was read.
    assembler.with_constant(RESULT, Operation::And, 0);
    assembler.with_constant(RESULT, Operation::Or, XdpAction::Drop as i32);
    assembler.exit();
    bpf::load(&assembler.finish())
}

/// What is drawn for each packet, and where it lies in the frame.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// The last four bytes of the source address; the third of them is odd.
    source: i16,
    /// The third byte of the destination address, and of how many sensors it says which.
    sensors: Option<(i16, u8)>,
    /// The source port; the destination port is behind it.
    ports: i16,
    /// How destination ports are drawn.
    destination: Destination,
    /// Where to make up for it, so that the checksums stay right: IPv4's identification, and the lower half
    /// of TCP's sequence number.
    balance: Option<(i16, i16)>,
    /// Bytes that the frame has at least.
    length: i32,
}

/// Where packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Each to another port.
    Random,
    /// Half of them to one of ten ports, the others each to another.
    Skewed,
    /// All to the frame's own port.
    One,
}

const IPV4: i16 = 20;
const IPV6: i16 = 40;
const VLAN_TAG: i16 = 4;
const ETHERNET_HEADER: i16 = 14;
const _: () = assert!(ETHERNET_HEADER as usize == ETHERNET);

impl Draw {
    /// For IPv4 without options.
    pub const fn ipv4() -> Self {
        Self::at(ETHERNET_HEADER + 12, ETHERNET_HEADER + IPV4)
    }

    /// For IPv4 behind a VLAN tag.
    pub const fn vlan() -> Self {
        Self::at(ETHERNET_HEADER + VLAN_TAG + 12, ETHERNET_HEADER + VLAN_TAG + IPV4)
    }

    /// For IPv6 without extension headers.
    pub const fn ipv6() -> Self {
        Self::at(ETHERNET_HEADER + 20, ETHERNET_HEADER + IPV6)
    }

    const fn at(source: i16, ports: i16) -> Self {
        // Both ports, and what is behind them in UDP's header.
        let length = ports as i32 + 8;
        Self { source, sensors: None, ports, destination: Destination::Random, balance: None, length }
    }

    /// Draws the sensor too, one of so many, for IPv4.
    ///
    /// # Panics
    /// If they are not a power of two.
    pub const fn any_of(self, sensors: u8) -> Self {
        assert!(sensors.is_power_of_two(), "it is drawn by a mask");
        Self { sensors: Some((self.source + 6, sensors)), ..self }
    }

    /// Draws the destination port so.
    pub const fn to(self, destination: Destination) -> Self {
        Self { destination, ..self }
    }

    /// How destination ports are drawn.
    pub const fn destination(self) -> Destination {
        self.destination
    }

    /// Keeps the checksums right, for TCP over IPv4. In the frame, all that is drawn and all that makes up
    /// for it must be 0.
    pub const fn with_checksums(self) -> Self {
        Self { balance: Some((ETHERNET_HEADER + 4, self.ports + 6)), ..self }
    }
}

/// Draws for each packet, then hands it to another program.
#[derive(Debug)]
pub struct Drawing {
    program: OwnedFd,
    table: OwnedFd,
    /// The generator's state: the program has its address.
    _state: OwnedFd,
}

impl Drawing {
    /// Loads it.
    ///
    /// # Errors
    /// Without root.
    pub fn new(draw: Draw) -> Result<Self> {
        let (state, table) = (bpf::array()?, bpf::table_of_programs()?);
        let mut assembler = Assembler::default();
        draw_into(&mut assembler, draw, &state);
        assembler.with(ARGUMENT, Operation::Move, CONTEXT);
        assembler.map(ARGUMENT + 1, table.as_fd());
        assembler.with_constant(ARGUMENT + 2, Operation::Move, 0);
        assembler.call(Helper::TailCall);
        // The call only comes back if there is nothing to jump to.
        assembler.with_constant(RESULT, Operation::Move, XdpAction::Aborted as i32);
        assembler.exit();
        Ok(Self { program: bpf::load(&assembler.finish())?, table, _state: state })
    }

    /// The program that draws, once the other is `next`.
    ///
    /// # Errors
    /// The other is of another kind.
    pub fn before(&self, next: BorrowedFd<'_>) -> Result<BorrowedFd<'_>> {
        bpf::aim(self.table.as_fd(), next)?;
        Ok(self.program.as_fd())
    }
}

/// Draws for each packet, then sends it out of an interface.
#[derive(Debug)]
pub struct Source {
    program: OwnedFd,
    _state: OwnedFd,
}

impl Source {
    /// Loads it.
    ///
    /// # Errors
    /// Without root.
    pub fn new(draw: Draw, interface: u32) -> Result<Self> {
        let state = bpf::array()?;
        let mut assembler = Assembler::default();
        draw_into(&mut assembler, draw, &state);
        assembler.with_constant(ARGUMENT, Operation::Move, interface.cast_signed());
        assembler.with_constant(ARGUMENT + 1, Operation::Move, 0);
        assembler.call(Helper::Redirect);
        assembler.exit();
        Ok(Self { program: bpf::load(&assembler.finish())?, _state: state })
    }

    /// The program.
    pub fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }
}

/// Of an IPv4 address, as it lies in memory: no source is within a /24 whose third byte is even, but it can be
/// next to one.
const ODD_THIRD_BYTE: i32 = 1 << 16;

const CONTEXT: Register = 6;

/// Writes random numbers into the frame. A frame too short for them is aborted.
///
/// The generator is a Weyl sequence with its bits mixed: each packet depends on the one before by a single
/// addition, and what is written at once can be read back at once.
fn draw_into(assembler: &mut Assembler, draw: Draw, state: &OwnedFd) {
    const FRAME: Register = 2;
    const END: Register = 3;
    const SCRATCH: Register = 4;
    const FACTOR: Register = 5;
    const STATE: Register = 7;
    const SOURCE: Register = 8;
    const PORTS: Register = 9;

    assembler.with(CONTEXT, Operation::Move, ARGUMENT);
    assembler.load(Width::Word, FRAME, CONTEXT, 0);
    assembler.load(Width::Word, END, CONTEXT, 4);
    assembler.with(SCRATCH, Operation::Move, FRAME);
    assembler.with_constant(SCRATCH, Operation::Add, draw.length);
    let too_short = assembler.jump_if_greater(SCRATCH, END);

    assembler.map_value(STATE, state.as_fd());
    assembler.load(Width::Double, PORTS, STATE, 0);
    assembler.number(FACTOR, 0x9e37_79b9_7f4a_7c15);
    assembler.with(PORTS, Operation::Add, FACTOR);
    assembler.store(Width::Double, STATE, 0, PORTS);
    for shift in [32, 29] {
        assembler.with(SCRATCH, Operation::Move, PORTS);
        assembler.with_constant(SCRATCH, Operation::ShiftRight, shift);
        assembler.with(PORTS, Operation::Xor, SCRATCH);
        assembler.number(FACTOR, 0xbf58_476d_1ce4_e5b9);
        assembler.with(PORTS, Operation::Multiply, FACTOR);
    }
    assembler.lower_half(SOURCE, PORTS);
    assembler.with_constant(PORTS, Operation::ShiftRight, 32);

    assembler.with_constant(SOURCE, Operation::Or, ODD_THIRD_BYTE);
    assembler.store(Width::Word, FRAME, draw.source, SOURCE);
    if let Some((network, sensors)) = draw.sensors {
        // The lowest bits are of the source port, whose value makes no difference to anything.
        assembler.with(SCRATCH, Operation::Move, PORTS);
        assembler.with_constant(SCRATCH, Operation::And, i32::from(sensors) - 1);
        assembler.with_constant(SCRATCH, Operation::Add, i32::from(FIRST_NETWORK));
        assembler.store(Width::Byte, FRAME, network, SCRATCH);
    }
    if draw.destination == Destination::Skewed {
        skew(assembler, PORTS, SCRATCH, FACTOR);
    }
    let width = if draw.destination == Destination::One { Width::Half } else { Width::Word };
    assembler.store(width, FRAME, draw.ports, PORTS);
    if let Some((identification, sequence)) = draw.balance {
        add_halves(assembler, SOURCE, SCRATCH);
        complement(assembler, SOURCE, SCRATCH, FRAME, identification);
        add_halves(assembler, PORTS, SCRATCH);
        assembler.with(PORTS, Operation::Add, SOURCE);
        complement(assembler, PORTS, SCRATCH, FRAME, sequence);
    }
    let done = assembler.jump();
    assembler.land(too_short);
    assembler.with_constant(RESULT, Operation::Move, XdpAction::Aborted as i32);
    assembler.exit();
    assembler.land(done);
}

/// Of both ports as they lie in memory, puts one of ten ports for the destination where one bit of the source port is
/// set; its other bits say which. There is no jump in it: one that is foreseen every other time costs more than a
/// packet.
fn skew(assembler: &mut Assembler, ports: Register, scratch: Register, chosen: Register) {
    const PORTS: i32 = 10;
    const FIRST_PORT: i32 = 20;
    const DESTINATION: i32 = !0xffff;
    assembler.with(scratch, Operation::Move, ports);
    assembler.with_constant(scratch, Operation::And, 0x7fff);
    assembler.with_constant(scratch, Operation::Multiply, PORTS);
    assembler.with_constant(scratch, Operation::ShiftRight, 15);
    assembler.with_constant(scratch, Operation::Add, FIRST_PORT);
    // The port's lower byte is the last of the four.
    assembler.with_constant(scratch, Operation::Multiply, 1 << 24);
    assembler.with(scratch, Operation::Xor, ports);
    assembler.with_constant(scratch, Operation::And, DESTINATION);
    // All ones or nothing.
    assembler.with(chosen, Operation::Move, ports);
    assembler.with_constant(chosen, Operation::ShiftRight, 15);
    assembler.with_constant(chosen, Operation::And, 1);
    assembler.with_constant(chosen, Operation::Multiply, -1);
    assembler.with(scratch, Operation::And, chosen);
    assembler.with(ports, Operation::Xor, scratch);
}

/// Adds the upper 16 bits of a word to its lower.
fn add_halves(assembler: &mut Assembler, word: Register, scratch: Register) {
    assembler.with(scratch, Operation::Move, word);
    assembler.with_constant(scratch, Operation::ShiftRight, 16);
    assembler.with_constant(word, Operation::And, 0xffff);
    assembler.with(word, Operation::Add, scratch);
}

/// Stores what brings the one's complement sum of `sum`'s 16-bit words to zero (RFC 1071).
fn complement(assembler: &mut Assembler, sum: Register, scratch: Register, frame: Register, at: i16) {
    // Twice, for the carry.
    add_halves(assembler, sum, scratch);
    add_halves(assembler, sum, scratch);
    assembler.with(scratch, Operation::Move, sum);
    assembler.with_constant(scratch, Operation::Xor, 0xffff);
    assembler.store(Width::Half, frame, at, scratch);
}
