//! Where each counter lives.
//!
//! One per-CPU array, [`COUNTERS`], holds every sensor's counters. Its element is a [`Page`] of [`PAGE_SLOTS`]
//! counters: 32 KiB, the largest value the kernel's per-CPU allocator takes (`PCPU_MIN_UNIT_SIZE`). Each sensor
//! owns a run of [`SENSOR_PAGES`] pages: [`SLOT_PAGES`] of slots, which [`Slot`] numbers, and one of [`side`]
//! counters. Beside it are the hot words of all slots ([`HOT`]), and how often counters were set ([`SEQ`]): see
//! [`crate::hot`]. What was let through, by its reason ([`Passed`]), is in a map of its own ([`PASSED`]).

mod name;
mod page;
mod reason;
mod series;
pub mod side;
mod slot;

pub use name::{CONSTITUENCY_NAMES, NAMES, Name};
pub use page::{
    COUNTERS, Counter, HOT, MAX_SENSORS, PAGE_SLOTS, PASSED, Page, SENSOR_PAGES, SENSOR_WORDS, SEQ,
    SIDE_PAGE, SLOT_PAGES, Settings, WORDS_LENGTH, WORDS_PAGES, Words, bytes, first_page, first_words, pages,
    words,
};
pub(crate) use reason::labelled;
pub use reason::{Malformed, Passed};
pub use series::{MAX_SERIES_RECORDS, SERIES, SeriesKey, SeriesRecord};
pub use slot::{ICMP_CODES, ICMP_TYPES, PORTS, PROTOCOLS, SENSOR_SLOTS, Slot, SlotKind};

/// Version of everything in this module: a change to any layout or number here must change it. The agent
/// reports it as a label of `sensor_build_info`.
pub const SCHEMA_VERSION: u32 = 2;
