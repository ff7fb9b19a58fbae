//! Another build of the agent, to be compared with this one: it runs by itself, and the benchmark borrows its program.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use anyhow::{Context as _, Result};
use sensor_harness::agent::{AgentProcess, Launch};
use sensor_harness::bpf;
use sensor_harness::wire::Wire;

use crate::sensor::Growth;

/// A running agent and its XDP program.
pub struct Other {
    agent: AgentProcess,
    program: OwnedFd,
    /// What the agent is attached to.
    _wire: Wire,
}

impl Other {
    /// Starts it on a wire of its own, in native mode.
    ///
    /// # Errors
    /// It does not start, or is not attached then.
    pub fn start(binary: &Path, tables: &str) -> Result<Self> {
        let wire = Wire::new()?;
        let agent = Launch::new(&wire.near.namespace)
            .binary(binary)
            .interface(&wire.near.name)
            .config(tables)
            .argument("--mode")
            .argument("native")
            .start()
            .with_context(|| format!("cannot compare with {}", binary.display()))?;
        let link = wire.near.namespace.ip(&format!("-d link show {}", wire.near.name))?;
        let number = link.split("prog/xdp id ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        let number = number.with_context(|| format!("{} is not attached", binary.display()))?;
        Ok(Self { agent, program: bpf::program(number)?, _wire: wire })
    }

    /// Its XDP program.
    pub fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }

    /// What it has counted so far.
    ///
    /// # Errors
    /// It does not answer.
    pub fn total(&self) -> Result<Growth> {
        let counts = self.agent.counts()?;
        Ok(Growth { unsolicited: counts.counted(), passed: counts.passed.values().sum() })
    }
}
