//! A sensor as it is exported: its labels, and which of its ports have a series.

use crate::config::{Export, NumberedSensor, Sensor, SensorNumber};
use crate::counters::store::Restored;
use crate::counters::{Selection, Slots};

/// A sensor's labels and its selection.
pub(super) struct Exported {
    pub(super) name: String,
    pub(super) region: String,
    /// How many it monitors; none is known of one that monitors every address.
    pub(super) ipv4_addresses: Option<u64>,
    pub(super) number: SensorNumber,
    pub(super) selection: Selection,
    /// What the last drain before a reload saw.
    pub(super) baseline: Option<Slots>,
}

impl Exported {
    /// The sensor, with the series that are recorded of it.
    pub(super) fn new(numbered: &NumberedSensor, export: &Export, restored: Restored) -> Self {
        let NumberedSensor { number, sensor } = numbered;
        Self {
            name: sensor.name.clone(),
            region: sensor.region.clone(),
            ipv4_addresses: ipv4_addresses(sensor),
            number: *number,
            selection: Selection::new(export, restored),
            baseline: None,
        }
    }
}

/// How many IPv4 addresses a sensor monitors; `None` where no prefix says so.
pub(super) fn ipv4_addresses(sensor: &Sensor) -> Option<u64> {
    let addresses = u64::try_from(sensor.addresses(true)).ok();
    addresses.filter(|_| !sensor.prefixes.is_empty())
}
