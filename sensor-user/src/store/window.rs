//! Windows as they are stored: how many sources there were, and a sketch of them for who has those of others.

use jiff::Timestamp;
use sensor_common::layout::Slot;

/// A full hour or day of a sensor, or what there is of it by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its length in seconds: 3,600 or 86,400.
    pub length: u32,
    /// When it begins.
    pub start: Timestamp,
    /// The sensor's name.
    pub sensor: String,
    /// The slot that it is of; `None` for all.
    pub slot: Option<Slot>,
    /// Packets that were observed.
    pub packets: u64,
    /// Distinct sources, as far as it tells.
    pub sources: u64,
    /// Whether that is exact, and not estimated.
    pub exact: bool,
    /// The sketch, as [`crate::sources::SketchParts`] reads it; empty if there is none.
    pub sketch: Vec<u8>,
}

impl Window {
    /// Which one it is: one that comes later replaces it.
    pub(super) fn key(&self) -> WindowKey {
        (self.start, self.length, self.sensor.clone(), self.slot.map(Slot::index))
    }

    /// Bytes that it takes with its key while it waits, about.
    pub(super) fn weight(&self) -> usize {
        size_of::<WindowKey>() + size_of::<Self>() + 2 * self.sensor.len() + self.sketch.len()
    }
}

/// Which window.
pub(super) type WindowKey = (Timestamp, u32, String, Option<u32>);
