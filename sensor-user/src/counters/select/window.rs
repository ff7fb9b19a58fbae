//! How many packets each port had lately.
//!
//! Time is cut into buckets, and the window is the last [`BUCKETS`] of them that are over. A finished bucket
//! keeps only the ports that it saw: small on a quiet sensor, 1 MiB a bucket when every port is hit.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::config::Transport;
use crate::counters::port_slot::PortSlot;
use crate::counters::snapshot::{Slots, growth};

/// Buckets in the window.
pub const BUCKETS: usize = 12;

/// Length of a bucket; the window is an hour.
pub const BUCKET: Duration = Duration::from_mins(5);

/// A port's packets in the window. Ordered by rank: more packets first, then the lower slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Packets in the window.
    pub packets: Reverse<u64>,
    /// The port's slot.
    pub slot: PortSlot,
}

/// Packets by port, over a sliding window.
#[derive(Debug)]
pub struct Window {
    bucket: Duration,
    /// When the current bucket ends; `None` before the first.
    ends: Option<Instant>,
    /// The bucket that is being filled. Saturates at 14 million packets a second to one port.
    current: Box<[u32]>,
    finished: VecDeque<Vec<(PortSlot, u32)>>,
    /// Over the finished buckets: packets of each port, and in how many buckets it had any.
    packets: Box<[u64]>,
    active: Box<[u8]>,
}

impl Window {
    /// An empty window of buckets this long.
    pub fn new(bucket: Duration) -> Self {
        Self {
            bucket,
            ends: None,
            current: vec![0; PortSlot::COUNT].into(),
            finished: VecDeque::new(),
            packets: vec![0; PortSlot::COUNT].into(),
            active: vec![0; PortSlot::COUNT].into(),
        }
    }

    /// Finishes the buckets that are over by `now`; says how many.
    pub fn turn(&mut self, now: Instant) -> u64 {
        let mut ends = *self.ends.get_or_insert(now + self.bucket);
        let mut turned = 0;
        while ends <= now {
            ends += self.bucket;
            turned += 1;
            // Past a whole window of silence (the host slept), further empty buckets change nothing.
            if turned <= BUCKETS as u64 {
                self.finish_bucket();
            } else {
                ends = now + self.bucket;
            }
        }
        self.ends = Some(ends);
        turned
    }

    fn finish_bucket(&mut self) {
        if self.finished.len() == BUCKETS {
            for (slot, packets) in self.finished.pop_front().into_iter().flatten() {
                self.packets[slot.index()] -= u64::from(packets);
                self.active[slot.index()] -= 1;
            }
        }
        let mut bucket = Vec::new();
        for (slot, packets) in PortSlot::all().zip(&mut self.current).filter(|(_, packets)| **packets > 0) {
            self.packets[slot.index()] += u64::from(*packets);
            self.active[slot.index()] += 1;
            bucket.push((slot, *packets));
            *packets = 0;
        }
        bucket.shrink_to_fit();
        self.finished.push_back(bucket);
    }

    /// Counts packets to the current bucket.
    fn add(&mut self, slot: PortSlot, packets: u64) {
        let count = &mut self.current[slot.index()];
        *count = count.saturating_add(u32::try_from(packets).unwrap_or(u32::MAX));
    }

    /// Counts what each port grew by between two drains to the current bucket.
    pub fn count(&mut self, previous: &Slots, current: &Slots) {
        /// Ports that are looked at together: in a quiet minute most of them didn't move.
        const TOGETHER: usize = 64;
        let mut slots = PortSlot::all();
        for (previous, current) in previous.ports().chunks(TOGETHER).zip(current.ports().chunks(TOGETHER)) {
            let slots = slots.by_ref().take(TOGETHER);
            let ports = previous.iter().zip(current);
            if ports.clone().fold(0, |moved, (before, after)| moved | (before.packets ^ after.packets)) == 0 {
                slots.for_each(drop);
                continue;
            }
            for (slot, (&before, &after)) in slots.zip(ports) {
                if before.packets != after.packets {
                    self.add(slot, growth(before, after).packets);
                }
            }
        }
    }

    /// Where the port stands in the window.
    pub fn rank(&self, slot: PortSlot) -> Rank {
        Rank { packets: Reverse(self.packets[slot.index()]), slot }
    }

