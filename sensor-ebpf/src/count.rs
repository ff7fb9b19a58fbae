//! Adds a packet to its one slot, or to the reason why it is let through.
//!
//! XDP runs with bottom halves disabled, so nothing else on this CPU touches its copy of a counter: plain
//! additions lose nothing. All stores are volatile: whoever reads the maps meanwhile relies on their order.

use core::mem::offset_of;

use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use sensor_common::hot::{self, Behind, HotWord, Place};
use sensor_common::layout::side::Side;
use sensor_common::layout::{
    Counter, PAGE_SLOTS, Page, Passed, SIDE_PAGE, Settings, Slot, WORDS_PAGES, Words, first_page,
    first_words, pages, words,
};

use crate::verifier::below;

// Sized by the agent for its sensors.
#[map]
static COUNTERS: PerCpuArray<Page> = PerCpuArray::with_max_entries(pages(1), 0);
#[map]
static HOT: PerCpuArray<Words> = PerCpuArray::with_max_entries(words(1), 0);
#[map]
static SEQ: PerCpuArray<Settings> = PerCpuArray::with_max_entries(words(1), 0);

#[map]
static PASSED: PerCpuArray<Page> = PerCpuArray::with_max_entries(1, 0);

/// Counts a dropped packet of `length` bytes.
#[inline(always)]
pub fn slot(sensor: u32, slot: Slot, length: usize) {
    // The agent sizes the maps for the sensors it names in the policy, so the element is always there.
    let Some(words) = HOT.get_ptr_mut(first_words(sensor) + slot.words()) else { return };
    // SAFETY: the offset is within the element.
    let word = unsafe { words.cast::<HotWord>().add(slot.words_offset() as usize) };
    hot::add(&Here { sensor, slot, word }, length as u32);
}

/// A sensor's side counters.
#[inline(always)]
pub fn side_counters(sensor: u32) -> Option<SideCounters> {
    COUNTERS.get_ptr_mut(first_page(sensor) + SIDE_PAGE).map(SideCounters)
}

/// The page of a sensor's side counters: this CPU's copy, which lives as long as the program runs.
pub struct SideCounters(*mut Page);

impl SideCounters {
    /// Counts a packet. The compiler and the verifier must both not know which counter it is, or it must be always the
    /// same: the mask then keeps it within the page.
    #[inline(always)]
    pub fn add(&self, side: Side) {
        let counter = self.at(side);
        counter.set_packets(counter.packets() + 1);
    }

    /// How many packets it has counted.
    #[inline(always)]
    pub fn packets(&self, side: Side) -> u64 {
        self.at(side).packets()
    }

    #[inline(always)]
    fn at(&self, side: Side) -> At {
        At(self.0.cast::<Counter>().wrapping_add(side.offset() as usize % PAGE_SLOTS as usize))
    }
}

/// Counts a packet that is let through.
#[inline(always)]
pub fn passed(reason: Passed, length: usize) {
    let Some(page) = PASSED.get_ptr_mut(0) else { return };
    // The compiler keeps a reason in some bits of a number of which the verifier loses sight.
    let Some(reason) = below::<{ PAGE_SLOTS as usize }>(reason as usize) else { return };
    At(page.cast::<Counter>().wrapping_add(reason)).add(length);
}

/// A slot on this CPU.
struct Here {
    sensor: u32,
    slot: Slot,
    /// Within this CPU's copy of the element, which lives as long as the program runs.
    word: *mut HotWord,
}

impl Place<10, 22> for Here {
    type Behind = Cold;

    #[inline(always)]
    fn word(&self) -> HotWord {
        // SAFETY: it points to a word, as its documentation says.
        unsafe { self.word.read_volatile() }
    }

    #[inline(always)]
    fn set_word(&self, word: HotWord) {
        // SAFETY: likewise.
        unsafe { self.word.write_volatile(word) }
    }

    #[inline(always)]
    fn behind(&self) -> Option<Cold> {
        let &Self { sensor, slot, .. } = self;
        let page = COUNTERS.get_ptr_mut(first_page(sensor) + slot.page())?;
        let settings = SEQ.get_ptr_mut(first_words(sensor) + slot.words())?;
        let place = (slot.page() % WORDS_PAGES) as usize;
        Some(Cold {
            counter: At(page.cast::<Counter>().wrapping_add(slot.offset() as usize)),
            settings: settings.cast::<u64>().wrapping_add(place),
        })
    }
}

/// What is behind a slot's word on this CPU.
struct Cold {
    counter: At,
    /// Within this CPU's copy of the element, which lives as long as the program runs.
    settings: *mut u64,
}

impl Behind for Cold {
    #[inline(always)]
    fn counter(&self) -> Counter {
        self.counter.get()
    }

    #[inline(always)]
    fn raise_settings(&self) {
        // SAFETY: it points to a number, as its documentation says.
        let settings = unsafe { self.settings.read_volatile() };
        // SAFETY: likewise.
        unsafe { self.settings.write_volatile(settings + 1) }
    }

    #[inline(always)]
    fn set_packets(&self, packets: u64) {
        self.counter.set_packets(packets);
    }

    #[inline(always)]
    fn set_bytes(&self, bytes: u64) {
        self.counter.set_bytes(bytes);
    }
}

/// A counter within this CPU's copy of its page, which lives as long as the program runs.
struct At(*mut Counter);

impl At {
    /// Counts a packet of `length` bytes.
    #[inline(always)]
    fn add(&self, length: usize) {
        let Counter { packets, bytes } = self.get();
        self.set_packets(packets + 1);
        self.set_bytes(bytes + length as u64);
    }

    #[inline(always)]
    fn get(&self) -> Counter {
        // SAFETY: it points to a counter, as its documentation says.
        unsafe { self.0.read_volatile() }
    }

    #[inline(always)]
    fn packets(&self) -> u64 {
        let place = self.0.wrapping_byte_add(offset_of!(Counter, packets)).cast::<u64>();
        // SAFETY: it points to a number of that counter.
        unsafe { place.read_volatile() }
    }

    #[inline(always)]
    fn set_packets(&self, packets: u64) {
        let place = self.0.wrapping_byte_add(offset_of!(Counter, packets)).cast::<u64>();
        // SAFETY: it points to a number of that counter.
        unsafe { place.write_volatile(packets) }
    }

    #[inline(always)]
    fn set_bytes(&self, bytes: u64) {
        let place = self.0.wrapping_byte_add(offset_of!(Counter, bytes)).cast::<u64>();
        // SAFETY: it points to a number of that counter.
        unsafe { place.write_volatile(bytes) }
    }
}
