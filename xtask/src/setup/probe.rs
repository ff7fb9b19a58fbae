//! Compiled for the BPF target by setup, to see whether a compiler and a prebuilt `core` go together.
#![no_std]
