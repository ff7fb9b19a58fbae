//! A sensor's side counters: details of what its slots count, never part of the sum over them. Their offsets in
//! the page [`SIDE_PAGE`](super::SIDE_PAGE); numbers are only ever added.

use core::ops::Range;

use super::page::PAGE_SLOTS;

/// SYNs by the tool that made them.
pub const TOOLS: Range<u32> = 0..64;
/// TCP segments by their flags.
pub const TCP_KINDS: Range<u32> = 64..80;
/// Backscatter by its kind.
pub const BACKSCATTER: Range<u32> = 80..96;
/// Evidence: handed over, and skipped by reason.
pub const EVIDENCE: Range<u32> = 96..112;
/// Packets by the constituency that they come from.
pub const CONSTITUENCIES: Range<u32> = 256..512;

const _: () = assert!(CONSTITUENCIES.end <= PAGE_SLOTS);
