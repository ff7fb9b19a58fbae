//! What is told of an address: the one event that every form is made of.

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::civil::Date;
use sensor_common::layout::side::Tool;
use serde::{Deserialize, Serialize};

use super::book;
use super::conceal::conceal;
use crate::counters::names::slot_name;
use crate::evidence::Captured;
use crate::sources::Source;
use crate::sources::answer::{Belongs, By, To};
use crate::store::{About, Attack, NoticeKey, NoticeRow, Sample};

/// A line of an answer about notices: an object with one key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// What the lines behind it are of.
    Notices(Head),
    /// A notice.
    Notice(Box<Event>),
    /// What is in no notice.
    Over(Over),
}

/// What all notices of an answer have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The mail that they are told in, with names in braces.
    pub template: String,
    /// Why what was seen last is not among them; `None` if it is.
    pub trouble: Option<String>,
}

/// Packets from a constituency on a day of which there was no room for notices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    /// The day in UTC.
    pub day: Date,
    /// The constituency.
    pub constituency: String,
    /// How many.
    pub packets: u64,
}

/// A notice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What tells it from all others of this agent, as in `2026-11-29 source 203.0.113.9`.
    pub id: String,
    /// What it is about.
    pub about: About,
    /// The day in UTC.
    pub day: Date,
    /// The constituency that the address belongs to.
    pub constituency: String,
    /// Who saw it, by their aliases as far as they have any.
    pub sensors: Vec<String>,
    /// The address: of a source in IPv6, that of the first packet; of a victim, the first of its /64.
    pub address: IpAddr,
    /// The /64 that all of it is known of, in IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// When the first packet was seen.
    pub first: Timestamp,
    /// When the last was seen.
    pub last: Timestamp,
    /// Packets that were observed.
    pub packets: u64,
    /// Of a source, what they were counted as: those with most packets first.
    pub slots: Vec<To>,
    /// Packets to others.
    pub elsewhere: u64,
    /// Of all, those that answer what somebody else has sent with the sensor's address.
    pub backscatter: u64,
    /// SYNs by tool, those with most first.
    pub tools: Vec<By>,
    /// Whose the address is, as far as lists told then.
    #[serde(flatten)]
    pub belongs: Belongs,
    /// Of a victim, the attacks on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attacks: Vec<Attack>,
    /// Of a source, the first packet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packet: Option<Packet>,
    /// When it was sent, if it was.
    pub sent: Option<Timestamp>,
}

/// A packet, as others may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet {
    /// When it was seen.
    pub time: Timestamp,
    /// Length of its frame in bytes.
    pub length: u32,
    /// What it was counted as.
    pub slot: String,
    /// `tcp`, `udp`, or what else it was of, as far as it was whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// What made it, where it is a SYN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The port that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    /// The port that it went to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_port: Option<u16>,
    /// The address that it went to, if that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<IpAddr>,
    /// The first bytes of its frame, as hexadecimal digits: see [`conceal`].
    pub bytes: String,
}

impl Event {
    /// What is told of a row, with sensors as others know them by now; the sensor's address too, if it is asked for.
    #[must_use]
    pub(super) fn of(row: NoticeRow, book: &book::By, with_sensor_address: bool) -> Self {
        let NoticeRow { key, noticed, sent } = row;
        let mut sensors = Vec::with_capacity(noticed.sensors.len());
        for alias in noticed.sensors.iter().map(|name| book.told(name)) {
            // By its name before it had one.
            if !sensors.contains(&alias) {
                sensors.push(alias);
            }
        }
        let told = |attack: Attack| Attack { sensor: book.told(&attack.sensor), ..attack };
        let slots = noticed.slots().into_iter();
        let tools = noticed.tools().into_iter();
        let network = matches!(key.source, Source::V6(_)).then(|| key.source.to_string());
        Self {
            id: id(&key),
            about: key.about,
            day: key.date(),
            slots: slots.map(|(slot, packets)| To { slot: slot_name(slot), packets }).collect(),
            tools: tools.map(|(tool, packets)| By { name: tool.label().to_owned(), packets }).collect(),
            constituency: noticed.constituency,
            sensors,
            address: noticed.address,
            network,
            first: noticed.first,
            last: noticed.last,
            packets: noticed.packets,
            elsewhere: noticed.elsewhere,
            backscatter: noticed.backscatter,
            belongs: noticed.belongs,
            attacks: noticed.attacks.into_iter().map(told).collect(),
            packet: noticed.sample.map(|sample| Packet::of(&sample, with_sensor_address)),
            sent,
        }
    }

    /// Whether the source has Mirai's mark.
    #[must_use]
    pub fn is_mirai(&self) -> bool {
        self.tools.iter().any(|tool| tool.name == Tool::Mirai.label())
    }

    /// Whether all that was seen of the source answers what others have sent.
    #[must_use]
    pub const fn is_backscatter(&self) -> bool {
        self.packets > 0 && self.backscatter == self.packets
    }

    /// The tool that most SYNs were made by, as far as it is known.
    #[must_use]
    pub fn tool(&self) -> Option<&str> {
        self.tools.iter().map(|tool| tool.name.as_str()).find(|name| *name != Tool::Other.label())
    }
}

/// What tells a notice from all others.
#[must_use]
pub fn id(key: &NoticeKey) -> String {
    format!("{} {} {}", key.date(), key.about.label(), key.source)
}

impl Packet {
    fn of(sample: &Sample, with_sensor_address: bool) -> Self {
        let frame = Captured::new(&sample.frame, sample.length);
        let slot = sample.slot().map(slot_name).unwrap_or_default();
        let transport =
            slot.rsplit_once('/').map(|(_, name)| name).filter(|name| ["tcp", "udp"].contains(name));
        let words =
            ["icmp ", "icmpv6 "].iter().find(|name| slot.starts_with(**name)).map(|name| name.trim_end());
        let ports = transport.and_then(|_| frame.packet()?.leading(&frame));
        let bytes = if with_sensor_address {
            hexadecimal(&sample.frame)
        } else {
            hexadecimal(&conceal(&sample.frame, sample.length))
        };
        Self {
            time: sample.time,
            length: sample.length,
            protocol: transport.or(words).map(str::to_owned),
            slot,
            tool: sample.tool().map(|tool| tool.label().to_owned()),
            source_port: ports.map(|ports| ports.first),
            destination_port: ports.map(|ports| ports.second),
            destination: frame
                .addresses()
                .map(|(_, destination)| destination)
                .filter(|_| with_sensor_address),
            bytes,
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
