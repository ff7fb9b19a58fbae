//! What `sensor status` says: as the agent answers it, a line each, and as people read it.

mod confinement;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use sensor_common::noun::noun;
use serde::{Deserialize, Serialize};

pub use self::confinement::ConfinementStatus;

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

/// The lines, for people: a heading and what there is to say of it.
#[must_use]
pub fn for_people(lines: &[StatusLine]) -> String {
    let observes = lines.iter().any(|line| matches!(line, StatusLine::Agent(agent) if agent.observe));
    let mut rows: Vec<(String, String)> = Vec::new();
    for line in lines {
        match line {
            StatusLine::Agent(agent) => rows.extend(of_agent(agent)),
            StatusLine::Interface(it) => rows.push((it.name.clone(), of_interface(it))),
            StatusLine::Sensor(it) => rows.push((it.name.clone(), of_sensor(it, observes))),
            StatusLine::Passed(reasons) => rows.push(("passed".to_owned(), of_passed(reasons))),
            StatusLine::Evidence(it) => rows.push(("evidence".to_owned(), of_evidence(it))),
            StatusLine::Store(it) => rows.push(("store".to_owned(), of_store(it))),
            StatusLine::Notices(it) => rows.extend(of_notices(it).map(|said| ("notices".to_owned(), said))),
            StatusLine::Counters(it) => rows.push(("counters".to_owned(), of_counters(it))),
            StatusLine::Ready(it) => rows.push(("ready".to_owned(), of_readiness(it))),
        }
    }
    let width = rows.iter().map(|(heading, _)| heading.chars().count()).max().unwrap_or_default();
    rows.into_iter().fold(String::new(), |mut text, (heading, said)| {
        // Writing to a text does not fail.
        let _ = writeln!(text, "{heading:width$}  {said}");
        text
    })
}

fn of_agent(agent: &AgentStatus) -> [(String, String); 3] {
    let AgentStatus { version, process, since, config, pins, listen, observe, confined } = agent;
    let observe = if *observe { ", observes: drops nothing" } else { "" };
    let first = format!("{version}, process {process}, since {since}{observe}");
    let config = config.as_ref().map_or_else(|| "no file".to_owned(), |file| format!("file {file}"));
    let pins = pins.as_ref().map_or_else(|| "nothing pinned".to_owned(), |pins| format!("pins {pins}"));
    let second = format!("{config}, {pins}, http://{listen}/metrics");
    [
        ("agent".to_owned(), first),
        ("started with".to_owned(), second),
        ("confined".to_owned(), confined.to_string()),
    ]
}

fn of_interface(interface: &InterfaceStatus) -> String {
    let InterfaceStatus { mode, egress, since, trouble, .. } = interface;
    let attached = match (mode, egress) {
        (Some(mode), true) => format!("attached in {mode} mode"),
        (Some(mode), false) => format!("attached in {mode} mode, but does not see what is sent"),
        (None, _) => "not attached".to_owned(),
    };
    let since = since.as_ref().map(|since| format!(", since {since}")).unwrap_or_default();
    let trouble = trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
    format!("{attached}{since}{trouble}")
}

fn of_sensor(sensor: &SensorStatus, observes: bool) -> String {
    let done = if observes { "counted" } else { "counted and dropped" };
    let packets = noun(sensor.packets, "packet", "packets");
    format!("{} {packets} {done}, {} bytes", Grouped(sensor.packets), Grouped(sensor.bytes))
}

fn of_passed(reasons: &BTreeMap<String, u64>) -> String {
    let all: u64 = reasons.values().sum();
    format!("{} {}{}", Grouped(all), noun(all, "packet", "packets"), by_reason(reasons))
}

/// The reasons that there were, behind a colon; nothing if there was none.
fn by_reason<'a>(reasons: impl IntoIterator<Item = (&'a String, &'a u64)>) -> String {
    let each = reasons.into_iter().filter(|(_, packets)| **packets > 0);
    let each: Vec<_> = each.map(|(reason, packets)| format!("{reason} {}", Grouped(*packets))).collect();
    if each.is_empty() { String::new() } else { format!(": {}", each.join(", ")) }
}

fn of_evidence(evidence: &EvidenceStatus) -> String {
    let EvidenceStatus { path, packets, kept, skipped, lost, trouble, .. } = evidence;
    let trouble = not_written(trouble.as_ref());
    let place = match path {
        Some(path) => format!("in {path}"),
        None if *packets == 0 => return format!("none is kept{trouble}"),
        None => "before; none is kept now".to_owned(),
    };
    let missing = by_reason(skipped.iter().chain(lost)).replacen(':', "; without", 1);
    let counted = noun(*packets, "packet", "packets");
    format!("{} of {} {counted} kept {place}{missing}{trouble}", Share(*kept, *packets), Grouped(*packets))
}

