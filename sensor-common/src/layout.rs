//! Where each counter lives.
//!
//! One per-CPU array, [`COUNTERS`], holds every counter. Its element is a [`Page`] of [`PAGE_SLOTS`]
//! counters: 32 KiB, the largest value the kernel's per-CPU allocator takes (`PCPU_MIN_UNIT_SIZE`).
//! Page 0 holds the side counters ([`Passed`]); then each sensor owns a run of [`SENSOR_PAGES`] pages,
//! whose slots [`Slot`] numbers.

mod name;
mod page;
mod reason;
mod series;
mod slot;

pub use name::{NAMES, Name};
pub use page::{
    COUNTERS, Counter, MAX_SENSORS, PAGE_SLOTS, Page, SENSOR_PAGES, SIDE_PAGES, first_page, pages,
};
pub use reason::{Malformed, Passed};
pub use series::{MAX_SERIES_RECORDS, SERIES, SeriesKey, SeriesRecord};
pub use slot::{ICMP_CODES, ICMP_TYPES, PORTS, PROTOCOLS, SENSOR_SLOTS, Slot, SlotKind};

/// Version of everything in this module: a change to any layout or number here must change it. The agent
/// reports it as a label of `sensor_build_info`.
pub const SCHEMA_VERSION: u32 = 1;
