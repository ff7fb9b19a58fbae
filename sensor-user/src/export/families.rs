//! The list of metrics: names, labels and help texts, in the order of the page.
//!
//! The page is built from this list and `docs/metrics.md` is tested against it, so that neither has a metric that
//! the other has not. The `process_…` metrics come from the library and follow these.

use std::fmt;

use prometheus::Opts;

/// A metric's name, kind, labels and help text.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What its value does.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, in a sentence.
    pub help: &'static str,
}

/// What a metric's value does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only ever grows, from 0.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It counts observations by size.
    Histogram,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

impl Family {
    /// The name and the help text, as the library takes them.
    pub(super) fn options(&self) -> Opts {
        Opts::new(self.name, self.help)
    }
}

/// Every metric of the agent but those of sources and the process metrics.
pub static FAMILIES: [&Family; 33] = [
    &PACKETS,
    &BYTES,
    &WITHDRAWN_PACKETS,
    &WITHDRAWN_BYTES,
    &ICMP,
    &MALFORMED,
    &TOOL,
    &TCP,
    &BACKSCATTER,
    &CONSTITUENCY,
    &EVIDENCE,
    &EVIDENCE_SKIPPED,
    &EVIDENCE_LOST,
    &PASSED,
    &INFO,
    &IPV4_ADDRESSES,
    &PORTS,
    &ATTACHED,
    &EGRESS_ATTACHED,
    &DRAIN_DURATION,
    &DRAIN_FAILURES,
    &CLOSED,
    &LOST_LINES,
    &STORE_BYTES,
    &STORE_ROWS,
    &STORE_REFUSED,
    &STORE_FAILING,
    &NOTICES,
    &NOTICES_OVER,
    &NOTICES_LOGGED,
    &NOTICE_LOG_FAILING,
    &TIME,
    &BUILD_INFO,
];

/// Those of sources, which are on the page where evidence is kept, as far as there is something to say.
pub static SOURCE_FAMILIES: [&Family; 13] = [
    &SOURCES,
    &SOURCES_OBSERVED,
    &SOURCES_MISSED,
    &COUNTRY,
    &COUNTRY_SOURCES,
    &MIRAI_SOURCES,
    &AS,
    &AS_INFO,
    &SCANNER,
    &SCANNER_PORT,
    &VICTIMS,
    &LIST,
    &MISSED_RECORDS,
];

pub(super) static PACKETS: Family = Family {
    name: "sensor_packets_total",
    kind: Kind::Counter,
    labels: &["sensor", "protocol", "port"],
    help: "Unsolicited packets, by protocol and destination port.",
};

pub(super) static BYTES: Family = Family {
    name: "sensor_bytes_total",
    kind: Kind::Counter,
    labels: &["sensor", "protocol", "port"],
    help: "Bytes of unsolicited packets, Ethernet header included, by protocol and destination port.",
};

pub(super) static WITHDRAWN_PACKETS: Family = Family {
    name: "sensor_withdrawn_packets",
    kind: Kind::Gauge,
    labels: &["sensor", "protocol"],
    help: "Packets counted by port series that have left the page; \
           with them, sensor_packets_total adds up to everything counted.",
};

pub(super) static WITHDRAWN_BYTES: Family = Family {
    name: "sensor_withdrawn_bytes",
    kind: Kind::Gauge,
    labels: &["sensor", "protocol"],
    help: "Bytes counted by port series that have left the page; \
           with them, sensor_bytes_total adds up to everything counted.",
};

pub(super) static ICMP: Family = Family {
    name: "sensor_icmp_packets_total",
    kind: Kind::Counter,
    labels: &["sensor", "protocol", "type", "code"],
    help: "Unsolicited ICMP and ICMPv6 packets, by type and code; \
           they are part of sensor_packets_total too.",
};

pub(super) static MALFORMED: Family = Family {
    name: "sensor_malformed_packets_total",
    kind: Kind::Counter,
    labels: &["sensor", "reason"],
    help: "Unsolicited packets with a broken header, by the first thing found wrong; \
           they are part of sensor_packets_total too.",
};

pub(super) static TOOL: Family = Family {
    name: "sensor_tool_packets_total",
    kind: Kind::Counter,
    labels: &["sensor", "tool"],
    help: "Unsolicited TCP SYNs, by the tool that made them, as their headers tell; \
           they are part of sensor_tcp_packets_total too.",
};

pub(super) static TCP: Family = Family {
    name: "sensor_tcp_packets_total",
    kind: Kind::Counter,
    labels: &["sensor", "kind"],
    help: "Unsolicited TCP segments, by their flags; they are part of sensor_packets_total too.",
};

