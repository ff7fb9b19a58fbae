//! Events as they are stored: scans, victims, and whatever else begins and ends.

use jiff::Timestamp;

use crate::sources::Source;

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
}
