//! Sends packets at a steady pace, and keeps the truth about them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use sensor_harness::counts::Counts;
use sensor_harness::sender::Sender;
use sensor_harness::wire::Wire;

use crate::source::Source;

/// How much to send, and how fast.
pub struct Plan {
    /// Packets a second.
    pub rate: u32,
    /// Packets in all; `None`: as many as there are.
    pub packets: Option<u64>,
}

/// Time between bursts: short enough to look steady.
const TICK: Duration = Duration::from_millis(10);

/// Packets on their way.
pub struct Traffic {
    plan: Plan,
    stop: AtomicBool,
    failed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    truth: Counts,
    finished: bool,
}

/// Packets to have been sent after `time`.
fn due(time: Duration, rate: u32) -> u64 {
    let packets = time.as_micros() * u128::from(rate) / 1_000_000;
    u64::try_from(packets).unwrap_or(u64::MAX)
}

impl Traffic {
    pub fn new(plan: Plan) -> Self {
        Self { plan, stop: AtomicBool::new(false), failed: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Sends until told to stop, or until there is no more.
    pub fn send(&self, wire: &Wire, source: Source) -> Result<()> {
        let sent = self.send_paced(wire, source);
        self.failed.store(sent.is_err(), Ordering::Relaxed);
        self.state().finished = true;
        sent
    }

    fn send_paced(&self, wire: &Wire, source: Source) -> Result<()> {
        let sender = Sender::new(wire)?;
        let limit = self.plan.packets.unwrap_or(u64::MAX);
        let mut samples = source.samples()?;
        let mut sent = 0;
        let start = Instant::now();
        while !self.stop.load(Ordering::Relaxed) && sent < limit {
            let due = due(start.elapsed(), self.plan.rate);
            let burst = due.min(limit).saturating_sub(sent);
            let burst = samples
                .by_ref()
                .take(usize::try_from(burst).unwrap_or(usize::MAX))
                .collect::<Result<Vec<_>>>()?;
            if burst.is_empty() && due > sent {
                break;
            }
            let frames: Vec<&[u8]> = burst.iter().map(|sample| sample.frame.as_slice()).collect();
            sender.send(&frames)?;
            sent += burst.len() as u64;
            let mut state = self.state();
            for sample in &burst {
                state.truth.add(sample.verdict, sample.frame.len());
            }
            drop(state);
            std::thread::sleep(TICK);
        }
        Ok(())
    }

    /// Tells the sender to stop.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the sender gave up.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Whether all has been sent that there was to send.
    pub fn finished(&self) -> bool {
        self.state().finished
    }

    /// What was sent.
    pub fn truth(&self) -> Counts {
        self.state().truth.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
