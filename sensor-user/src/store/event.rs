//! Events as they are stored: scans, victims, and whatever else begins and ends.

use jiff::Timestamp;

use crate::sources::Source;

/// Bytes that a member of an object takes beside its text, its place in the tree included.
const MEMBER: usize = 2 * (size_of::<String>() + size_of::<serde_json::Value>());

/// What kind of an event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i64)]
pub enum EventKind {
    /// A source that went through many ports or addresses.
    Scan = 1,
    /// An address under denial of service.
    Victim = 2,
    /// A time of which counts are in the minute after it: the store was not written to.
    Gap = 3,
    /// Anything else, as its detail says.
    Other = 4,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Scan, Self::Victim, Self::Gap, Self::Other];

    /// What it is called.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Victim => "victim",
            Self::Gap => "gap",
            Self::Other => "other",
        }
    }
}

/// Something that began, and may have ended. One that comes later with the same kind, start, sensor and source replaces it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What kind it is.
    pub kind: EventKind,
    /// When it began.
    pub start: Timestamp,
    /// When it ended, or was last seen to go on.
    pub end: Timestamp,
    /// The sensor that saw it.
    pub sensor: String,
    /// Who did it, or the victim; `None` if it is about nobody.
    pub source: Option<Source>,
    /// Packets that were observed of it.
    pub packets: u64,
    /// Everything else, as a JSON object that is shown as it is: at most 16 KiB.
    pub detail: serde_json::Value,
}

/// Which event.
pub(super) type EventKey = (EventKind, Timestamp, String, Option<Source>);

impl Event {
    pub(super) fn key(&self) -> EventKey {
        (self.kind, self.start, self.sensor.clone(), self.source)
    }

    /// Bytes that it takes with its key while it waits, about.
    pub(super) fn weight(&self) -> usize {
        size_of::<EventKey>() + size_of::<Self>() + 2 * self.sensor.len() + of_json(&self.detail)
    }
}

/// Bytes that a value takes beside itself.
fn of_json(value: &serde_json::Value) -> usize {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(|value| size_of::<Value>() + of_json(value)).sum(),
        Value::Object(values) => values.iter().map(|(key, value)| MEMBER + key.len() + of_json(value)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_event_takes_grows_with_its_detail() {
        let of = |detail| {
            let (start, end) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
            Event {
                kind: EventKind::Scan,
                start,
                end,
                sensor: "a".to_owned(),
                source: None,
                packets: 1,
                detail,
            }
            .weight()
        };
        let bare = of(json!({}));
        assert_eq!(of(json!({"ab": "xyz"})), bare + MEMBER + 5);
        assert_eq!(
            of(json!({"ab": ["xyz", 1, null]})),
            bare + MEMBER + 2 + 3 * size_of::<serde_json::Value>() + 3
        );
    }
}
