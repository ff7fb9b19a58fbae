//! Events that are over: the latest, as many as there is room for.

use std::collections::VecDeque;

/// The latest events, the oldest first.
#[derive(Clone, Debug)]
pub(super) struct Over<E> {
    events: VecDeque<E>,
    /// Bytes that each takes.
    each: usize,
    most: usize,
    /// Events that there was no more room for.
    forgotten: u64,
}

impl<E> Over<E> {
    /// As many as fit into so many bytes, where each takes so many beside itself; at least eight.
    pub(super) fn within(bytes: usize, beside: usize) -> Self {
        let each = size_of::<E>() + beside;
        Self { events: VecDeque::new(), each, most: (bytes / each).max(8), forgotten: 0 }
    }

    /// Has so many bytes from now on.
    pub(super) fn bound(&mut self, bytes: usize) {
        self.most = (bytes / self.each).max(8);
        let surplus = self.events.len().saturating_sub(self.most);
        self.events.drain(..surplus);
        self.forgotten += surplus as u64;
        self.events.shrink_to_fit();
    }

    pub(super) fn push(&mut self, event: E) {
        if self.events.len() >= self.most {
            self.events.pop_front();
            self.forgotten += 1;
        }
        self.events.push_back(event);
    }

    /// How many older ones there were.
    pub(super) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &E> {
        self.events.iter()
    }
}
