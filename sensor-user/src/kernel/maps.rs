//! The maps, and the pins that keep them and the links when the agent is gone.

mod drain;
mod guard;
mod numbers;
mod pins;
mod seed;
mod series;
mod shared;

pub use drain::Counters;
pub use guard::{Confirmation, Guard};
pub use pins::{Direction, Pins, clean};
pub use series::KernelSeries;
pub use shared::Shared;
