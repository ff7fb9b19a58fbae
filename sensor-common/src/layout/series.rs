//! What the agent keeps in the kernel of the series that it exports.

use super::page::Counter;
use super::slot::PORTS;

/// Name of the map of exported series: a `BPF_MAP_TYPE_HASH` of [`SeriesKey`] to [`SeriesRecord`], without
/// preallocation. No program touches it: it is where the agent keeps what a successor must know.
pub const SERIES: &str = "SERIES";

/// Most entries of the series map. The kernel takes 16 bytes for each at once, used or not: so room for 1,000
/// ports of each of [`MAX_SENSORS`](super::MAX_SENSORS), and not for every port.
pub const MAX_SERIES_RECORDS: u32 = 2 * PORTS;

/// Whose series a record is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// The sensor's number.
    pub sensor: u32,
    /// The port's slot, or a number beyond all slots for what concerns the sensor.
    pub slot: u32,
}

/// What the agent knows of a series; what the states mean is the agent's affair.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeriesRecord {
    /// Number of the state.
    pub state: u32,
    /// Always 0.
    pub reserved: u32,
    /// The counter that goes with the state.
    pub counter: Counter,
}

const _: () = assert!(size_of::<SeriesKey>() == 8);
const _: () = assert!(size_of::<SeriesRecord>() == 24);

// SAFETY: two u32: any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for SeriesKey {}
// SAFETY: integers, laid out without padding (the assertion above): any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for SeriesRecord {}
