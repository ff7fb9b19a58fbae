//! Evidence: records of counted packets, as the kernel hands them over.
//!
//! A record is made while the [`Budget`] lasts, and skipped otherwise; both are counted, by sensor. Each begins with a
//! [`Record`] and goes on with the first bytes of the frame. All are of one length, so that the verifier knows it:
//! [`record_bytes`].

use crate::layout::labelled;
use crate::layout::side::Side;
use crate::layout::{SCHEMA_VERSION, Slot, SlotKind};

/// Name of the ring buffer that records are handed over in.
pub const EVIDENCE: &str = "EVIDENCE";
/// Name of the map of records' numbers: a `BPF_MAP_TYPE_PERCPU_ARRAY` of the last one of each sensor.
pub const NUMBERS: &str = "NUMBERS";
/// Name of the map of what became of the records: a `BPF_MAP_TYPE_PERCPU_ARRAY` of an [`Account`] of each sensor. No program
/// touches it: it is where the agent keeps what a successor must know.
pub const ACCOUNTS: &str = "ACCOUNTS";
/// Name of the load-time constant with what a record costs, in nanoseconds of each [`Budget`]; 0 keeps none.
pub const RECORD_COST: &str = "RECORD_COST";
/// Name of the load-time constant with how many bytes of a frame are kept at most: [`MIN_SNAP_LENGTH`] to
/// [`MAX_SNAP_LENGTH`].
pub const SNAP_LENGTH: &str = "SNAP_LENGTH";

/// Size of the ring buffer in bytes, a power of two: where nobody reads it, records of 0.4 s at 100,000 a second with
/// their headers, and of 0.05 s with whole frames.
pub const RING_BYTES: u32 = 8 << 20;
/// Fewest bytes of a frame that may be kept: Ethernet, IPv6 and the ports.
pub const MIN_SNAP_LENGTH: u32 = 64;
/// Most bytes of a frame that are kept: an Ethernet frame without tags.
pub const MAX_SNAP_LENGTH: u32 = 1514;

/// How much credit a CPU's bucket holds, in nanoseconds, or one record's: what comes at once after some quiet, and is kept
/// whole, is as much as is paid for in a quarter of a second.
pub const BUCKET_DEPTH: u64 = 250_000_000;

/// Whose packets a bucket pays for.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Everybody's.
    Anybody,
    /// Those of constituencies, so that a flood from elsewhere cannot take it.
    Constituencies,
}

impl Budget {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Anybody, Self::Constituencies];

    /// What pays for a packet.
    #[must_use]
    #[inline(always)]
    pub const fn of(is_constituents: bool) -> Self {
        if is_constituents { Self::Constituencies } else { Self::Anybody }
    }
}

/// A token bucket of one CPU: time is its credit, and a record costs some.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The kernel's jiffies when it was last filled.
    pub jiffies: u64,
    /// The monotonic clock then, in nanoseconds.
    pub filled: u64,
    /// What is left, in nanoseconds.
    pub credit: u64,
}

impl Bucket {
    /// As it is once it is filled, in another jiffy than it was last, at this time; a record costs so much.
    #[must_use]
    #[inline(always)]
    pub const fn filled(self, jiffies: u64, now: u64, cost: u64) -> Self {
        let depth = if cost > BUCKET_DEPTH { cost } else { BUCKET_DEPTH };
        let credit = self.credit.wrapping_add(now.wrapping_sub(self.filled));
        Self { jiffies, filled: now, credit: if credit < depth { credit } else { depth } }
    }
}

/// What a record says of its packet, before the bytes of the frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number among those of its sensor on its CPU: from 1 on, without a gap.
    pub number: u64,
    /// How many packets of its sensor this CPU had skipped by then, for whatever reason.
    pub skipped: u64,
    /// When the program saw it: the monotonic clock, in nanoseconds.
    pub time: u64,
    /// The sensor's number.
    pub sensor: u32,
    /// The index of the packet's slot.
    pub slot: u32,
    /// The number of the interface that it came in by.
    pub interface: u32,
    /// Length of the frame in bytes.
    pub length: u32,
    /// How many bytes of it follow.
    pub captured: u32,
    /// The offset of its side counter.
    pub side: u16,
    /// The CPU that counted it.
    pub cpu: u16,
    /// [`Record::OBSERVED`], [`Record::CONSTITUENCY`].
    pub flags: u64,
}

const _: () = assert!(size_of::<Record>() == 56 && SCHEMA_VERSION == 2);

impl Record {
    /// It was counted and let through.
    pub const OBSERVED: u64 = 1 << 0;
    /// Its bucket was [`Budget::Constituencies`].
    pub const CONSTITUENCY: u64 = 1 << 1;

