//! Keeps the series' records in the kernel, beside the counters that they belong to.
//!
//! The map belongs to no program: the agent makes it, and a pin keeps it when the agent is gone. So counters
//! and records live and die together, with the host's memory, and no file can disagree with either.

use anyhow::{Context, Result};
use aya::maps::{HashMap, Map, MapData, MapError};
use sensor_common::layout::{MAX_SERIES_RECORDS, SeriesKey, SeriesRecord};

use crate::counters::SeriesStore;

/// The map of series records.
pub struct KernelSeries {
    records: HashMap<MapData, SeriesKey, SeriesRecord>,
}

/// `BPF_F_NO_PREALLOC`: memory for the records that there are, not for all that could be.
const NO_PREALLOCATION: u32 = 1;

/// An empty map.
pub(super) fn create() -> Result<HashMap<MapData, SeriesKey, SeriesRecord>> {
    HashMap::create(MAX_SERIES_RECORDS, NO_PREALLOCATION)
        .context("cannot create the map of the series' records")
}

impl KernelSeries {
    pub(super) fn new(map: Map) -> Result<Self> {
        let records = HashMap::try_from(map).context("the map of the series is not one of records")?;
        Ok(Self { records })
    }
}

impl SeriesStore for KernelSeries {
    fn load(&self) -> Result<Vec<(SeriesKey, SeriesRecord)>> {
        self.records.iter().map(|record| record.context("cannot read the records of the series")).collect()
    }

    fn set(&mut self, key: SeriesKey, record: SeriesRecord) -> Result<()> {
        self.records.insert(key, record, 0).context("cannot write the record of a series")
    }

    fn remove(&mut self, key: SeriesKey) -> Result<()> {
        match self.records.remove(&key) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(error).context("cannot remove the record of a series"),
        }
    }
}

fn is_missing(error: &MapError) -> bool {
    matches!(error, MapError::SyscallError(error) if error.io_error.raw_os_error() == Some(libc::ENOENT))
}

#[cfg(test)]
mod tests {
    use sensor_common::layout::Counter;

    use super::*;
    use crate::kernel::check_capabilities;

    #[test]
    fn the_kernel_keeps_what_is_written() {
        if check_capabilities().is_err() {
            eprintln!("skipped: not allowed to make maps");
            return;
        }
        let mut series = KernelSeries { records: create().unwrap() };
        let keys = [(0, 23), (7, 65_559), (7, u32::MAX)].map(|(sensor, slot)| SeriesKey { sensor, slot });
        for key in keys {
            series.set(key, SeriesRecord::default()).unwrap();
        }
        let counter = Counter { packets: u64::MAX, bytes: 1 };
        let record = SeriesRecord { state: 3, reserved: 0, counter };
        series.set(keys[1], record).unwrap();
        series.remove(keys[0]).unwrap();
        series.remove(keys[0]).unwrap();
        let mut kept = series.load().unwrap();
        kept.sort_unstable_by_key(|(key, _)| *key);
        assert_eq!(kept, [(keys[1], record), (keys[2], SeriesRecord::default())]);
    }
}
