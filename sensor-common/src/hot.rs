//! Hot words: the 32 bits in front of a slot's counter that a packet really touches.
//!
//! What a packet to a random port costs is a miss of the core's own cache: 65,536 counters of 16 bytes are 1 MiB,
//! and don't fit there; 65,536 words of 4 bytes are 256 KiB, and do. So a packet adds itself to its slot's word
//! alone, which runs freely: packets in the low bits, bytes above them. Only when the upper half of either field
//! begins or ends is the [`Counter`] behind it set to the exact value: every 512 packets, or 2 MiB.
//!
//! A reader finds the exact value in both together, at any moment: [`Word::read`]. What it must look at, and in
//! which order, follows from the order of [`add`]'s stores, of which all CPUs see the earlier first. So it is on x86 and
//! s390x. Elsewhere a store may be seen late by as long as it stays in its CPU's buffer, which is far shorter than a
//! reader takes from one map to the next; what could go wrong if it were not is said in `docs/architecture.md`:
//!
//! 1. It reads the page's count of settings, the words, the counters, and the count of settings again.
//! 2. Unchanged, at most one setting was on its way on that CPU, begun before. Whatever mix of its stores was
//!    seen, [`Word::read`] tells the truth.
//! 3. Changed, the counters that were read are the first look. It reads the words again, and then the counters
//!    again: [`Word::read_again`].
//!
//! So a value is exact while nothing arrives, never above the truth, and never below what was read before.

use core::hint::cold_path;

use crate::layout::Counter;

/// A hot word whose fields are this many bits wide.
///
/// The kernel's are [`HotWord`]s. Narrower ones turn over so soon that tests can go through everything that may
/// happen.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Word<const PACKETS: u32, const BYTES: u32>(u32);

/// The hot word of a slot: ten bits of packets, 22 of bytes.
pub type HotWord = Word<10, 22>;

const _: () = assert!(size_of::<HotWord>() == 4);

// SAFETY: `Word` is a transparent u32: any bits are a valid value.
#[cfg(feature = "aya")]
unsafe impl<const PACKETS: u32, const BYTES: u32> aya::Pod for Word<PACKETS, BYTES> {}

/// A slot as [`add`] sees it. Each value is read and written whole, and in the order of the calls.
pub trait Place<const PACKETS: u32, const BYTES: u32> {
    /// What is behind the word.
    type Behind: Behind;

    /// The word.
    fn word(&self) -> Word<PACKETS, BYTES>;
    /// Stores the word.
    fn set_word(&self, word: Word<PACKETS, BYTES>);
    /// What is behind it. `None`, which must not be, if there is nothing.
    fn behind(&self) -> Option<Self::Behind>;
}

/// The counter behind a word, and its page's count of settings.
pub trait Behind {
    /// The counter.
    fn counter(&self) -> Counter;
    /// Adds one to the page's count of settings.
    fn raise_settings(&self);
    /// Stores the counter's packets.
    fn set_packets(&self, packets: u64);
    /// Stores the counter's bytes.
    fn set_bytes(&self, bytes: u64);
}

/// Counts a packet of `length` bytes, fewer than a quarter of what the word's bytes can tell.
#[inline(always)]
pub fn add<const PACKETS: u32, const BYTES: u32>(place: &impl Place<PACKETS, BYTES>, length: u32) {
    let before = place.word();
    let after = before.plus(length);
    if before.settles(after) {
        cold_path();
        settle(place, after.without_carry());
    } else {
        place.set_word(after);
    }
}

/// Stores a word, and sets the counter behind it to the exact value.
///
/// The count of settings is raised first, so that who sees the new counter sees that it was set, however long
/// the CPU is taken away in between.
#[inline(always)]
fn settle<const PACKETS: u32, const BYTES: u32>(
    place: &impl Place<PACKETS, BYTES>,
    word: Word<PACKETS, BYTES>,
) {
    let Some(behind) = place.behind() else { return };
    let Counter { packets, bytes } = word.exact(behind.counter());
    behind.raise_settings();
    place.set_word(word);
    behind.set_packets(packets);
    behind.set_bytes(bytes);
}

