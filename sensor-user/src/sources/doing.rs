//! What a source has done: when, how much, with which tools.

use jiff::Timestamp;
use sensor_common::layout::side::{TcpKind, Tool};

use super::observation::Observation;
use super::seen::Seen;
use crate::store::Flowed;

const TOOLS: usize = Tool::ALL.len();
const KINDS: usize = TcpKind::ALL.len();

/// What a source has done, in a place of fixed size.
#[derive(Clone, Debug)]
pub(super) struct Doing {
    pub seen: Seen,
    pub bytes: u64,
    /// SYNs by tool.
    tools: [u32; TOOLS],
    /// TCP segments by kind.
    kinds: [u32; KINDS],
}

impl Doing {
    pub(super) fn since(time: Timestamp) -> Self {
        Self { seen: Seen::at(time), bytes: 0, tools: [0; TOOLS], kinds: [0; KINDS] }
    }

    pub(super) fn add(&mut self, it: &Observation) {
        self.seen.add(it.time);
        self.bytes += u64::from(it.length);
        if let Some(count) = it.tool.and_then(|tool| self.tools.get_mut(tool as usize)) {
            *count = count.saturating_add(1);
        }
        if let Some(count) = it.kind.and_then(|kind| self.kinds.get_mut(kind as usize)) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds what the store has of it: which kinds its TCP segments were is not there.
    pub(super) fn restore(&mut self, it: &Flowed) {
        self.seen.add(it.first);
        self.seen.add(it.last);
        self.bytes += it.bytes;
        if let Some(count) = it.tool.and_then(|tool| self.tools.get_mut(tool as usize)) {
            *count = count.saturating_add(u32::try_from(it.packets).unwrap_or(u32::MAX));
        }
    }

    /// SYNs that a tool made.
    pub(super) fn by(&self, tool: Tool) -> u32 {
        self.tools.get(tool as usize).copied().unwrap_or_default()
    }

    /// SYNs by tool, without those of which there is none.
    pub(super) fn tools(&self) -> impl Iterator<Item = (Tool, u32)> {
        Tool::ALL.iter().map(|&tool| (tool, self.by(tool))).filter(|&(_, packets)| packets > 0)
    }

    /// TCP segments by kind, likewise.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (TcpKind, u32)> {
        TcpKind::ALL.iter().copied().zip(self.kinds).filter(|&(_, packets)| packets > 0)
    }

    /// Adds what it did at another time.
    pub(super) fn merge(&mut self, other: &Self) {
        self.seen.merge(other.seen);
        self.bytes += other.bytes;
        for (mine, theirs) in self.tools.iter_mut().zip(other.tools) {
            *mine = mine.saturating_add(theirs);
        }
        for (mine, theirs) in self.kinds.iter_mut().zip(other.kinds) {
            *mine = mine.saturating_add(theirs);
        }
    }
}