pub(super) static BACKSCATTER: Family = Family {
    name: "sensor_backscatter_packets_total",
    kind: Kind::Counter,
    labels: &["sensor", "kind"],
    help: "Unsolicited packets that answer something which the sensor never sent, by kind; \
           they are part of sensor_packets_total too.",
};

pub(super) static CONSTITUENCY: Family = Family {
    name: "sensor_constituency_packets_total",
    kind: Kind::Counter,
    labels: &["sensor", "constituency"],
    help: "Unsolicited packets from addresses of a constituency. Detail of sensor_packets_total.",
};

pub(super) static EVIDENCE: Family = Family {
    name: "sensor_evidence_packets_total",
    kind: Kind::Counter,
    labels: &["sensor"],
    help: "Unsolicited packets that the kernel handed over as evidence; \
           with those skipped, all that were counted since evidence is kept.",
};

pub(super) static EVIDENCE_SKIPPED: Family = Family {
    name: "sensor_evidence_skipped_packets_total",
    kind: Kind::Counter,
    labels: &["sensor", "reason"],
    help: "Unsolicited packets that were counted and not handed over as evidence.",
};

pub(super) static EVIDENCE_LOST: Family = Family {
    name: "sensor_evidence_lost_packets_total",
    kind: Kind::Counter,
    labels: &["sensor", "reason"],
    help: "Unsolicited packets that were handed over as evidence and not written to a file.",
};

pub(super) static PASSED: Family = Family {
    name: "sensor_passed_packets_total",
    kind: Kind::Counter,
    labels: &["reason"],
    help: "Packets that the host was let have, by reason.",
};

pub(super) static INFO: Family = Family {
    name: "sensor_info",
    kind: Kind::Gauge,
    labels: &["sensor", "region"],
    help: "Always 1; tells where each sensor is.",
};

pub(super) static IPV4_ADDRESSES: Family = Family {
    name: "sensor_ipv4_addresses",
    kind: Kind::Gauge,
    labels: &["sensor"],
    help: "IPv4 addresses that are monitored, as the sensor's prefixes say; none is said of a sensor without prefixes.",
};

pub(super) static ATTACHED: Family = Family {
    name: "sensor_xdp_attached",
    kind: Kind::Gauge,
    labels: &["interface", "mode"],
    help: "Whether the kernel says that the XDP program is attached to the interface in this mode.",
};

pub(super) static EGRESS_ATTACHED: Family = Family {
    name: "sensor_egress_attached",
    kind: Kind::Gauge,
    labels: &["interface"],
    help: "Whether the kernel says that the program that sees what the interface sends is attached to it.",
};

pub(super) static PORTS: Family = Family {
    name: "sensor_exported_ports",
    kind: Kind::Gauge,
    labels: &["sensor"],
    help: "Ports that have a series of their own.",
};

pub(super) static SOURCES: Family = Family {
    name: "sensor_sources",
    kind: Kind::Gauge,
    labels: &["sensor", "protocol", "port", "window"],
    help: "Distinct sources in the last full UTC hour or day, exact up to 256, then with a standard error of 1.6 %: \
           of all packets with an empty protocol and port, and by exported port; where packets were missed, at least so many.",
};

pub(super) static SOURCES_OBSERVED: Family = Family {
    name: "sensor_sources_observed_packets",
    kind: Kind::Gauge,
    labels: &["sensor", "window"],
    help: "Packets that the numbers of sources in the last full window rest on.",
};

pub(super) static SOURCES_MISSED: Family = Family {
    name: "sensor_sources_missed_packets",
    kind: Kind::Gauge,
    labels: &["sensor", "window"],
    help: "Packets of the last full window that were counted, and whose sources were not looked at.",
};

pub(super) static COUNTRY: Family = Family {
    name: "sensor_country_packets_total",
    kind: Kind::Counter,
    labels: &["sensor", "country"],
    help: "Packets whose sources were looked at, by their country.",
};

pub(super) static COUNTRY_SOURCES: Family = Family {
    name: "sensor_country_sources",
    kind: Kind::Gauge,
    labels: &["sensor", "country", "window"],
    help: "Distinct sources in the last full UTC hour or day, by their country.",
};

pub(super) static MIRAI_SOURCES: Family = Family {
    name: "sensor_mirai_sources",
    kind: Kind::Gauge,
    labels: &["sensor", "country", "window"],
    help: "Distinct sources in the last full UTC hour or day of SYNs with Mirai's mark, by their country.",
};

