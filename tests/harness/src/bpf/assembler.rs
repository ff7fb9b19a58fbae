//! As much of a BPF assembler as the programs of tests and of the benchmark need (RFC 9669).
//!
//! They are a few instructions each, so they need no toolchain, and nothing of a compiler is in what they cost.

use std::os::fd::{AsRawFd as _, BorrowedFd};

/// A register: 0 has results, 1 to 5 arguments, 6 to 9 survive calls.
pub type Register = u8;

/// What a call, or the program itself, ends with.
pub const RESULT: Register = 0;
/// The first argument; the others have the numbers that follow.
pub const ARGUMENT: Register = 1;
/// The frame pointer: the stack lies below it.
pub const STACK: Register = 10;

/// A helper of the kernel (`enum bpf_func_id`).
#[derive(Clone, Copy, Debug)]
pub enum Helper {
    /// `bpf_map_lookup_elem`
    MapLookup = 1,
    /// `bpf_ktime_get_ns`
    Clock = 5,
    /// `bpf_tail_call`
    TailCall = 12,
    /// `bpf_redirect`
    Redirect = 23,
    /// `bpf_xdp_get_buff_len`
    XdpLength = 188,
}

/// Instructions so far.
#[derive(Debug, Default)]
pub struct Assembler(Vec<u64>);

/// A forward jump that has not been told where to go.
#[must_use]
#[derive(Debug)]
pub struct Jump(usize);

/// Where a jump can go back to.
#[derive(Clone, Copy, Debug)]
pub struct Place(usize);

/// How wide a load or store is.
#[derive(Clone, Copy, Debug)]
pub enum Width {
    /// One byte.
    Byte = 0x10,
    /// Two bytes.
    Half = 0x08,
    /// Four bytes.
    Word = 0x00,
    /// Eight bytes.
    Double = 0x18,
}

/// What to do with a register, in 64 bits.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// Addition.
    Add = 0x00,
    /// Multiplication.
    Multiply = 0x20,
    /// Subtraction.
    Subtract = 0x10,
    /// Bitwise inclusive or.
    Or = 0x40,
    /// Bitwise and.
    And = 0x50,
    /// Shift towards the lowest bit, zeros coming in.
    ShiftRight = 0x70,
    /// Bitwise exclusive or.
    Xor = 0xa0,
    /// Copy.
    Move = 0xb0,
}

const ALU32: u8 = 0x04;
const ALU64: u8 = 0x07;
const REGISTER: u8 = 0x08;
const LOAD: u8 = 0x61;
const STORE: u8 = 0x63;
const LOAD_CONSTANT: u8 = 0x18;
const JUMP: u8 = 0x05;
const JUMP_IF_EQUAL: u8 = 0x15;
const JUMP_IF_NOT_EQUAL: u8 = 0x55;
const JUMP_IF_GREATER: u8 = 0x2d;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

// What the source register of `LOAD_CONSTANT` says.
const NUMBER: Register = 0;
const MAP: Register = 1;
const MAP_VALUE: Register = 2;

impl Assembler {
    /// The instructions.
    #[must_use]
    pub fn finish(self) -> Vec<u64> {
        self.0
    }

    fn emit(&mut self, code: u8, destination: Register, source: Register, offset: i16, constant: i32) {
        let registers = u64::from(source << 4 | destination) << 8;
        let offset = u64::from(offset.cast_unsigned()) << 16;
        let constant = u64::from(constant.cast_unsigned()) << 32;
        self.0.push(u64::from(code) | registers | offset | constant);
    }

    /// `destination = destination operation constant`.
    pub fn with_constant(&mut self, destination: Register, operation: Operation, constant: i32) {
        self.emit(ALU64 | operation as u8, destination, 0, 0, constant);
    }

    /// `destination = destination operation source`.
    pub fn with(&mut self, destination: Register, operation: Operation, source: Register) {
        self.emit(ALU64 | REGISTER | operation as u8, destination, source, 0, 0);
    }

    /// `destination = source`, its upper half cut off.
    pub fn lower_half(&mut self, destination: Register, source: Register) {
        self.emit(ALU32 | REGISTER | Operation::Move as u8, destination, source, 0, 0);
    }

