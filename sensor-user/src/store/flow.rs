//! What a row is about: what one source sent to one slot of one sensor with one tool, in one hour.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use sensor_common::layout::side::Tool;
use sensor_common::layout::{Slot, SlotKind};

use crate::sources::Source;

/// Milliseconds of an hour.
pub(super) const HOUR_MS: i64 = 3_600_000;
/// In place of a slot: the row sums up what has none of its own.
pub(super) const REST: i64 = -1;
/// In place of a tool: the packets are no SYNs.
const NO_TOOL: i64 = -1;

/// Which row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    /// Full hours since 1970, UTC.
    pub hour: i64,
    /// The sensor's place among the names that a feed knows.
    pub sensor: u32,
    pub slot: SlotNumber,
    pub source: Source,
    pub tool: Option<Tool>,
}

/// The number of a slot, which is what rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SlotNumber(pub u32);

impl From<SlotKind> for SlotNumber {
    fn from(kind: SlotKind) -> Self {
        Self(Slot::from(kind).index())
    }
}

/// What a row sums up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub packets: u64,
    pub bytes: u64,
    /// When the first was seen: milliseconds into the hour.
    pub first: u32,
    /// When the last was seen.
    pub last: u32,
}

impl Flow {
    /// One packet of this length, so many milliseconds into the hour.
    pub(super) const fn packet(at: u32, length: u32) -> Self {
        Self { packets: 1, bytes: length as u64, first: at, last: at }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// The hour of a time, and the milliseconds into it.
pub(super) fn hour_of(time: Timestamp) -> (i64, u32) {
    let milliseconds = time.as_millisecond();
    let within = u32::try_from(milliseconds.rem_euclid(HOUR_MS)).unwrap_or_default();
    (milliseconds.div_euclid(HOUR_MS), within)
}

/// When an hour begins, or that many milliseconds into it.
pub(super) fn time_of(hour: i64, within: i64) -> Timestamp {
    Timestamp::from_millisecond(hour.saturating_mul(HOUR_MS).saturating_add(within)).unwrap_or_default()
}

/// A source as a database keeps it: the bytes of an IPv4 address, or the first eight of IPv6's.
pub(super) fn blob(source: Source) -> Vec<u8> {
    match source {
        Source::V4(address) => address.octets().to_vec(),
        Source::V6(bits) => bits.to_be_bytes().to_vec(),
    }
}

/// Likewise, back; `None` of what is no source's: of the row that sums up the rest.
pub(super) fn source(blob: &[u8]) -> Option<Source> {
    if let Ok(octets) = <[u8; 4]>::try_from(blob) {
        return Some(Source::V4(Ipv4Addr::from(octets)));
    }
    <[u8; 8]>::try_from(blob).ok().map(|bytes| Source::V6(u64::from_be_bytes(bytes)))
}

/// A tool as a database keeps it.
pub(super) fn tool_number(tool: Option<Tool>) -> i64 {
    tool.map_or(NO_TOOL, |tool| tool as i64)
}

/// Likewise, back.
pub(super) fn tool(number: i64) -> Option<Tool> {
    usize::try_from(number).ok().and_then(|number| Tool::ALL.get(number)).copied()
}

/// What a slot's number counts; `None` of the row that sums up the rest.
pub(super) fn slot(number: i64) -> Option<SlotKind> {
    u32::try_from(number).ok().and_then(Slot::describe)
}

/// A count as a database keeps it: beyond 2^63 nothing is counted.
pub(super) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Likewise, back.
pub(super) fn count(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or_default()
}