pub(super) static AS: Family = Family {
    name: "sensor_as_packets_total",
    kind: Kind::Counter,
    labels: &["sensor", "as"],
    help: "Packets whose sources were looked at, by the number of their autonomous system.",
};

pub(super) static AS_INFO: Family = Family {
    name: "sensor_as_info",
    kind: Kind::Gauge,
    labels: &["as", "name"],
    help: "Always 1; tells whose an autonomous system is.",
};

pub(super) static SCANNER: Family = Family {
    name: "sensor_known_scanner_packets_total",
    kind: Kind::Counter,
    labels: &["sensor", "scanner"],
    help: "Packets whose sources were looked at and are of known scanners, by organisation.",
};

pub(super) static SCANNER_PORT: Family = Family {
    name: "sensor_known_scanner_port_packets_total",
    kind: Kind::Counter,
    labels: &["sensor", "protocol", "port"],
    help: "Packets whose sources were looked at and are of known scanners, by exported port.",
};

pub(super) static VICTIMS: Family = Family {
    name: "sensor_victims",
    kind: Kind::Gauge,
    labels: &["sensor", "window"],
    help: "Distinct addresses that were under denial of service in the last full UTC hour or day, as their answers tell.",
};

pub(super) static LIST: Family = Family {
    name: "sensor_list_current",
    kind: Kind::Gauge,
    labels: &["list"],
    help: "Whether what is in use of a list of countries, autonomous systems or known scanners is its file as it is now.",
};

pub(super) static MISSED_RECORDS: Family = Family {
    name: "sensor_sources_missed_records_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Records of evidence that there was no time to look at the sources of.",
};

pub(super) static DRAIN_DURATION: Family = Family {
    name: "sensor_drain_duration_seconds",
    kind: Kind::Histogram,
    labels: &[],
    help: "How long it took to read all counters from the kernel.",
};

pub(super) static DRAIN_FAILURES: Family = Family {
    name: "sensor_drain_failures_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Attempts to read the counters from the kernel that failed.",
};

pub(super) static CLOSED: Family = Family {
    name: "sensor_http_closed_connections_total",
    kind: Kind::Counter,
    labels: &["reason"],
    help: "HTTP connections that the agent closed on a peer that was too slow, \
           or to make room for a newer one.",
};

pub(super) static LOST_LINES: Family = Family {
    name: "sensor_log_lost_lines_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Lines of the log that standard error did not take, since nobody read it or the disk was full.",
};

pub(super) static STORE_BYTES: Family = Family {
    name: "sensor_store_bytes",
    kind: Kind::Gauge,
    labels: &[],
    help: "Bytes that the store has on disk: the database, and files by the hour.",
};

pub(super) static STORE_ROWS: Family =
    Family { name: "sensor_store_rows", kind: Kind::Gauge, labels: &[], help: "Rows of flows in the store." };

pub(super) static STORE_REFUSED: Family = Family {
    name: "sensor_store_refused_total",
    kind: Kind::Counter,
    labels: &["reason"],
    help: "Packets that were observed and have no row of their own in the store, by reason.",
};

pub(super) static STORE_FAILING: Family = Family {
    name: "sensor_store_failing",
    kind: Kind::Gauge,
    labels: &[],
    help: "Whether the store cannot be written: then it is 1, and the log says why.",
};

pub(super) static NOTICES: Family = Family {
    name: "sensor_notices_total",
    kind: Kind::Counter,
    labels: &["about", "constituency"],
    help: "Notices that were begun: sources and victims of a constituency, each once a UTC day.",
};

pub(super) static NOTICES_OVER: Family = Family {
    name: "sensor_notices_over_packets_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Packets from constituencies that are in no notice, since there were too many addresses.",
};

pub(super) static NOTICES_LOGGED: Family = Family {
    name: "sensor_notices_logged_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Notices that were written to the event log.",
};

pub(super) static NOTICE_LOG_FAILING: Family = Family {
    name: "sensor_notice_log_failing",
    kind: Kind::Gauge,
    labels: &[],
    help: "Whether the event log cannot be written: notices wait in the store.",
};

pub(super) static TIME: Family = Family {
    name: "sensor_time_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "The host's clock when the page was made, in whole seconds since 1970-01-01 UTC.",
};

pub(super) static BUILD_INFO: Family = Family {
    name: "sensor_build_info",
    kind: Kind::Gauge,
    labels: &["schema", "version"],
    help: "Always 1; tells the agent's version and that of the counters' layout.",
};
