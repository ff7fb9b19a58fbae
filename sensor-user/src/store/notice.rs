//! What is to be told of an address of a constituency: what was seen of it on a day in UTC, summed up.

use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use sensor_common::layout::side::Tool;
use sensor_common::layout::{Slot, SlotKind};
use serde::{Deserialize, Serialize};

use crate::sources::answer::Belongs;
use crate::sources::{Observation, Source};

/// Slots of a source that are named, those that were seen first; packets to others are a sum.
const MOST_SLOTS: usize = 16;
/// Sensors that are named, likewise.
const MOST_SENSORS: usize = 16;
/// Attacks on one victim in a day that are kept, the latest.
const MOST_ATTACKS: usize = 16;
const DAY: i64 = 86_400;

/// What a notice is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
#[repr(i64)]
pub enum About {
    /// A source that has sent unsolicited packets.
    Source = 1,
    /// An address under denial of service.
    Victim = 2,
}

impl About {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Source, Self::Victim];

    /// What it is called.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Victim => "victim",
        }
    }
}

/// Which notice: there is one of a source, or of a victim, and a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoticeKey {
    /// The day in UTC, since 1970-01-01.
    pub day: i64,
    /// What it is about.
    pub about: About,
    /// Whom.
    pub source: Source,
}

impl NoticeKey {
    /// The one of the day that a time is in.
    #[must_use]
    pub fn of(time: Timestamp, about: About, source: Source) -> Self {
        Self { day: time.as_second().div_euclid(DAY), about, source }
    }

    /// The day.
    #[must_use]
    pub fn date(&self) -> Date {
        let hours = self.day.saturating_mul(24);
        let begin = Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_hours(hours));
        Offset::UTC.to_datetime(begin.unwrap_or_default()).date()
    }
}

/// What was seen of an address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noticed {
    /// The constituency that it belongs to.
    pub constituency: String,
    /// The address itself: of the first packet, where the source is a /64.
    pub address: IpAddr,
    /// When the first was seen.
    #[serde(skip, default)]
    pub first: Timestamp,
    /// When the last was seen.
    #[serde(skip, default)]
    pub last: Timestamp,
    /// Packets that were observed.
    #[serde(skip, default)]
    pub packets: u64,
    /// Who saw it, by the names that others are told.
    pub sensors: Vec<String>,
    /// Packets by slot, those that were seen first.
    slots: Vec<(u32, u64)>,
    /// Packets to other slots.
    pub elsewhere: u64,
    /// Of all, those that answer what others have sent with the sensor's address.
    #[serde(default)]
    pub backscatter: u64,
    /// SYNs by tool.
    tools: Vec<(u8, u64)>,
    /// Whose it is.
    #[serde(flatten)]
    pub belongs: Belongs,
    /// Attacks on a victim.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attacks: Vec<Attack>,
    /// The first packet.
    pub sample: Option<Sample>,
}

/// A packet that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub time: Timestamp,
    /// Length of the frame in bytes.
    pub length: u32,
    /// What it was counted as: a slot's number.
    slot: u32,
    /// What made it, where it is a SYN.
    tool: Option<u8>,
    /// Its first bytes, as they were.
    #[serde(skip, default)]
    pub frame: Vec<u8>,
}

impl Sample {
    /// With the first bytes of its frame.
    #[must_use]
    pub fn of(packet: &Observation, frame: &[u8]) -> Self {
        Self {
            time: packet.time,
            length: packet.length,
            slot: Slot::from(packet.slot).index(),
            tool: packet.tool.map(|tool| tool as u8),
            frame: frame.to_vec(),
        }
    }

    /// What it was counted as.
    #[must_use]
    pub const fn slot(&self) -> Option<SlotKind> {
        Slot::describe(self.slot)
    }

    /// What made it.
    #[must_use]
    pub fn tool(&self) -> Option<Tool> {
        self.tool.and_then(tool)
    }
}

/// An attack on a victim, as one sensor has seen it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attack {
    /// The sensor, by the name that others are told.
    pub sensor: String,
    /// When it began: it may have been on the day before.
    pub start: Timestamp,
    /// When the last answer was seen.
    pub end: Timestamp,
    /// Answers that were observed since it began.
    pub packets: u64,
    /// Most of them in a minute.
    pub peak_per_minute: u64,
    /// Ports that were attacked.
    pub ports: Vec<String>,
    /// Kinds of backscatter.
    pub kinds: Vec<String>,
}

