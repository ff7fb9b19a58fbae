//! What the kernel hands over as evidence, and what is remembered of what became of it.

use std::fs;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::{Context, Result};
use aya::maps::{Map, MapData, RingBuf};
use sensor_common::evidence::Account;

use super::element::{PerCpu, cpus};
use crate::config::SensorNumber;

/// The ring buffer of records.
pub struct Ring(RingBuf<MapData>);

impl Ring {
    pub(super) fn new(map: Map) -> Result<Self> {
        RingBuf::try_from(map).map(Self).context("the map of evidence is no ring buffer")
    }

    /// Gives `take` the next record, if there is one.
    pub fn next<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.0.next().map(|record| take(&record))
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// How many records there were, and what became of them: by sensor and CPU.
pub struct Ledger {
    numbers: PerCpu<u64>,
    accounts: PerCpu<Account>,
    cpus: usize,
    life: Option<String>,
}

impl Ledger {
    pub(super) fn new(numbers: PerCpu<u64>, accounts: PerCpu<Account>) -> Result<Self> {
        // The kernel gives no two maps the same number between two boots.
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let map = accounts.pinned().map.info().ok().map(|info| info.id());
        let life = boot.zip(map).map(|(boot, map)| format!("{}-{map}", boot.trim()));
        Ok(Self { numbers, accounts, cpus: cpus()?, life })
    }

    /// A name that no other ledger has or had: numbers of records begin anew with each. `None` if the kernel does not tell.
    #[must_use]
    pub fn life(&self) -> Option<&str> {
        self.life.as_deref()
    }

    /// The number of the last record that each CPU has made for a sensor.
    ///
    /// # Errors
    /// The kernel does not read the map.
    pub fn numbers(&self, sensor: SensorNumber) -> Result<Vec<u64>> {
        let mut numbers = vec![0; self.cpus];
        self.numbers.read(sensor.0, &mut numbers).context("cannot read the numbers of records")?;
        Ok(numbers)
    }

    /// What became of a sensor's records, by CPU.
    ///
    /// # Errors
    /// The kernel does not read the map.
    pub fn accounts(&self, sensor: SensorNumber) -> Result<Vec<Account>> {
        let mut accounts = vec![Account::default(); self.cpus];
        self.accounts.read(sensor.0, &mut accounts).context("cannot read the accounts of records")?;
        Ok(accounts)
    }

    /// Remembers what became of a sensor's records.
    ///
    /// # Errors
    /// The kernel does not write the map.
    pub fn remember(&self, sensor: SensorNumber, accounts: &[Account]) -> Result<()> {
        self.accounts.write(sensor.0, accounts).context("cannot write the accounts of records")
    }
}
