//! Whole reports: that chance is no surge, and that a surge is found.

mod calibration;
mod cells;
mod events;
mod loud;
pub(super) mod simulate;
mod sources;
