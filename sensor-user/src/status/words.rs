//! What `sensor status` says, as people read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sensor_common::grouped::Grouped;
use sensor_common::noun::noun;

use super::share::Share;
use super::{
    AgentStatus, CountersStatus, EvidenceStatus, InterfaceStatus, NoticesStatus, Readiness, SensorStatus,
    StatusLine, StoreStatus,
};

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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::status::ConfinementStatus;

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
