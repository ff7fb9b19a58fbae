//! The maps, and the pins that keep them and the links when the agent is gone.

mod drain;
mod element;
mod generation;
mod guard;
mod numbers;
mod pinned;
mod pins;
mod reader;
mod schema1;
mod seed;
mod series;
mod shared;

pub use drain::Counters;
pub use guard::{Confirmation, Guard};
pub use pins::{Direction, Pins, clean};
pub use series::KernelSeries;
pub use shared::Shared;
