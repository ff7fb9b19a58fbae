//! Packets as an agent observes them, for stores that are fed by a test in its place.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use sensor_common::layout::SlotKind;
use sensor_user::config::{NumberedSensor, Sensor, SensorNumber};
use sensor_user::sources::{Observation, Source};

/// A sensor by this name, the first: [`packet`] is sent to it.
#[must_use]
pub fn sensor(name: &str) -> NumberedSensor {
    let sensor = Sensor { name: name.to_owned(), region: String::new(), alias: None, prefixes: Vec::new() };
    NumberedSensor { number: SensorNumber(0), sensor }
}

/// A packet of 60 bytes from an address, seen then and counted in this slot, of which nothing else is known; none was missed
/// before it.
#[must_use]
pub fn packet(time: Timestamp, from: Ipv4Addr, slot: SlotKind) -> Observation {
    Observation {
        time,
        sensor: SensorNumber(0),
        source: Source::V4(from),
        address: from.into(),
        destination: Ipv4Addr::new(198, 51, 100, 7).into(),
        slot,
        tool: None,
        kind: None,
        tuple: None,
        reply: None,
        is_constituents: false,
        length: 60,
        missed: 0,
        lost: 0,
        before: time,
    }
}
