//! The list of metrics: names, labels and help texts, in the order of the page.
//!
//! The page is built from this list and the README's is tested against it, so that neither has a metric that
//! the other has not. The `process_…` metrics come from the library and follow these.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// A metric's name, kind, labels and help text.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What its value does.
    pub kind: MetricType,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, in a sentence.
    pub help: &'static str,
}

/// Every metric of the agent but the process metrics.
pub const FAMILIES: [&Family; 15] = [
    &PACKETS,
    &BYTES,
    &WITHDRAWN_PACKETS,
    &WITHDRAWN_BYTES,
    &ICMP,
    &MALFORMED,
    &PASSED,
    &INFO,
    &ATTACHED,
    &PORTS,
    &DRAIN_DURATION,
    &DRAIN_FAILURES,
    &CLOSED,
    &TIME,
    &BUILD_INFO,
];

pub(super) const PACKETS: Family = Family {
    name: "sensor_packets_total",
    kind: MetricType::COUNTER,
    labels: &["sensor", "protocol", "port"],
    help: "Unsolicited packets, by protocol and destination port.",
};

pub(super) const BYTES: Family = Family {
    name: "sensor_bytes_total",
    kind: MetricType::COUNTER,
    labels: &["sensor", "protocol", "port"],
    help: "Bytes of unsolicited packets, Ethernet header included, by protocol and destination port.",
};

pub(super) const WITHDRAWN_PACKETS: Family = Family {
    name: "sensor_withdrawn_packets",
    kind: MetricType::GAUGE,
    labels: &["sensor", "protocol"],
    help: "Packets counted by port series that have left the page; \
           with them, sensor_packets_total adds up to everything counted.",
};

pub(super) const WITHDRAWN_BYTES: Family = Family {
    name: "sensor_withdrawn_bytes",
    kind: MetricType::GAUGE,
    labels: &["sensor", "protocol"],
    help: "Bytes counted by port series that have left the page; \
           with them, sensor_bytes_total adds up to everything counted.",
};

pub(super) const ICMP: Family = Family {
    name: "sensor_icmp_packets_total",
    kind: MetricType::COUNTER,
    labels: &["sensor", "protocol", "type", "code"],
    help: "Unsolicited ICMP and ICMPv6 packets, by type and code; \
           they are part of sensor_packets_total too.",
};

pub(super) const MALFORMED: Family = Family {
    name: "sensor_malformed_packets_total",
    kind: MetricType::COUNTER,
    labels: &["sensor", "reason"],
    help: "Unsolicited packets with a broken header, by the first thing found wrong; \
           they are part of sensor_packets_total too.",
};

pub(super) const PASSED: Family = Family {
    name: "sensor_passed_packets_total",
    kind: MetricType::COUNTER,
    labels: &["reason"],
    help: "Packets that the host was let have, by reason.",
};

pub(super) const INFO: Family = Family {
    name: "sensor_info",
    kind: MetricType::GAUGE,
    labels: &["sensor", "region"],
    help: "Always 1; tells where each sensor is.",
};

pub(super) const ATTACHED: Family = Family {
    name: "sensor_xdp_attached",
    kind: MetricType::GAUGE,
    labels: &["interface", "mode"],
    help: "Whether the kernel says that the XDP program is attached to the interface in this mode.",
};

pub(super) const PORTS: Family = Family {
    name: "sensor_exported_ports",
    kind: MetricType::GAUGE,
    labels: &["sensor"],
    help: "Ports that have a series of their own.",
};

pub(super) const DRAIN_DURATION: Family = Family {
    name: "sensor_drain_duration_seconds",
    kind: MetricType::HISTOGRAM,
    labels: &[],
    help: "How long it took to read all counters from the kernel.",
};

pub(super) const DRAIN_FAILURES: Family = Family {
    name: "sensor_drain_failures_total",
    kind: MetricType::COUNTER,
    labels: &[],
    help: "Attempts to read the counters from the kernel that failed.",
};

pub(super) const CLOSED: Family = Family {
    name: "sensor_http_closed_connections_total",
    kind: MetricType::COUNTER,
    labels: &["reason"],
    help: "HTTP connections that the agent closed on a peer that was too slow, \
           or to make room for a newer one.",
};

pub(super) const TIME: Family = Family {
    name: "sensor_time_seconds",
    kind: MetricType::GAUGE,
    labels: &[],
    help: "The host's clock when the page was made, in whole seconds since 1970-01-01 UTC.",
};

pub(super) const BUILD_INFO: Family = Family {
    name: "sensor_build_info",
    kind: MetricType::GAUGE,
    labels: &["version", "schema"],
    help: "Always 1; tells the agent's version and that of the counters' layout.",
};

impl Family {
    /// The family with these samples; `None` without any, which the text format can't say.
    ///
    /// Values are f64 on the wire: exact up to 2^53.
    pub(super) fn with<const N: usize>(
        &self,
        samples: impl IntoIterator<Item = ([String; N], u64)>,
    ) -> Option<MetricFamily> {
        debug_assert_eq!(self.labels.len(), N, "{}", self.name);
        let metrics: Vec<Metric> =
            samples.into_iter().map(|(values, value)| self.metric(values, value)).collect();
        if metrics.is_empty() {
            return None;
        }
        let mut family = MetricFamily::default();
        family.set_name(self.name.into());
        family.set_help(self.help.into());
        family.set_field_type(self.kind);
        family.set_metric(metrics);
        Some(family)
    }

    fn metric(&self, values: impl IntoIterator<Item = String>, value: u64) -> Metric {
        #[expect(clippy::cast_precision_loss, reason = "Prometheus has no other number")]
        let value = value as f64;
        let label = |(name, value): (&&str, String)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).into());
            pair.set_value(value);
            pair
        };
        let mut metric = Metric::from_label(self.labels.iter().zip(values).map(label).collect());
        if self.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        metric
    }
}
