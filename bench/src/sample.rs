//! One measurement, and what two probes took right before it.
//!
//! A virtual machine has states that last from seconds to minutes: in the slow one `XDP_DROP` alone costs up to half as
//! much again, and any program that reads the packet costs twice as much. Who compares two moments compares states, so
//! each sample has its own probes.

use serde_json::{Value, json};

/// A measurement.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// In the figure's unit.
    pub value: f64,
    /// What the probes beside it took, if there were any.
    pub probes: Option<Probes>,
}

/// What the least programs took for the same packets, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Probes {
    /// `XDP_DROP` alone.
    pub dropping: f64,
    /// `XDP_DROP` after reading the ports.
    pub reading: f64,
}

/// Which of its two states the machine was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Reading a packet costs little more than dropping it.
    Fast,
    /// It costs 1.3 times as much, or more.
    Slow,
}

/// From how many times `XDP_DROP` alone on the reading probe says that the state is slow: in the fast state it was seen
/// at 1.0 to 1.15 times, in the slow one at 1.5 to 1.7.
const SLOW: f64 = 1.3;

impl Probes {
    /// The machine's state.
    pub fn state(self) -> State {
        if self.reading < SLOW * self.dropping { State::Fast } else { State::Slow }
    }
}

impl Sample {
    /// The machine's state, as the probes tell it.
    pub fn state(&self) -> Option<State> {
        self.probes.map(Probes::state)
    }

    /// The probes for programs; null without.
    pub fn probes_to_json(&self) -> Value {
        self.probes.map_or(Value::Null, |probes| {
            let state = if probes.state() == State::Fast { "fast" } else { "slow" };
            json!({ "drop": probes.dropping, "reading": probes.reading, "state": state })
        })
    }
}
