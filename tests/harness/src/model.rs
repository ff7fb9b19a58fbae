//! What the kernel's maps and clocks are to the programs, for the host build of the same code.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use sensor_common::flow::{Flow, FlowKey, Fragment, FragmentKey, Memory, Stamp, Use};

/// Maps without bounds, and clocks that stand still until they are set.
#[derive(Debug, Default)]
pub struct Model {
    now: Cell<u64>,
    flows: RefCell<HashMap<FlowKey, Flow>>,
    fragments: RefCell<HashMap<FragmentKey, Fragment>>,
    stamps: RefCell<HashMap<Use, Stamp>>,
}

/// Ticks in a second: the most that the kernel has, where stamps age fastest.
pub const TICKS: u64 = 1_000;
const SECOND: u64 = 1_000_000_000;

impl Model {
    /// Lets time pass, in seconds.
    pub fn wait(&self, seconds: u64) {
        self.now.set(self.now.get() + seconds * SECOND);
    }

    /// Conversations that were begun, forgotten or not.
    #[must_use]
    pub fn flows(&self) -> usize {
        self.flows.borrow().len()
    }
}

impl Memory for Model {
    fn now(&self) -> u64 {
        self.now.get()
    }

    fn jiffies(&self) -> u64 {
        self.now.get() / (SECOND / TICKS)
    }

    fn stamp(&self, place: Use) -> Stamp {
        self.stamps.borrow().get(&place).copied().unwrap_or(Stamp::NEVER)
    }

    fn set_stamp(&self, place: Use, stamp: Stamp) {
        self.stamps.borrow_mut().insert(place, stamp);
    }

    fn flow(&self, key: &FlowKey) -> Option<Flow> {
        self.flows.borrow().get(key).copied()
    }

    fn update_flow(&self, key: &FlowKey, next: impl FnOnce(Flow) -> Option<Flow>) -> bool {
        let mut flows = self.flows.borrow_mut();
        let Some(flow) = flows.get_mut(key) else { return false };
        let Some(next) = next(*flow) else { return false };
        *flow = next;
        true
    }

    fn insert_flow(&self, key: &FlowKey, flow: Flow) {
        self.flows.borrow_mut().insert(*key, flow);
    }

    fn fragment(&self, key: &FragmentKey) -> Option<Fragment> {
        self.fragments.borrow().get(key).copied()
    }

    fn insert_fragment(&self, key: &FragmentKey, fragment: Fragment) {
        self.fragments.borrow_mut().insert(*key, fragment);
    }
}