impl Noticed {
    /// Of an address, of which nothing was seen yet.
    #[must_use]
    pub fn new(constituency: String, address: IpAddr, belongs: Belongs, time: Timestamp) -> Self {
        Self {
            constituency,
            address,
            first: time,
            last: time,
            packets: 0,
            sensors: Vec::new(),
            slots: Vec::new(),
            elsewhere: 0,
            backscatter: 0,
            tools: Vec::new(),
            belongs,
            attacks: Vec::new(),
            sample: None,
        }
    }

    /// Notes a packet of a source.
    pub fn packet(&mut self, sensor: &str, packet: &Observation) {
        self.first = self.first.min(packet.time);
        self.last = self.last.max(packet.time);
        self.packets += 1;
        self.backscatter += u64::from(packet.reply.is_some());
        self.seen_by(sensor);
        self.add_slot(Slot::from(packet.slot).index(), 1);
        if let Some(tool) = packet.tool {
            self.add_tool(tool as u8, 1);
        }
    }

    /// Notes an attack on a victim as it is by now.
    pub fn attack(&mut self, attack: Attack) {
        self.seen_by(&attack.sensor);
        let is_it = |known: &&mut Attack| (&known.sensor, known.start) == (&attack.sensor, attack.start);
        if let Some(known) = self.attacks.iter_mut().find(is_it) {
            *known = attack;
        } else {
            if self.attacks.len() == MOST_ATTACKS {
                self.attacks.remove(0);
            }
            self.attacks.push(attack);
        }
        self.sum_up_attacks();
    }

    /// Adds what was seen of the same address later.
    pub fn add(&mut self, later: Self) {
        for sensor in &later.sensors {
            self.seen_by(sensor);
        }
        for attack in later.attacks {
            self.attack(attack);
        }
        if !self.attacks.is_empty() {
            return;
        }
        self.first = self.first.min(later.first);
        self.last = self.last.max(later.last);
        self.packets += later.packets;
        self.elsewhere += later.elsewhere;
        self.backscatter += later.backscatter;
        for (slot, packets) in later.slots {
            self.add_slot(slot, packets);
        }
        for (tool, packets) in later.tools {
            self.add_tool(tool, packets);
        }
        self.sample = self.sample.take().or(later.sample);
    }

    /// Slots with their packets, those with most first.
    #[must_use]
    pub fn slots(&self) -> Vec<(SlotKind, u64)> {
        let mut slots = self.slots.clone();
        slots.sort_by_key(|&(_, packets)| std::cmp::Reverse(packets));
        slots.into_iter().filter_map(|(slot, packets)| Some((Slot::describe(slot)?, packets))).collect()
    }

    /// Tools with their SYNs, those with most first.
    #[must_use]
    pub fn tools(&self) -> Vec<(Tool, u64)> {
        let mut tools = self.tools.clone();
        tools.sort_by_key(|&(_, packets)| std::cmp::Reverse(packets));
        tools.into_iter().filter_map(|(number, packets)| Some((tool(number)?, packets))).collect()
    }

    /// Bytes that it takes with its key while it waits, about.
    pub(super) fn weight(&self) -> usize {
        let texts =
            |texts: &[String]| texts.iter().map(|text| size_of::<String>() + text.len()).sum::<usize>();
        let of_attack =
            |it: &Attack| size_of::<Attack>() + it.sensor.len() + texts(&it.ports) + texts(&it.kinds);
        let belongs = [&self.belongs.as_name, &self.belongs.scanner];
        size_of::<NoticeKey>()
            + size_of::<Self>()
            + self.constituency.len()
            + texts(&self.sensors)
            + 16 * (self.slots.len() + self.tools.len())
            + belongs.into_iter().flatten().map(String::len).sum::<usize>()
            + self.attacks.iter().map(of_attack).sum::<usize>()
            + self.sample.as_ref().map_or(0, |sample| sample.frame.len())
    }

    fn seen_by(&mut self, sensor: &str) {
        if self.sensors.len() < MOST_SENSORS && !self.sensors.iter().any(|known| known == sensor) {
            self.sensors.push(sensor.to_owned());
        }
    }

