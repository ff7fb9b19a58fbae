//! What became of each record: written, or lost and why. Nothing is forgotten over a restart, however it came.

use std::collections::BTreeMap;

use anyhow::Result;
use sensor_common::evidence::{Account, Lost, Record};

use crate::config::SensorNumber;
use crate::kernel::Ledger;

/// The accounts of all sensors whose records have come, by CPU.
pub(super) struct Accounts {
    ledger: Ledger,
    sensors: BTreeMap<SensorNumber, Entry>,
}

#[derive(Clone)]
struct Entry {
    accounts: Vec<Account>,
    /// What was handed over before this agent took anything: what does not come of it was lost as the last one ended.
    before: Vec<u64>,
    changed: bool,
}

/// The accounts as they were.
pub(super) struct Earlier(BTreeMap<SensorNumber, Entry>);

impl Accounts {
    /// Those that an earlier agent has kept.
    ///
    /// # Errors
    /// The kernel does not give them.
    pub(super) fn new(ledger: Ledger, sensors: impl IntoIterator<Item = SensorNumber>) -> Result<Self> {
        let mut accounts = Self { ledger, sensors: BTreeMap::new() };
        for sensor in sensors {
            accounts.open(sensor)?;
        }
        Ok(accounts)
    }

    fn open(&mut self, sensor: SensorNumber) -> Result<()> {
        let (accounts, before) = (self.ledger.accounts(sensor)?, self.ledger.numbers(sensor)?);
        self.sensors.insert(sensor, Entry { accounts, before, changed: false });
        Ok(())
    }

    /// The numbers of the last records that were handed over before this agent took any, by sensor and CPU.
    pub(super) fn before(&self) -> impl Iterator<Item = (SensorNumber, usize, u64)> {
        self.sensors.iter().flat_map(|(&sensor, entry)| {
            entry.before.iter().enumerate().map(move |(cpu, &number)| (sensor, cpu, number))
        })
    }

    /// Which counters the records belong to: see [`Ledger::life`].
    pub(super) fn life(&self) -> Option<&str> {
        self.ledger.life()
    }

    /// Notes that all that was handed over before is taken, or lost.
    pub(super) fn close(&mut self) {
        for (sensor, cpu, number) in self.before().collect::<Vec<_>>() {
            self.taken(sensor, cpu, number);
        }
    }

    /// What there is to go back to.
    pub(super) fn keep(&self) -> Earlier {
        Earlier(self.sensors.clone())
    }

    /// Goes back to that.
    pub(super) fn go_back(&mut self, Earlier(sensors): Earlier) {
        self.sensors = sensors;
    }

    /// Notes that a record is written, and gives how many packets were skipped or lost since the last one that was;
    /// `None` if it was seen before.
    pub(super) fn written(&mut self, record: &Record) -> Option<u64> {
        let account = self.reach(record)?;
        account.written += 1;
        Some(std::mem::take(&mut account.unsaid))
    }

    /// Notes that a record was written, which a file tells: its number, and how many packets it says were skipped or lost
    /// before it.
    pub(super) fn recall(&mut self, sensor: SensorNumber, cpu: usize, number: u64, dropped: u64) {
        let Some(entry) = self.sensors.get_mut(&sensor) else { return };
        if number == 0 || entry.accounts.get(cpu).is_none_or(|account| account.last >= number) {
            return;
        }
        entry.reach(cpu, number - 1);
        let Some(account) = entry.accounts.get_mut(cpu) else { return };
        account.skipped += dropped.saturating_sub(std::mem::take(&mut account.unsaid));
        account.written += 1;
        account.last = number;
        entry.changed = true;
    }

    /// Notes that a record is lost.
    pub(super) fn lost(&mut self, record: &Record, why: Lost) {
        if let Some(account) = self.reach(record) {
            account.lost[why as usize] += 1;
            account.unsaid += 1;
        }
    }

    /// Notes that all records up to this number have been taken: those that have not come are lost.
    pub(super) fn taken(&mut self, sensor: SensorNumber, cpu: usize, number: u64) {
        if let Some(entry) = self.sensors.get_mut(&sensor) {
            entry.reach(cpu, number);
        }
    }

    /// The account of a record that is the next one, once all before it are known; `None` if it is not.
    fn reach(&mut self, record: &Record) -> Option<&mut Account> {
        let sensor = SensorNumber(record.sensor);
        if !self.sensors.contains_key(&sensor) {
            // One that is configured no more: it is known by its number.
            self.open(sensor).ok()?;
        }
        let entry = self.sensors.get_mut(&sensor)?;
        let cpu = usize::from(record.cpu);
        if entry.accounts.get(cpu)?.last >= record.number {
            return None;
        }
        entry.reach(cpu, record.number - 1);
        entry.changed = true;
        let account = entry.accounts.get_mut(cpu)?;
        account.last = record.number;
        // Counters that were made anew for more sensors began from 0.
        account.unsaid += record.skipped.checked_sub(account.skipped).unwrap_or(record.skipped);
        account.skipped = record.skipped;
        Some(account)
    }

    /// Tells the kernel what has changed.
    ///
    /// # Errors
    /// It does not take it.
    pub(super) fn remember(&mut self) -> Result<()> {
        for (&sensor, entry) in &mut self.sensors {
            if std::mem::take(&mut entry.changed) {
                self.ledger.remember(sensor, &entry.accounts)?;
            }
        }
        Ok(())
    }
}

impl Entry {
    /// Those up to this number that are not accounted for are lost.
    fn reach(&mut self, cpu: usize, number: u64) {
        let (Some(account), Some(&before)) = (self.accounts.get_mut(cpu), self.before.get(cpu)) else {
            return;
        };
        let ended = number.min(before).saturating_sub(account.last);
        let all = number.saturating_sub(account.last);
        account.lost[Lost::Ended as usize] += ended;
        account.lost[Lost::Stalled as usize] += all - ended;
        account.unsaid += all;
        account.last = account.last.max(number);
        self.changed |= all > 0;
    }
}
