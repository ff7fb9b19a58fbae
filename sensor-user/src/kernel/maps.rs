//! The maps, and the pins that keep them and the links when the agent is gone.

mod drain;
mod element;
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
pub use guard::{Confirmation, Guard};
pub use pins::{Cleaned, Direction, Earlier, Pins, bpf_mount, clean};
pub use series::KernelSeries;
pub use shared::Shared;