fn of_store(store: &StoreStatus) -> String {
    let StoreStatus { path, bytes, rows, refused, trouble } = store;
    let Some(path) = path else { return "nothing is stored".to_owned() };
    // Before it was opened nobody knows.
    let there = match (rows, trouble) {
        (0, Some(_)) => String::new(),
        _ => format!(
            "{} {}, {} MiB ",
            Grouped(*rows),
            noun(*rows, "row", "rows"),
            Grouped(bytes.div_ceil(1 << 20))
        ),
    };
    let summed_up = by_reason(refused).replacen(':', "; packets in sums:", 1);
    let trouble = not_written(trouble.as_ref());
    format!("{there}in {path}{summed_up}{trouble}")
}

fn not_written(trouble: Option<&String>) -> String {
    trouble.map(|trouble| format!("; not written now: {trouble}")).unwrap_or_default()
}

/// Nothing without a log: who asks for notices is told of them all the same.
fn of_notices(notices: &NoticesStatus) -> Option<String> {
    let NoticesStatus { log, written, trouble } = notices;
    let log = log.as_ref()?;
    let trouble = not_written(trouble.as_ref());
    Some(format!("{} written to {log}{trouble}", Grouped(*written)))
}

/// A part of a whole in percent, rounded down: all is said of no less.
pub(crate) struct Share(pub u64, pub u64);

impl Share {
    /// The number of percent, as programs read it; of nothing, all.
    pub(crate) fn percent(&self) -> String {
        let tenths = self.tenths();
        format!("{}.{}", tenths / 10, tenths % 10)
    }

    fn tenths(&self) -> u128 {
        let Self(part, whole) = *self;
        (u128::from(part) * 1000).checked_div(whole.into()).unwrap_or(1000)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(part, whole) = *self;
        match self.tenths() {
            0 if part > 0 => f.write_str("less than 0.1 %"),
            _ if part >= whole => f.write_str("all"),
            _ => write!(f, "{} %", self.percent()),
        }
    }
}

fn of_counters(counters: &CountersStatus) -> String {
    let read =
        counters.read.as_ref().map_or_else(|| "never read".to_owned(), |read| format!("read at {read}"));
    match &counters.trouble {
        Some(trouble) => format!("{read}, not now: {trouble}"),
        None => read,
    }
}

fn of_readiness(readiness: &Readiness) -> String {
    match &readiness.trouble {
        Some(trouble) => format!("no: {trouble}"),
        None if readiness.ready => "yes".to_owned(),
        None => "no".to_owned(),
    }
}