impl<const PACKETS: u32, const BYTES: u32> Word<PACKETS, BYTES> {
    /// Nothing counted.
    pub const NONE: Self = Self(0);

    /// Bits that are used: all 32 in the kernel.
    const ALL: u32 = u32::MAX >> (u32::BITS - PACKETS - BYTES);
    /// The highest bit of either field.
    const UPPER: u32 = 1 << (PACKETS - 1) | 1 << (PACKETS + BYTES - 1);
    /// What packets are counted modulo.
    const PACKETS_MODULUS: u32 = 1 << PACKETS;
    /// What bytes are counted modulo.
    const BYTES_MODULUS: u32 = 1 << BYTES;

    /// The word after one more packet, but for a carry out of the packets, which only comes about where
    /// [`Word::settles`] says so.
    #[must_use]
    #[inline(always)]
    pub const fn plus(self, length: u32) -> Self {
        Self(self.0.wrapping_add(length << PACKETS | 1) & Self::ALL)
    }

    /// Whether the counter must be set when this word becomes that one.
    #[must_use]
    #[inline(always)]
    pub const fn settles(self, next: Self) -> bool {
        (self.0 ^ next.0) & Self::UPPER != 0
    }

    /// Takes back out of the bytes what [`Word::plus`] has carried out of the packets.
    #[must_use]
    #[inline(always)]
    pub const fn without_carry(self) -> Self {
        if self.packets() != 0 { self } else { Self(self.0.wrapping_sub(1 << PACKETS) & Self::ALL) }
    }

    /// Packets, modulo two to the power of their width.
    #[inline(always)]
    const fn packets(self) -> u32 {
        self.0 % Self::PACKETS_MODULUS
    }

    /// Bytes, likewise.
    #[inline(always)]
    const fn bytes(self) -> u32 {
        self.0 >> PACKETS
    }

    /// The exact value, to which a counter that was last exact less than a turn ago is to be set.
    #[must_use]
    #[inline(always)]
    pub const fn exact(self, counter: Counter) -> Counter {
        Counter {
            packets: counter.packets + ahead(self.packets(), counter.packets, Self::PACKETS_MODULUS) as u64,
            bytes: counter.bytes + ahead(self.bytes(), counter.bytes, Self::BYTES_MODULUS) as u64,
        }
    }

    /// The value that the word tells if the counter behind it was never set.
    #[must_use]
    #[inline(always)]
    pub const fn read_alone(self) -> Counter {
        Counter { packets: self.packets() as u64, bytes: self.bytes() as u64 }
    }

    /// The value that the word and the counter behind it tell together.
    #[must_use]
    #[inline(always)]
    pub const fn read(self, counter: Counter) -> Counter {
        Counter {
            packets: together(self.packets(), counter.packets, Self::PACKETS_MODULUS),
            bytes: together(self.bytes(), counter.bytes, Self::BYTES_MODULUS),
        }
    }

    /// The value that the word tells together with the counter as it was just before and just after the word
    /// was read: what was set meanwhile was exact when it was set.
    #[must_use]
    #[inline(always)]
    pub const fn read_again(self, before: Counter, after: Counter) -> Counter {
        let read = self.read(after);
        Counter {
            packets: if before.packets == after.packets { read.packets } else { after.packets },
            bytes: if before.bytes == after.bytes { read.bytes } else { after.bytes },
        }
    }
}

/// How far the word is ahead of the counter. In 32 bits: the compiler then does several slots at once.
#[inline(always)]
const fn ahead(word: u32, counter: u64, modulus: u32) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "the modulus divides what is cut off")]
    let counter = counter as u32;
    word.wrapping_sub(counter) % modulus
}

/// Further than three quarters of a turn cannot be: the counter was set after the word was read.
#[inline(always)]
const fn together(word: u32, counter: u64, modulus: u32) -> u64 {
    let ahead = ahead(word, counter, modulus);
    counter + if ahead <= modulus / 4 * 3 { ahead as u64 } else { 0 }
}

#[cfg(test)]
mod tests;
