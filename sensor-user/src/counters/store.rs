//! What outlives the agent: a small record of each port that has, or once had, a series of its own.
//!
//! A series' value is what its slot counted less a constant while it grows, and a constant while it does not.
//! So a record changes only when a port's series changes its state, never because packets arrive; and each
//! change is one update of one record, so that an agent killed between any two leaves a whole state behind.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use sensor_common::layout::{Counter, SeriesKey, SeriesRecord};

use super::port_slot::PortSlot;
use crate::config::SensorNumber;

/// Where records are kept.
pub trait SeriesStore: Send + Sync {
    /// All records of all sensors, in any order.
    ///
    /// # Errors
    /// They cannot be read.
    fn load(&self) -> Result<Vec<(SeriesKey, SeriesRecord)>>;

    /// Writes one record in place of what was there, all of it or nothing.
    ///
    /// # Errors
    /// There is no room, or no memory; the old record, if any, is still there.
    fn set(&mut self, key: SeriesKey, record: SeriesRecord) -> Result<()>;

    /// Removes one record; one that isn't there is no error.
    ///
    /// # Errors
    /// It is still there.
    fn remove(&mut self, key: SeriesKey) -> Result<()>;
}

/// Keeps records for as long as it lives: for an agent that leaves nothing behind, and for tests.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(BTreeMap<SeriesKey, SeriesRecord>);

impl SeriesStore for MemoryStore {
    fn load(&self) -> Result<Vec<(SeriesKey, SeriesRecord)>> {
        Ok(self.0.iter().map(|(&key, &record)| (key, record)).collect())
    }

    fn set(&mut self, key: SeriesKey, record: SeriesRecord) -> Result<()> {
        self.0.insert(key, record);
        Ok(())
    }

    fn remove(&mut self, key: SeriesKey) -> Result<()> {
        self.0.remove(&key);
        Ok(())
    }
}

/// Forgets all records of a sensor's number.
///
/// Must come before the number's counters are set to zero for another sensor: a record tells what a slot had
/// counted, and a slot that counts less would be a series that goes backwards.
///
/// # Errors
/// A record is still there.
pub fn forget(store: &mut dyn SeriesStore, sensor: SensorNumber) -> Result<()> {
    for (key, _) in store.load()? {
        if key.sensor == sensor.0 {
            store.remove(key)?;
        }
    }
    Ok(())
}

/// What is recorded of one port. Without a record it never had a series, and counts to `other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// On the page: what the slot counted, less this.
    Growing(Counter),
    /// On the page at this value, and grows once every scraper holds it.
    Born(Counter),
    /// On the page at this value, and goes once every scraper holds it.
    Leaving(Counter),
    /// No longer on the page, where it last had this value.
    Left(Counter),
}

/// Under this slot's number: ports without a record are series too, and have been from their first packet.
const EVERY_PORT: u32 = u32::MAX;

/// What is recorded of one sensor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Ports without a record are series too, and have been from their first packet.
    pub(super) every_port: bool,
    pub(super) ports: BTreeMap<PortSlot, Record>,
}

impl Restored {
    /// All that a store holds, by sensor.
    ///
    /// # Errors
    /// The store cannot be read, or was written by an agent that this one does not understand.
    pub fn load(store: &dyn SeriesStore) -> Result<BTreeMap<SensorNumber, Self>> {
        let mut sensors: BTreeMap<SensorNumber, Self> = BTreeMap::new();
        for (SeriesKey { sensor, slot }, record) in store.load()? {
            let restored = sensors.entry(SensorNumber(sensor)).or_default();
            if slot == EVERY_PORT {
                restored.every_port = true;
                continue;
            }
            let port = PortSlot::new(slot).with_context(|| {
                format!("a series of sensor {sensor} is recorded for slot {slot}, not a port")
            })?;
            restored.ports.insert(port, Record::decode(record)?);
        }
        Ok(sensors)
    }
}

impl Record {
    const fn encode(self) -> SeriesRecord {
        let (state, counter) = match self {
            Self::Growing(offset) => (0, offset),
            Self::Born(value) => (1, value),
            Self::Leaving(value) => (2, value),
            Self::Left(value) => (3, value),
        };
        SeriesRecord { state, reserved: 0, counter }
    }

    fn decode(record: SeriesRecord) -> Result<Self> {
        Ok(match (record.state, record.counter) {
            (0, offset) => Self::Growing(offset),
            (1, value) => Self::Born(value),
            (2, value) => Self::Leaving(value),
            (3, value) => Self::Left(value),
            (state, _) => bail!("a series is recorded in state {state}, which this agent does not know"),
        })
    }
}

/// Writes the records of one sensor.
///
/// After a write that failed it writes no more: the next drain tries again, and the page shows what is
/// recorded until then.
pub struct Records<'a> {
    store: &'a mut dyn SeriesStore,
    sensor: SensorNumber,
    failure: Option<anyhow::Error>,
}

impl<'a> Records<'a> {
    /// A writer for the sensor with this number.
    pub fn new(store: &'a mut dyn SeriesStore, sensor: SensorNumber) -> Self {
        Self { store, sensor, failure: None }
    }

    /// The failure after which nothing more was written.
    #[must_use]
    pub fn failure(self) -> Option<anyhow::Error> {
        self.failure
    }

    /// Whether it is written now.
    #[must_use]
    pub(super) fn set(&mut self, slot: PortSlot, record: Record) -> bool {
        self.write(slot.number(), Some(record.encode()))
    }

    /// Likewise, for the record that is not to be there any more.
    #[must_use]
    pub(super) fn remove(&mut self, slot: PortSlot) -> bool {
        self.write(slot.number(), None)
    }

    /// Likewise, for what ports without a record are.
    #[must_use]
    pub(super) fn set_every_port(&mut self, every_port: bool) -> bool {
        self.write(EVERY_PORT, every_port.then(SeriesRecord::default))
    }

    fn write(&mut self, slot: u32, record: Option<SeriesRecord>) -> bool {
        if self.failure.is_some() {
            return false;
        }
        let key = SeriesKey { sensor: self.sensor.0, slot };
        let written = match record {
            Some(record) => self.store.set(key, record),
            None => self.store.remove(key),
        };
        self.failure = written.err();
        self.failure.is_none()
    }
}
