//! The maps, and the pins that keep them and the links when the agent is gone.

mod constituencies;
mod drain;
mod element;
mod evidence;
mod generation;
mod guard;
mod numbers;
mod pinned;
mod pins;
mod reader;
pub mod rules;
mod schema1;
mod seed;
mod series;
mod shared;

pub use drain::Counters;
pub use evidence::{Ledger, Ring};
pub use guard::{Confirmation, Guard};
pub use pins::{
    Cleaned, DEFAULT_PINS, Direction, Earlier, Pins, Root, bpf_mount, check_names, clean, detach_command,
    detach_command_of, typed_detach,
};
pub use series::KernelSeries;
pub use shared::Shared;
