//! Whole reports: that chance is no surge, and that a surge is found.

mod calibration;
mod cells;
pub(super) mod simulate;