    /// The record at the start of these bytes, and what it has of the frame; `None` if they are no whole record.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let header = bytes.get(..size_of::<Self>())?;
        // SAFETY: as many bytes as a `Record` has, which is integers without padding: any bytes are a valid one.
        let record = unsafe { header.as_ptr().cast::<Self>().read_unaligned() };
        let frame = bytes.get(size_of::<Self>()..)?.get(..usize::try_from(record.captured).ok()?)?;
        let is_whole = record.captured <= record.length && record.number > 0;
        is_whole.then_some((record, frame))
    }

    /// The slot that the packet added to; `None` if there is no such slot.
    #[must_use]
    pub const fn slot(&self) -> Option<SlotKind> {
        Slot::describe(self.slot)
    }

    /// The side counter that it added to.
    #[must_use]
    pub const fn side(&self) -> Side {
        Side::at(self.side as u32)
    }
}

/// What became of the records of a sensor on a CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The number of the last record of which is known what became of it.
    pub last: u64,
    /// How many packets had been skipped by then.
    pub skipped: u64,
    /// Records written to a file.
    pub written: u64,
    /// Records lost, by [`Lost`]: with those written, as many as `last` says.
    pub lost: [u64; Lost::ALL.len()],
    /// Packets skipped or lost since the last record that was written: the next one will say so.
    pub unsaid: u64,
}

labelled! {
    /// Why a record that was handed over was not written.
    Lost {
        /// The disk was full, or failed.
        Disk => "disk",
        /// The disk took longer than there was memory for.
        Stalled => "stalled",
        /// The agent ended between taking it over and writing it.
        Ended => "ended",
    }
}

// SAFETY: integers, laid out without padding: any bytes are a valid value.
#[cfg(feature = "aya")]
unsafe impl aya::Pod for Account {}

const _: () = assert!(size_of::<Account>() == 56);

/// Length of every record in bytes, where so many bytes of a frame are kept at most: there is room for whole words.
#[must_use]
#[inline(always)]
pub const fn record_bytes(snap_length: u32) -> usize {
    size_of::<Record>() + ((snap_length as usize + 7) & !7)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    /// How many records of this cost a bucket pays for, if packets come at these times.
    fn paid(cost: u64, times: impl Iterator<Item = u64>) -> usize {
        let mut bucket = Bucket::default();
        times
            .filter(|&time| {
                let jiffies = time / (4 * MILLISECOND);
                if jiffies != bucket.jiffies {
                    bucket = bucket.filled(jiffies, time, cost);
                }
                let pays = bucket.credit >= cost;
                bucket.credit -= if pays { cost } else { 0 };
                pays
            })
            .count()
    }

    #[test]
    fn a_bucket_pays_for_its_rate_and_no_more() {
        let second = 1000 * MILLISECOND;
        // What came before it was first filled is credit too: a bucket begins full.
        let start = 10 * second;
        for rate in [1, 10, 999, 10_000] {
            let cost = second / rate;
            let depth = usize::try_from(BUCKET_DEPTH.max(cost) / cost).unwrap();
            // A flood of 100,000 a second, over ten seconds.
            let kept = paid(cost, (0..1_000_000).map(|packet| start + packet * 10_000));
            let due = usize::try_from(10 * rate).unwrap();
            assert!((due..=due + depth + 1).contains(&kept), "{kept} of {rate} a second");
            // What fits is kept whole.
            let fits = paid(cost, (0..1000).map(|packet| start + packet * cost.max(5 * MILLISECOND)));
            assert_eq!(fits, 1000, "{rate} a second");
        }
    }

    #[test]
    fn a_record_is_parsed_whole_or_not_at_all() {
        let record = Record {
            number: 7,
            skipped: 9,
            time: 8,
            sensor: 1,
            slot: Slot::tcp(23).index(),
            interface: 2,
            length: 60,
            captured: 4,
            side: 2047,
            cpu: 3,
            flags: Record::OBSERVED,
        };
        // SAFETY: a record is integers without padding, all of them initialised.
        let header: [u8; size_of::<Record>()] = unsafe { core::mem::transmute(record) };
        let mut bytes = [0; size_of::<Record>() + 8];
        bytes[..header.len()].copy_from_slice(&header);
        bytes[header.len()..].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        let (parsed, frame) = Record::parse(&bytes).unwrap();
        assert_eq!((parsed, frame), (record, &[1, 2, 3, 4][..]));
        assert_eq!((parsed.slot(), parsed.side()), (Some(SlotKind::Tcp(23)), Side::NONE));
        assert_eq!(Record::parse(&bytes[..header.len() + 3]), None);
        assert_eq!(Record::parse(&[]), None);
    }
}