/// A number with a comma before each three digits.
pub(crate) struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
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

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(1_000, "1,000")]
    #[case(u64::MAX, "18,446,744,073,709,551,615")]
    fn numbers_are_grouped(#[case] number: u64, #[case] text: &str) {
        assert_eq!(Grouped(number).to_string(), text);
    }

    #[rstest]
    #[case::nothing_yet(0, 0, "all")]
    #[case::all(7, 7, "all")]
    #[case::all_but_one(9_999_999, 10_000_000, "99.9 %")]
    #[case::half(1, 2, "50.0 %")]
    #[case::hardly_any(1, 2_000, "less than 0.1 %")]
    #[case::none(0, 2_000, "0.0 %")]
    fn shares_are_rounded_down(#[case] part: u64, #[case] whole: u64, #[case] text: &str) {
        assert_eq!(Share(part, whole).to_string(), text);
    }

    #[rstest]
    #[case::never(None, 0, "none is kept")]
    #[case::no_more(None, 10, "all of 10 packets kept before; none is kept now")]
    #[case::all(Some("/e"), 10, "all of 10 packets kept in /e")]
    fn people_read_whether_evidence_is_kept(
        #[case] path: Option<&str>,
        #[case] packets: u64,
        #[case] text: &str,
    ) {
        let path = path.map(str::to_owned);
        assert_eq!(
            of_evidence(&EvidenceStatus { path, packets, kept: packets, ..EvidenceStatus::default() }),
            text
        );
    }

    #[rstest]
    #[case::none(StoreStatus::default(), "nothing is stored")]
    #[case::well(stored(9, None), "9 rows, 3 MiB in /s; packets in sums: rows 5")]
    #[case::failing(
        stored(9, Some("it is full")),
        "9 rows, 3 MiB in /s; packets in sums: rows 5; not written now: it is full"
    )]
    #[case::never(
        stored(0, Some("it is full")),
        "in /s; packets in sums: rows 5; not written now: it is full"
    )]
    fn people_read_what_is_stored(#[case] status: StoreStatus, #[case] text: &str) {
        assert_eq!(of_store(&status), text);
    }

    #[rstest]
    #[case::no_log(None, None, None)]
    #[case::well(Some("/n"), None, Some("1,234 written to /n"))]
    #[case::failing(Some("/n"), Some("it is full"), Some("1,234 written to /n; not written now: it is full"))]
    fn people_read_how_the_event_log_goes(
        #[case] log: Option<&str>,
        #[case] trouble: Option<&str>,
        #[case] text: Option<&str>,
    ) {
        let (log, trouble) = (log.map(str::to_owned), trouble.map(str::to_owned));
        assert_eq!(of_notices(&NoticesStatus { log, written: 1_234, trouble }).as_deref(), text);
    }

    fn stored(rows: u64, trouble: Option<&str>) -> StoreStatus {
        let refused = BTreeMap::from([("memory".to_owned(), 0), ("rows".to_owned(), 5)]);
        let (path, trouble) = (Some("/s".to_owned()), trouble.map(str::to_owned));
        StoreStatus { path, bytes: (2 << 20) + 1, rows, refused, trouble }
    }

    #[test]
    fn people_read_it() {
        let moment = || "2026-11-29T02:31:07Z".to_owned();
        let interface = |name: &str| InterfaceStatus { name: name.to_owned(), ..InterfaceStatus::default() };
        let gone = "there is no interface eth1: `ip link` shows those there are".to_owned();
        let lines = [
            StatusLine::Agent(AgentStatus {
                version: "0.1.0".to_owned(),
                process: 812,
                since: moment(),
                config: Some("/etc/sensor/sensor.toml".to_owned()),
                pins: Some("/sys/fs/bpf/sensor".to_owned()),
                listen: "127.0.0.1:19817".to_owned(),
                observe: false,
                confined: ConfinementStatus { landlock: Some(4), seccomp: true },
            }),
            StatusLine::Interface(InterfaceStatus {
                mode: Some("native".to_owned()),
                egress: true,
                since: Some(moment()),
                ..interface("eth0")
            }),
            StatusLine::Interface(InterfaceStatus { trouble: Some(gone.clone()), ..interface("eth1") }),
            StatusLine::Sensor(SensorStatus {
                name: "japan-1".to_owned(),
                region: "japan".to_owned(),
                packets: 1_234_567,
                bytes: 74_074_020,
            }),
            StatusLine::Passed(BTreeMap::from([("link".to_owned(), 12), ("reply".to_owned(), 0)])),
            StatusLine::Evidence(EvidenceStatus {
                path: Some("/var/lib/sensor/evidence".to_owned()),
                packets: 1_234_567,
                kept: 1_200_000,
                skipped: BTreeMap::from([("budget".to_owned(), 34_560), ("buffer".to_owned(), 0)]),
                lost: BTreeMap::from([("disk".to_owned(), 7)]),
                share: 0.972,
                trouble: None,
            }),
            StatusLine::Store(StoreStatus {
                path: Some("/var/lib/sensor".to_owned()),
                bytes: 127_000_000,
                rows: 1_010_692,
                ..StoreStatus::default()
            }),
            StatusLine::Notices(NoticesStatus {
                log: Some("/var/lib/sensor/notices.jsonl".to_owned()),
                written: 42,
                trouble: None,
            }),
            StatusLine::Counters(CountersStatus { read: Some(moment()), trouble: None }),
            StatusLine::Ready(Readiness { ready: false, trouble: Some(gone) }),
        ];
        let read_again: Vec<StatusLine> = lines
            .iter()
            .map(|line| serde_json::from_str(&serde_json::to_string(line).unwrap()).unwrap())
            .collect();
        assert_eq!(read_again, lines);
        let text = "\
agent         0.1.0, process 812, since 2026-11-29T02:31:07Z
started with  file /etc/sensor/sensor.toml, pins /sys/fs/bpf/sensor, http://127.0.0.1:19817/metrics
confined      files by Landlock (ABI 4), system calls by seccomp
eth0          attached in native mode, since 2026-11-29T02:31:07Z
eth1          not attached: there is no interface eth1: `ip link` shows those there are
japan-1       1,234,567 packets counted and dropped, 74,074,020 bytes
passed        12 packets: link 12
evidence      97.2 % of 1,234,567 packets kept in /var/lib/sensor/evidence; without budget 34,560, disk 7
store         1,010,692 rows, 122 MiB in /var/lib/sensor
notices       42 written to /var/lib/sensor/notices.jsonl
counters      read at 2026-11-29T02:31:07Z
ready         no: there is no interface eth1: `ip link` shows those there are
";
        assert_eq!(for_people(&lines), text);
    }
}