    /// `destination = *(base + offset)`.
    pub fn load(&mut self, width: Width, destination: Register, base: Register, offset: i16) {
        self.emit(LOAD | width as u8, destination, base, offset, 0);
    }

    /// `*(base + offset) = source`.
    pub fn store(&mut self, width: Width, base: Register, offset: i16, source: Register) {
        self.emit(STORE | width as u8, base, source, offset, 0);
    }

    /// `destination = number`.
    pub fn number(&mut self, destination: Register, number: u64) {
        // Each of the two instructions has half of the number in its upper half.
        self.emit(LOAD_CONSTANT, destination, NUMBER, 0, 0);
        if let Some(first) = self.0.last_mut() {
            *first |= number << 32;
        }
        self.0.push(number >> 32 << 32);
    }

    /// `destination` = the map.
    pub fn map(&mut self, destination: Register, map: BorrowedFd<'_>) {
        self.emit(LOAD_CONSTANT, destination, MAP, 0, map.as_raw_fd());
        self.emit(0, 0, 0, 0, 0);
    }

    /// `destination` = where the one element of an array lies (Linux 5.2).
    pub fn map_value(&mut self, destination: Register, map: BorrowedFd<'_>) {
        self.emit(LOAD_CONSTANT, destination, MAP_VALUE, 0, map.as_raw_fd());
        self.emit(0, 0, 0, 0, 0);
    }

    /// Jumps if `a > b`; [`Assembler::land`] says where to.
    pub fn jump_if_greater(&mut self, a: Register, b: Register) -> Jump {
        self.emit(JUMP_IF_GREATER, a, b, 0, 0);
        Jump(self.0.len())
    }

    /// Jumps if a register is 0; [`Assembler::land`] says where to.
    pub fn jump_if_zero(&mut self, register: Register) -> Jump {
        self.emit(JUMP_IF_EQUAL, register, 0, 0, 0);
        Jump(self.0.len())
    }

    /// Jumps if a register is above a constant; [`Assembler::land`] says where to.
    pub fn jump_if_greater_than_constant(&mut self, register: Register, constant: i32) -> Jump {
        self.emit(JUMP_IF_GREATER & !REGISTER, register, 0, 0, constant);
        Jump(self.0.len())
    }

    /// The place of the next instruction.
    #[must_use]
    pub fn here(&self) -> Place {
        Place(self.0.len())
    }

    /// Jumps back to a place unless a register is 0.
    ///
    /// # Panics
    /// If that is more than 32,768 instructions away.
    pub fn jump_back_if_not_zero(&mut self, register: Register, Place(to): Place) {
        let distance = i16::try_from(self.0.len() + 1 - to).expect("the programs are short");
        self.emit(JUMP_IF_NOT_EQUAL, register, 0, -distance, 0);
    }

    /// Jumps; [`Assembler::land`] says where to.
    pub fn jump(&mut self) -> Jump {
        self.emit(JUMP, 0, 0, 0, 0);
        Jump(self.0.len())
    }

    /// The jump goes to the next instruction.
    ///
    /// # Panics
    /// If that is more than 32,767 instructions away.
    pub fn land(&mut self, Jump(end): Jump) {
        let distance = u16::try_from(self.0.len() - end).expect("the programs are short");
        self.0[end - 1] |= u64::from(distance) << 16;
    }

    /// Calls a helper.
    pub fn call(&mut self, helper: Helper) {
        self.emit(CALL, 0, 0, 0, helper as i32);
    }

    /// Ends the program; register 0 has the verdict.
    pub fn exit(&mut self) {
        self.emit(EXIT, 0, 0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_those_of_the_standard() {
        let mut assembler = Assembler::default();
        assembler.load(Width::Word, 2, 1, 4);
        let jump = assembler.jump_if_greater(4, 3);
        assembler.with_constant(0, Operation::Move, -1);
        assembler.land(jump);
        assembler.number(5, 0x1122_3344_5566_7788);
        assembler.store(Width::Half, 2, 36, 9);
        assembler.exit();
        assert_eq!(
            assembler.finish(),
            [
                0x0000_0000_0004_1261,
                0x0000_0000_0001_342d,
                0xffff_ffff_0000_00b7,
                0x5566_7788_0000_0518,
                0x1122_3344_0000_0000,
                0x0000_0000_0024_926b,
                0x95,
            ]
        );
    }
}