    fn add_slot(&mut self, slot: u32, packets: u64) {
        if let Some((_, known)) = self.slots.iter_mut().find(|(known, _)| *known == slot) {
            *known += packets;
        } else if self.slots.len() < MOST_SLOTS {
            self.slots.push((slot, packets));
        } else {
            self.elsewhere += packets;
        }
    }

    fn add_tool(&mut self, tool: u8, packets: u64) {
        match self.tools.iter_mut().find(|(known, _)| *known == tool) {
            Some((_, known)) => *known += packets,
            None => self.tools.push((tool, packets)),
        }
    }

    fn sum_up_attacks(&mut self) {
        let starts = self.attacks.iter().map(|attack| attack.start).min();
        let ends = self.attacks.iter().map(|attack| attack.end).max();
        if let (Some(first), Some(last)) = (starts, ends) {
            (self.first, self.last) = (first, last);
        }
        self.packets = self.attacks.iter().map(|attack| attack.packets).sum();
    }
}

fn tool(number: u8) -> Option<Tool> {
    Tool::ALL.get(usize::from(number)).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::observation;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn noticed(packets: &[(i64, u16)]) -> Noticed {
        let address = "203.0.113.9".parse().unwrap();
        let mut noticed = Noticed::new("ours".to_owned(), address, Belongs::default(), at(packets[0].0));
        for &(second, port) in packets {
            let packet = observation(std::net::Ipv4Addr::new(203, 0, 113, 9), port, 1_700_000_000 + second);
            noticed.packet("a", &packet);
            noticed.sample.get_or_insert_with(|| Sample::of(&packet, &[1, 2, 3]));
        }
        noticed
    }

    proptest! {
        /// However what is seen is cut into parts, and whichever of them are stored in between, it is the same.
        #[test]
        fn parts_add_up_to_the_whole(
            packets in prop::collection::vec((0_i64..1_000, 0_u16..40), 2..200),
            at in 1_usize..200,
        ) {
            let at = at.min(packets.len() - 1);
            let whole = noticed(&packets);
            let (mut one, other) = (noticed(&packets[..at]), noticed(&packets[at..]));
            let (first, last, sum) = (one.first, one.last, one.packets);
            let frame = one.sample.as_ref().unwrap().frame.clone();
            one = serde_json::from_str(&serde_json::to_string(&one).unwrap()).unwrap();
            (one.first, one.last, one.packets) = (first, last, sum);
            one.sample.as_mut().unwrap().frame = frame;
            one.add(other);
            prop_assert_eq!(one.slots.iter().map(|(_, packets)| packets).sum::<u64>() + one.elsewhere, one.packets);
            prop_assert_eq!(one.slots.len(), whole.slots.len());
            (one.elsewhere, one.slots) = (whole.elsewhere, whole.slots.clone());
            prop_assert_eq!(one, whole);
        }
    }

    #[test]
    fn an_attack_is_known_as_it_was_last() {
        let mut victim = noticed(&[(0, 80)]);
        victim.attacks.clear();
        let attack = |start: i64, packets| Attack {
            sensor: "a".to_owned(),
            start: at(start),
            end: at(start + 60),
            packets,
            peak_per_minute: 5,
            ports: vec!["443/tcp".to_owned()],
            kinds: vec!["syn_ack".to_owned()],
        };
        for (start, packets) in [(0, 30), (0, 40), (900, 7)] {
            victim.attack(attack(start, packets));
        }
        assert_eq!((victim.packets, victim.first, victim.last), (47, at(0), at(960)));
        let mut again = victim.clone();
        again.add(victim.clone());
        assert_eq!(again, victim, "it is told again and again");
        (0..100).for_each(|start| victim.attack(attack(start * 1_000, 1)));
        assert_eq!(victim.attacks.len(), MOST_ATTACKS);
    }

    #[test]
    fn a_notice_is_of_a_day_in_utc() {
        let source = "203.0.113.9".parse().unwrap();
        let of = |time: &str| NoticeKey::of(time.parse().unwrap(), About::Source, source);
        let key = of("2026-11-29T00:00:00Z");
        assert_eq!(key.date(), jiff::civil::date(2026, 11, 29));
        assert_eq!(of("2026-11-29T23:59:59.999Z"), key);
        assert_eq!(of("2026-11-30T00:00:00Z").day, key.day + 1);
    }
}
