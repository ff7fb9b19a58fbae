//! What `sensor status` says: as the agent answers it, a line each, and as people read it.

mod confinement;
mod share;
mod words;

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub use self::confinement::ConfinementStatus;
pub(crate) use self::share::Share;
pub use self::words::for_people;

/// A line of the answer: an object with one key, which says what it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusLine {
    /// The agent.
    Agent(AgentStatus),
    /// An interface that is configured; one line each.
    Interface(InterfaceStatus),
    /// A sensor; one line each.
    Sensor(SensorStatus),
    /// Packets of all sensors that were let through, by reason.
    Passed(BTreeMap<String, u64>),
    /// What of the counted packets is kept as evidence.
    Evidence(EvidenceStatus),
    /// Where sources and counts over time are stored, and how that goes.
    Store(StoreStatus),
    /// How the event log of notices goes.
    Notices(NoticesStatus),
    /// How reading the counters goes.
    Counters(CountersStatus),
    /// Whether all is well.
    Ready(Readiness),
}

/// What the agent is, and how it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Its version.
    pub version: String,
    /// The number of its process.
    pub process: u32,
    /// When it was started, in UTC (RFC 3339).
    pub since: String,
    /// Its configuration file; `None` without one.
    pub config: Option<String>,
    /// Where its programs and counters are pinned; `None` if they end with it.
    pub pins: Option<String>,
    /// Where it serves metrics.
    pub listen: String,
    /// Whether it counts and passes, and drops nothing.
    pub observe: bool,
    /// What the kernel refuses it.
    #[serde(default)]
    pub confined: ConfinementStatus,
}

/// An interface that is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    /// `native` or `generic`, as the kernel says now; `None` if the program is not attached.
    pub mode: Option<String>,
    /// Whether the program is attached that sees what the interface sends.
    pub egress: bool,
    /// Since when this agent has found both attached, in UTC (RFC 3339).
    pub since: Option<String>,
    /// What is wrong, and what to do.
    pub trouble: Option<String>,
}

/// What a sensor has counted since its counters were made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensorStatus {
    /// Its name.
    pub name: String,
    /// Its region; empty if none is configured.
    pub region: String,
    /// Packets that were counted and, unless it only observes, dropped.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What of the counted packets is kept as evidence, of all sensors together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvidenceStatus {
    /// The folder where it is kept; `None` if none is kept now.
    pub path: Option<String>,
    /// Packets that were counted while it was kept, since the counters were made.
    pub packets: u64,
    /// Those of them that were written, or wait to be.
    pub kept: u64,
    /// Those that the kernel did not hand over, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Those that were handed over and not written, by reason.
    pub lost: BTreeMap<String, u64>,
    /// What `kept` is of `packets`: from 0 to 1, and 1 where there were none.
    pub share: f64,
    /// Why none can be written now, and what to do.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// Where sources and counts over time are stored, and how that goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// The folder; `None` if nothing is stored.
    pub path: Option<String>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Rows of flows.
    pub rows: u64,
    /// Packets that were observed and have no row of their own, by reason, since the agent was started.
    pub refused: BTreeMap<String, u64>,
    /// Why it cannot be written now, and what to do.
    pub trouble: Option<String>,
}

/// How the event log of notices goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticesStatus {
    /// The log; `None` if none is written.
    pub log: Option<String>,
    /// Notices that were written to it since the agent was started.
    pub written: u64,
    /// Why it cannot be written now, and what to do.
    pub trouble: Option<String>,
}

/// How reading the counters goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountersStatus {
    /// When they were last read, in UTC (RFC 3339).
    pub read: Option<String>,
    /// Why they cannot be read now.
    pub trouble: Option<String>,
}

/// Whether all is well, as `/readyz` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether it is.
    pub ready: bool,
    /// The first thing that is wrong, and what to do.
    pub trouble: Option<String>,
}

/// A moment in UTC, as RFC 3339 has it, in whole seconds; empty if the calendar has no such year.
#[must_use]
pub fn utc(moment: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let Ok(seconds) = libc::time_t::try_from(seconds) else { return String::new() };
    // SAFETY: all zeros are a valid value of this C struct of integers and a pointer.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both point to values that outlive the call.
    if unsafe { libc::gmtime_r(&raw const seconds, &raw mut parts) }.is_null() {
        return String::new();
    }
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        i64::from(parts.tm_year) + 1900,
        parts.tm_mon + 1,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::epoch(0, "1970-01-01T00:00:00Z")]
    #[case::leap_day(1_709_209_845, "2024-02-29T12:30:45Z")]
    #[case::end_of_a_century(4_102_444_799, "2099-12-31T23:59:59Z")]
    #[case::far(253_402_300_800, "10000-01-01T00:00:00Z")]
    fn moments_are_written_in_utc(#[case] seconds: u64, #[case] text: &str) {
        assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
    }
}
