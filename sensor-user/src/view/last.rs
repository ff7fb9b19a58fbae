//! The packets that were seen last: a few, however many there are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{NumberedSensor, SensorNumber};
use crate::counters::names::slot_name;
use crate::country::Country;
use crate::sources::{Observation, Register, Sink};

/// Packets of each sensor that are remembered, and that are told.
const MOST: usize = 12;
/// Packets of a second to each sensor that are remembered: more than that nobody can read.
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

/// By the sensors that there are.
#[derive(Debug, Default)]
struct Last(BTreeMap<SensorNumber, OfSensor>);

#[derive(Clone, Debug, Default)]
struct OfSensor {
    name: String,
    packets: VecDeque<Observation>,
    /// A second, and how many of it are remembered.
    second: (i64, u32),
}

impl LastPackets {
    /// From now on there are these sensors.
    pub fn configure(&self, sensors: &[NumberedSensor]) {
        let mut last = self.lock();
        let mut before = std::mem::take(&mut last.0);
        last.0 = sensors
            .iter()
            .map(|it| {
                let of = before.remove(&it.number).filter(|before| before.name == it.sensor.name);
                let of = of.unwrap_or_default();
                (it.number, OfSensor { name: it.sensor.name.clone(), ..of })
            })
            .collect();
    }

    /// Where observations come in.
    #[must_use]
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.clone())
    }

    /// The last packets of a sensor, or of all, the newest first; `register` knows whose their sources are.
    #[must_use]
    pub fn of(&self, sensor: Option<&str>, register: &Register) -> Vec<PacketSeen> {
        let mut packets: Vec<(String, Observation)> = {
            let last = self.lock();
            let of = last.0.values().filter(|of| sensor.is_none_or(|sensor| sensor == of.name));
            of.flat_map(|of| of.packets.iter().map(|packet| (of.name.clone(), *packet))).collect()
        };
        packets.sort_by_key(|(_, packet)| Reverse(packet.time));
        let seen = packets.into_iter().take(MOST).map(|(sensor, it)| PacketSeen {
            time: it.time,
            sensor,
            slot: slot_name(it.slot),
            tool: it.tool.map(|tool| tool.label().to_owned()),
            country: register.belongs(it.source).country,
            source: Some(it.address.to_string()),
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
            let Some(of) = last.0.get_mut(&it.sensor) else { continue };
            let second = it.time.as_second();
            if of.second.0 != second {
                of.second = (second, 0);
            }
            if of.second.1 < A_SECOND {
                of.second.1 += 1;
                of.packets.push_back(*it);
                if of.packets.len() > MOST {
                    of.packets.pop_front();
                }
            }
        }
    }

    fn tick(&mut self, _: Timestamp) {}

    fn end(self: Box<Self>) {}
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::config::{Sensor, Sources};
    use crate::store::observation;

    fn sensors(names: &[&str]) -> Vec<NumberedSensor> {
        let sensor = |(number, name): (u32, &&str)| {
            let name = (*name).to_owned();
            let sensor = Sensor { name, region: String::new(), alias: None, prefixes: Vec::new() };
            NumberedSensor { number: SensorNumber(number), sensor }
        };
        (0..).zip(names).map(sensor).collect()
    }

    fn packet(sensor: u32, millisecond: i64, port: u16) -> Observation {
        let time = Timestamp::from_millisecond(millisecond).unwrap();
        let of_second = observation(Ipv4Addr::new(203, 0, 113, 1), port, 0);
        Observation { time, sensor: SensorNumber(sensor), ..of_second }
    }

    /// A flood to one sensor hides neither what the other got, nor what comes in later seconds.
    #[test]
    fn each_sensor_has_its_last_packets() {
        let mut last = LastPackets::default();
        last.configure(&sensors(&["a", "b"]));
        let flood: Vec<_> =
            (0..5_000).map(|at| packet(0, at, 1_000 + u16::try_from(at / 1_000).unwrap())).collect();
        last.observe(&flood);
        last.observe(&[packet(1, 10, 23), packet(7, 20, 9)]);
        let register = Register::new(&Sources::default(), &sensors(&["a", "b"])).unwrap();
        let shown = |sensor| -> Vec<(String, String)> {
            last.of(sensor, &register).into_iter().map(|it| (it.sensor, it.slot)).collect()
        };
        let (a, all) = (shown(Some("a")), shown(None));
        let of = |port: u16, times: usize| vec![("a".to_owned(), format!("{port}/tcp")); times];
        assert_eq!(a, [of(1_004, 6), of(1_003, 6)].concat());
        assert_eq!(all, a, "the newest of both");
        let b = [("b".to_owned(), "23/tcp".to_owned())];
        assert_eq!(shown(Some("b")), b);
        // A number that another sensor has from now on brings nothing with it.
        last.configure(&sensors(&["c", "b"]));
        assert_eq!(last.of(None, &register).into_iter().map(|it| it.sensor).collect::<Vec<_>>(), ["b"]);
    }
}
