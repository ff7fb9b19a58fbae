//! The packets that were seen last: a few, however many there are.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{NumberedSensor, SensorNumber};
use crate::counters::names::slot_name;
use crate::country::Country;
use crate::sources::{Observation, Register, Sink};

/// Packets that are remembered.
const MOST: usize = 12;
/// Packets of a second that are remembered: more than that nobody can read.
const A_SECOND: u32 = 6;

/// A packet, as far as evidence tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketSeen {
    /// When the kernel saw it.
    pub time: Timestamp,
    /// The name of the sensor that it was sent to.
    pub sensor: String,
    /// What it was counted as, as in `23/tcp`.
    pub slot: String,
    /// What made it, where it is a SYN.
    pub tool: Option<String>,
    /// The country of its source, as far as lists tell.
    pub country: Option<Country>,
    /// Who sent it: an address.
    pub source: Option<String>,
}

/// The last packets. A copy is the same.
#[derive(Clone, Debug, Default)]
pub struct LastPackets(Arc<Mutex<Last>>);

#[derive(Debug, Default)]
struct Last {
    sensors: BTreeMap<SensorNumber, String>,
    packets: VecDeque<Observation>,
    /// A second, and how many of it are remembered.
    second: (i64, u32),
}

impl LastPackets {
    /// From now on there are these sensors.
    pub fn configure(&self, sensors: &[NumberedSensor]) {
        let mut last = self.lock();
        last.sensors = sensors.iter().map(|it| (it.number, it.sensor.name.clone())).collect();
        let Last { sensors, packets, .. } = &mut *last;
        packets.retain(|packet| sensors.contains_key(&packet.sensor));
    }

    /// Where observations come in.
    #[must_use]
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.clone())
    }

    /// The last packets of a sensor, or of all, the newest first; `register` knows whose their sources are.
    #[must_use]
    pub fn of(&self, sensor: Option<&str>, register: &Register) -> Vec<PacketSeen> {
        let (names, packets) = {
            let last = self.lock();
            (last.sensors.clone(), last.packets.iter().rev().copied().collect::<Vec<_>>())
        };
        let seen = packets.into_iter().filter_map(|it| {
            let name = names.get(&it.sensor).filter(|name| sensor.is_none_or(|sensor| sensor == *name))?;
            Some(PacketSeen {
                time: it.time,
                sensor: name.clone(),
                slot: slot_name(it.slot),
                tool: it.tool.map(|tool| tool.label().to_owned()),
                country: register.belongs(it.source).country,
                source: Some(it.address.to_string()),
            })
        });
        seen.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for LastPackets {
    fn observe(&mut self, observations: &[Observation]) {
        let mut last = self.lock();
        for it in observations {
            let second = it.time.as_second();
            if last.second.0 != second {
                last.second = (second, 0);
            }
            if last.second.1 < A_SECOND && last.sensors.contains_key(&it.sensor) {
                last.second.1 += 1;
                last.packets.push_back(*it);
                if last.packets.len() > MOST {
                    last.packets.pop_front();
                }
            }
        }
    }

    fn tick(&mut self, _: Timestamp) {}

    fn end(self: Box<Self>) {}
}