    /// The highest-ranked ports that stand out and that `wanted` takes, at most `most`, in order of rank.
    ///
    /// A port stands out if it had packets in at least two buckets, and more than twice what the median
    /// port of its transport had: what hits every port alike, once or again, makes none of them stand out.
    pub fn top(&self, most: usize, wanted: impl Fn(PortSlot) -> bool) -> Vec<Rank> {
        let floors = [Transport::Tcp, Transport::Udp].map(|transport| {
            let range = PortSlot::range(transport);
            2 * median(&self.packets[range.start().index()..=range.end().index()])
        });
        let mut ranks: Vec<Rank> = PortSlot::all()
            .zip(&self.active)
            .filter(|&(_, &active)| active >= 2)
            .map(|(slot, _)| self.rank(slot))
            .filter(|rank| rank.packets.0 > floors[rank.slot.transport() as usize])
            .filter(|rank| wanted(rank.slot))
            .collect();
        if ranks.len() > most {
            ranks.select_nth_unstable(most);
            ranks.truncate(most);
        }
        ranks.sort_unstable();
        ranks
    }
}

fn median(packets: &[u64]) -> u64 {
    let mut packets = packets.to_vec();
    let middle = packets.len() / 2;
    *packets.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const STEP: Duration = Duration::from_secs(1);
    const PORT: PortSlot = PortSlot::new(5).unwrap();

    /// Fills one bucket after the other and finishes the last.
    fn window(buckets: &[Vec<(u32, u64)>]) -> Window {
        let start = Instant::now();
        let mut window = Window::new(STEP);
        window.turn(start);
        for (bucket, number) in buckets.iter().zip(1..) {
            for &(slot, packets) in bucket {
                window.add(PortSlot::new(slot).unwrap(), packets);
            }
            assert_eq!(window.turn(start + number * STEP), 1);
        }
        window
    }

    fn slots(ranks: &[Rank]) -> Vec<u32> {
        ranks.iter().map(|rank| rank.slot.number()).collect()
    }

    #[rstest]
    #[case::one_bucket_is_not_enough(&[vec![(23, 900)]], &[])]
    #[case::two_are(&[vec![(23, 1)], vec![(23, 1)]], &[23])]
    #[case::more_packets_first(&[vec![(1, 1), (2, 5)], vec![(1, 1), (2, 5)]], &[2, 1])]
    #[case::ties_by_slot(&[vec![(9, 3), (7, 3)], vec![(9, 3), (7, 3)]], &[7, 9])]
    fn ports_that_stand_out_are_ranked(#[case] buckets: &[Vec<(u32, u64)>], #[case] expected: &[u32]) {
        assert_eq!(slots(&window(buckets).top(10, |_| true)), expected);
    }

    #[test]
    fn the_best_are_kept() {
        let bucket: Vec<_> = (0..1000).map(|slot| (slot, u64::from(slot) + 1)).collect();
        let window = window(&[bucket.clone(), bucket]);
        assert_eq!(slots(&window.top(3, |slot| slot.number() != 998)), [999, 997, 996]);
    }

    #[test]
    fn what_hits_every_port_makes_none_stand_out() {
        let sweep: Vec<_> = (0..65_536).map(|slot| (slot, 40)).collect();
        let window = window(&[sweep.clone(), sweep, vec![(23, 81)], vec![(70_000, 1)], vec![(70_000, 1)]]);
        assert_eq!(slots(&window.top(10, |_| true)), [23, 70_000]);
    }

    #[test]
    fn packets_leave_with_their_bucket() {
        let mut buckets = vec![vec![]; BUCKETS + 1];
        buckets[0] = vec![(5, 100)];
        buckets[1] = vec![(5, 10)];
        assert_eq!(window(&buckets[..BUCKETS]).rank(PORT).packets.0, 110);
        assert_eq!(window(&buckets).rank(PORT).packets.0, 10);
        assert!(window(&buckets).top(10, |_| true).is_empty());
    }

    #[test]
    fn a_long_sleep_empties_the_window() {
        let start = Instant::now();
        let mut window = Window::new(STEP);
        window.turn(start);
        window.add(PORT, u64::MAX);
        assert_eq!(window.turn(start + STEP), 1);
        assert_eq!(window.rank(PORT).packets.0, u64::from(u32::MAX));
        window.turn(start + 1_000_000 * STEP);
        assert_eq!(window.rank(PORT).packets.0, 0);
        assert_eq!(window.turn(start + 1_000_000 * STEP), 0);
        assert_eq!(window.turn(start + 1_000_001 * STEP), 1);
    }
}
