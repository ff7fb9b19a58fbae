//! The map of all counters, and where a sensor's are in it.

use super::slot::SENSOR_SLOTS;

/// Name of the map of all counters: a `BPF_MAP_TYPE_PERCPU_ARRAY` of [`Page`].
pub const COUNTERS: &str = "COUNTERS";

/// Packets and bytes of one slot on one CPU.
///
/// Each is consistent by itself; a reader may see the packet of one moment with the bytes of another.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// Packets counted.
    pub packets: u64,
    /// Bytes of those packets, from the Ethernet header to the end of the frame, without the checksum.
    pub bytes: u64,
}

/// Slots in a page.
pub const PAGE_SLOTS: u32 = 2048;

/// One element of the counters map.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Page(pub [Counter; PAGE_SLOTS as usize]);

impl Page {
    /// Nothing counted.
    #[expect(clippy::large_stack_arrays, reason = "it is copied to the heap from where constants are")]
    pub const ZERO: Self = Self([Counter { packets: 0, bytes: 0 }; PAGE_SLOTS as usize]);
}

const _: () = assert!(size_of::<Counter>() == 16);
const _: () = assert!(size_of::<Page>() == 32 * 1024);

// SAFETY: `Counter` is two u64 without padding: any bytes are a valid value, and all are initialised.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Counter {}
// SAFETY: `Page` is a transparent array of `Counter`, which is plain data.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Page {}

/// Pages of one sensor.
pub const SENSOR_PAGES: u32 = SENSOR_SLOTS / PAGE_SLOTS;

const _: () = assert!(SENSOR_SLOTS.is_multiple_of(PAGE_SLOTS));
const _: () = assert!(SENSOR_PAGES == 69);

/// Pages before the first sensor's: the side counters.
pub const SIDE_PAGES: u32 = 1;

/// Most sensors on one host. 128 sensors take 276 MiB a CPU: a bound on typing errors, not on the kernel.
pub const MAX_SENSORS: u32 = 128;

/// Elements of the counters map for `sensors` sensors.
#[must_use]
pub const fn pages(sensors: u32) -> u32 {
    SIDE_PAGES + sensors * SENSOR_PAGES
}

/// First page of sensor number `sensor`.
#[must_use]
#[inline(always)]
pub const fn first_page(sensor: u32) -> u32 {
    SIDE_PAGES + sensor * SENSOR_PAGES
}
