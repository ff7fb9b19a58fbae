//! The maps of all counters, and where a sensor's are in them.

use super::slot::SENSOR_SLOTS;
use crate::hot::HotWord;

/// Name of the map of all counters: a `BPF_MAP_TYPE_PERCPU_ARRAY` of [`Page`].
pub const COUNTERS: &str = "COUNTERS";
/// Name of the map of hot words: a `BPF_MAP_TYPE_PERCPU_ARRAY` of [`Words`].
pub const HOT: &str = "HOT";
/// Name of the map of how often counters were set: a `BPF_MAP_TYPE_PERCPU_ARRAY` of [`Settings`].
pub const SEQ: &str = "SEQ";
/// Name of the map of what was let through: a `BPF_MAP_TYPE_PERCPU_ARRAY` of one [`Page`], whose offsets are those
/// of [`Passed`](super::Passed).
pub const PASSED: &str = "PASSED";

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

/// Pages whose hot words are in one element of their map.
pub const WORDS_PAGES: u32 = 4;
/// Hot words in one element of their map.
pub const WORDS_LENGTH: u32 = WORDS_PAGES * PAGE_SLOTS;

/// One element of the map of hot words: those of [`WORDS_PAGES`] pages, one after another.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Words(pub [HotWord; WORDS_LENGTH as usize]);

impl Words {
    /// Nothing counted.
    #[expect(clippy::large_stack_arrays, reason = "it is copied to the heap from where constants are")]
    pub const ZERO: Self = Self([HotWord::NONE; WORDS_LENGTH as usize]);
}

/// One element of the map of how often counters were set, beside the element of hot words: a number for each of
/// their pages.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings(pub [u64; WORDS_PAGES as usize]);

const _: () = assert!(size_of::<Counter>() == 16);
const _: () = assert!(size_of::<Page>() == 32 * 1024);
const _: () = assert!(size_of::<Words>() == 32 * 1024);

// SAFETY: `Counter` is two u64 without padding: any bytes are a valid value, and all are initialised.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Counter {}
// SAFETY: `Page` is a transparent array of `Counter`, which is plain data.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Page {}
// SAFETY: `Words` is a transparent array of `HotWord`, which is plain data.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Words {}
// SAFETY: `Settings` is a transparent array of u64.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Settings {}

/// Pages of slots, of one sensor; each of them has hot words, and no other page has.
pub const SLOT_PAGES: u32 = SENSOR_SLOTS / PAGE_SLOTS;
/// The page of a sensor's side counters, which are in [`super::side`].
pub const SIDE_PAGE: u32 = SLOT_PAGES;
/// Pages of one sensor. The last two are unused.
pub const SENSOR_PAGES: u32 = 72;
/// Elements of one sensor in the maps of hot words and settings.
pub const SENSOR_WORDS: u32 = SENSOR_PAGES / WORDS_PAGES;

const _: () = assert!(SENSOR_SLOTS.is_multiple_of(PAGE_SLOTS));
const _: () = assert!(SLOT_PAGES == 69);
const _: () = assert!(SENSOR_PAGES.is_multiple_of(WORDS_PAGES));

/// Most sensors on one host. 128 sensors take 360 MiB a CPU: a bound on typing errors, not on the kernel.
pub const MAX_SENSORS: u32 = 128;

/// Memory that the counters of `sensors` sensors take for each CPU, in bytes.
#[must_use]
pub const fn bytes(sensors: u32) -> usize {
    pages(sensors) as usize * size_of::<Page>()
        + words(sensors) as usize * (size_of::<Words>() + size_of::<Settings>())
}

/// Elements of the counters map for `sensors` sensors.
#[must_use]
pub const fn pages(sensors: u32) -> u32 {
    sensors * SENSOR_PAGES
}

/// First page of sensor number `sensor`.
#[must_use]
#[inline(always)]
pub const fn first_page(sensor: u32) -> u32 {
    sensor * SENSOR_PAGES
}

/// Elements of the maps of hot words and settings for `sensors` sensors.
#[must_use]
pub const fn words(sensors: u32) -> u32 {
    sensors * SENSOR_WORDS
}

/// First element of sensor number `sensor` in the maps of hot words and settings.
#[must_use]
#[inline(always)]
pub const fn first_words(sensor: u32) -> u32 {
    sensor * SENSOR_WORDS
}
