//! What a window knows of networks and of tuples, beside how many packets they sent.

use sensor_common::heavy::{Heavy, forgotten};
use sensor_common::layout::SlotKind;

use super::super::distinct::Distinct;
use super::super::observation::Observation;
use super::super::seen::Seen;
use super::About;

/// Packets of something, with some of which known scanners come.
#[derive(Clone, Copy)]
pub(in crate::sources) struct Sent {
    pub seen: Seen,
    /// Packets from known scanners.
    pub known: u64,
}

impl Sent {
    /// One that begins then, without a packet yet.
    pub(in crate::sources) const fn since(seen: Seen) -> Self {
        Self { seen, known: 0 }
    }

    pub(in crate::sources) fn add(&mut self, it: &Observation, about: &About) {
        self.seen.add(it.time);
        self.known += u64::from(about.known);
    }

    pub(in crate::sources) fn merge(&mut self, other: Self) {
        self.seen.merge(other.seen);
        self.known += other.known;
    }
}

/// Who has shown a tuple, when, and to which ports.
#[derive(Clone)]
pub(in crate::sources) struct Shown {
    pub sent: Sent,
    /// Sources that are no known scanners.
    pub others: Distinct,
    /// Sources that are.
    pub known_sources: Distinct,
    /// SYNs by port: eight of them, those that more than a quarter went to among them.
    pub ports: Heavy<SlotKind, Sent>,
}

impl Shown {
    /// Bytes that one takes beside itself, at most.
    pub(in crate::sources) const MOST_BYTES: usize =
        2 * Distinct::MOST_BYTES + Heavy::<SlotKind, Sent>::least(0);

    pub(in crate::sources) fn since(seen: Seen) -> Self {
        Self {
            sent: Sent::since(seen),
            others: Distinct::default(),
            known_sources: Distinct::default(),
            ports: Heavy::within(0, 0),
        }
    }

    pub(in crate::sources) fn add(&mut self, it: &Observation, about: &About) {
        self.sent.add(it, about);
        self.ports.add(it.slot, || Sent::since(Seen::at(it.time)), forgotten).add(it, about);
        let set = if about.known { &mut self.known_sources } else { &mut self.others };
        set.add(about.key);
    }

    /// Adds what was shown at another time, but for the ports.
    pub(in crate::sources) fn merge(&mut self, other: &Self) {
        self.sent.merge(other.sent);
        self.others.merge(&other.others);
        self.known_sources.merge(&other.known_sources);
    }
}
