//! Notices by `IntelMQ`'s field names, with the words of the Reference Security Incident Taxonomy.

use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::{Map, Value, json};

use super::event::Event;
use super::text::time;
use crate::store::About;

/// Where [`Event::id`] is.
pub const ID: &str = "extra.notice";

/// The fields of an event that was looked at now. `IntelMQ` takes times in UTC alone.
#[must_use]
pub fn fields(event: &Event, now: Timestamp) -> Map<String, Value> {
    let (taxonomy, kind, words) = classification(event);
    let packet = event.packet.as_ref();
    let optional = [
        ("source.network", json!(event.network)),
        ("source.asn", json!(event.belongs.system)),
        ("source.as_name", json!(event.belongs.as_name)),
        ("source.geolocation.cc", json!(event.belongs.country)),
        ("source.port", json!(packet.and_then(|packet| packet.source_port))),
        ("destination.port", json!(packet.and_then(|packet| packet.destination_port))),
        ("destination.ip", json!(packet.and_then(|packet| packet.destination))),
        ("protocol.transport", json!(packet.and_then(|packet| packet.protocol.as_deref()).map(transport))),
        ("malware.name", json!(event.is_mirai().then_some("mirai"))),
        ("extra.scanner", json!(event.belongs.scanner)),
        ("extra.attacks", list(&event.attacks)),
        ("extra.slots", list(&event.slots)),
        ("extra.tools", list(&event.tools)),
        ("extra.packet", json!(packet)),
    ];
    let always = [
        ("feed.name", json!(event.sensors.first().map_or("sensor", String::as_str))),
        ("classification.taxonomy", json!(taxonomy)),
        ("classification.type", json!(kind)),
        ("event_description.text", json!(words)),
        ("constituency", json!(event.constituency)),
        ("time.source", json!(stamp(event.first))),
        ("time.observation", json!(stamp(now))),
        ("source.ip", json!(event.address)),
        (ID, json!(event.id)),
        ("extra.day", json!(event.day)),
        ("extra.last", json!(stamp(event.last))),
        ("extra.packets", json!(event.packets)),
        ("extra.backscatter", json!(event.backscatter)),
        ("extra.elsewhere", json!(event.elsewhere)),
        ("extra.sensors", json!(event.sensors)),
    ];
    let known = always.into_iter().chain(optional).filter(|(_, value)| !value.is_null());
    known.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A line with them.
#[must_use]
pub fn line(event: &Event, now: Timestamp) -> String {
    format!("{}\n", Value::Object(fields(event, now)))
}

/// Taxonomy, type and description.
fn classification(event: &Event) -> (&'static str, &'static str, &'static str) {
    match event.about {
        About::Victim => {
            ("availability", "ddos", "answers packets that others send it from forged addresses")
        }
        About::Source if event.is_mirai() => (
            "malicious-code",
            "infected-system",
            "sends SYNs with the mark of Mirai to addresses without a service",
        ),
        About::Source if event.is_backscatter() => {
            ("other", "undetermined", "answers packets that somebody sent it from forged addresses")
        }
        About::Source => ("information-gathering", "scanner", "sends packets to addresses without a service"),
    }
}

/// IANA's keyword of a protocol.
fn transport(name: &str) -> &str {
    match name {
        "icmpv6" => "ipv6-icmp",
        _ => name,
    }
}

/// UTC as `IntelMQ` writes it: its harmonization refuses any other offset.
fn stamp(at: Timestamp) -> String {
    time(at, Offset::UTC).replace('Z', "+00:00")
}

fn list<T: serde::Serialize>(values: &[T]) -> Value {
    if values.is_empty() { Value::Null } else { json!(values) }
}
