//! The sensor's programs: loading them with what they must know, hearing what they log, recognising them.

mod constituents;
mod load;
mod log;
mod management;
mod monitored;
mod networks;
mod own;

pub(super) use load::EGRESS;
pub use load::{Loaded, OBJECT, Options, Variant};
pub use log::RateLimited;
pub use own::{guard_of, is_ours, is_sensors};
