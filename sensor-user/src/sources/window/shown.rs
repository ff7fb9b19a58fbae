//! What a window knows of networks and of tuples, beside how many packets they sent.

use super::super::distinct::Distinct;
use super::super::seen::Seen;

/// What is known of a network of sources.
#[derive(Clone, Copy)]
pub(in crate::sources) struct Network {
    pub seen: Seen,
    /// Packets from known scanners.
    pub known: u64,
}

/// Who has shown a tuple, and when.
#[derive(Clone)]
pub(in crate::sources) struct Shown {
    pub seen: Seen,
    /// SYNs from known scanners.
    pub known: u64,
    /// Sources that are no known scanners.
    pub others: Distinct,
    /// Sources that are.
    pub known_sources: Distinct,
}

impl Shown {
    /// Bytes that one takes beside itself, at most.
    pub(in crate::sources) const MOST_BYTES: usize = 2 * Distinct::MOST_BYTES;
}
