//! How often what came: the truth that a test knows, and what the agent says of it, to compare.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use sensor_common::classify::Verdict;
use sensor_common::layout::{Counter, Slot, SlotKind};
use serde_json::Value;

/// Packets and bytes by slot, and packets let through by reason; what is 0 has no entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// By sensor, in the order of the configuration, then by [`name`].
    pub sensors: Vec<BTreeMap<String, Counter>>,
    /// By reason.
    pub passed: BTreeMap<String, u64>,
}

impl Counts {
    /// Adds a packet.
    pub fn add(&mut self, verdict: Verdict, bytes: usize) {
        match verdict {
            Verdict::Pass(reason) => *self.passed.entry(reason.label().to_owned()).or_default() += 1,
            Verdict::Count { sensor, slot } => {
                let sensor = sensor as usize;
                if self.sensors.len() <= sensor {
                    self.sensors.resize_with(sensor + 1, BTreeMap::new);
                }
                let counter = self.sensors[sensor].entry(name(slot)).or_default();
                counter.packets += 1;
                counter.bytes += bytes as u64;
            }
        }
    }

    /// Adds all that is in another.
    pub fn merge(&mut self, other: &Self) {
        if self.sensors.len() < other.sensors.len() {
            self.sensors.resize_with(other.sensors.len(), BTreeMap::new);
        }
        for (slots, more) in self.sensors.iter_mut().zip(&other.sensors) {
            for (slot, by) in more {
                let counter = slots.entry(slot.clone()).or_default();
                counter.packets += by.packets;
                counter.bytes += by.bytes;
            }
        }
        for (reason, by) in &other.passed {
            *self.passed.entry(reason.clone()).or_default() += by;
        }
    }

    /// As if each packet had come this often.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        for counter in self.sensors.iter_mut().flat_map(BTreeMap::values_mut) {
            counter.packets *= times;
            counter.bytes *= times;
        }
        self.passed.values_mut().for_each(|packets| *packets *= times);
        self
    }

    /// Packets of all kinds: counted and let through.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.counted() + self.passed.values().sum::<u64>()
    }

    /// Packets in slots.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.slots().map(|counter| counter.packets).sum()
    }

    /// Bytes in slots.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.slots().map(|counter| counter.bytes).sum()
    }

    fn slots(&self) -> impl Iterator<Item = &Counter> {
        self.sensors.iter().flat_map(BTreeMap::values)
    }

    /// Reads what `/api/v1/slots` gives.
    ///
    /// # Errors
    /// If it isn't of that form.
    pub fn from_slots_api(text: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(text).context("/api/v1/slots is not JSON")?;
        let mut counts = Self::default();
        for sensor in array(&json, "sensors")? {
            let mut slots: BTreeMap<String, Counter> = BTreeMap::new();
            for slot in array(sensor, "slots")? {
                let counter = slots.entry(name_in_api(slot)?).or_default();
                counter.packets += number(slot, "packets")?;
                counter.bytes += number(slot, "bytes")?;
            }
            counts.sensors.push(slots);
        }
        let passed = json["passed"].as_object().context("/api/v1/slots has no `passed`")?;
        for (reason, packets) in passed {
            let packets = packets.as_u64().with_context(|| format!("passed.{reason} is no count"))?;
            if packets > 0 {
                counts.passed.insert(reason.clone(), packets);
            }
        }
        Ok(counts)
    }
}

/// What a slot is called here: `tcp/23`, `icmp/8/0`, `udp/fragment`, `gre`, `malformed/udp_length`. As in
/// the API, other protocols over IPv4 and IPv6 go by the same name.
///
/// # Panics
/// If the slot is one of the unused ones.
#[must_use]
pub fn name(slot: Slot) -> String {
    match Slot::describe(slot.index()).expect("a test only makes slots that are in use") {
        SlotKind::Tcp(port) => format!("tcp/{port}"),
        SlotKind::Udp(port) => format!("udp/{port}"),
        SlotKind::Icmp(kind, code) => format!("icmp/{kind}/{code}"),
        SlotKind::Icmpv6(kind, code) => format!("icmpv6/{kind}/{code}"),
        SlotKind::ProtocolV4(number) | SlotKind::ProtocolV6(number) => protocol(number).into_owned(),
        SlotKind::Fragment(number) => format!("{}/fragment", protocol(number)),
        SlotKind::Malformed(reason) => format!("malformed/{reason}"),
    }
}

/// Names of the protocols that tests send, on purpose not taken from the agent.
fn protocol(number: u8) -> Cow<'static, str> {
    let name = match number {
        0 => "hopopt",
        1 => "icmp",
        2 => "igmp",
        4 => "ipv4",
        6 => "tcp",
        17 => "udp",
        41 => "ipv6",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "icmpv6",
        59 => "ipv6-nonxt",
        60 => "ipv6-opts",
        89 => "ospf",
        132 => "sctp",
        135 => "mobility",
        136 => "udplite",
        other => return other.to_string().into(),
    };
    name.into()
}

fn name_in_api(slot: &Value) -> Result<String> {
    let mut name = slot["protocol"].as_str().with_context(|| format!("no protocol: {slot}"))?.to_owned();
    for key in ["port", "type", "code", "reason"] {
        match &slot[key] {
            Value::Null => {}
            Value::String(text) => name = format!("{name}/{text}"),
            other => name = format!("{name}/{other}"),
        }
    }
    Ok(name)
}

fn array<'a>(json: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    json[key].as_array().with_context(|| format!("/api/v1/slots has no list `{key}`"))
}

fn number(json: &Value, key: &str) -> Result<u64> {
    json[key].as_u64().with_context(|| format!("`{key}` is no count: {json}"))
}
