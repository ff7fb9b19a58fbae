//! A sensor as it is exported: its labels, and which of its ports have a series.

use crate::config::{Export, NumberedSensor, SensorNumber};
use crate::counters::store::Restored;
use crate::counters::{Selection, Slots};

/// A sensor's labels and its selection.
pub(super) struct Exported {
    pub(super) name: String,
    pub(super) region: String,
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
            number: *number,
            selection: Selection::new(export, restored),
            baseline: None,
        }
    }
}
