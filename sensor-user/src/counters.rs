//! What was counted.
//!
//! The kernel's counters as one consistent [`Snapshot`]; a [`Selection`] that bounds how many ports become
//! series of their own; and [`series`], what the metrics page says of a sensor, under its [`names`].

pub mod details;
pub mod icmp;
pub mod names;
mod number;
pub mod port_slot;
pub mod select;
pub mod series;
pub mod snapshot;
pub mod store;

pub use self::number::SnapshotNumber;
pub use self::port_slot::PortSlot;
pub use self::select::Selection;
pub use self::snapshot::{Slots, Snapshot, SnapshotBuilder};
pub(crate) use self::snapshot::{add, growth, sum};
pub use self::store::{MemoryStore, SeriesStore};
