//! The metrics page: what each metric of [`FAMILIES`](super::FAMILIES) says after a drain.
//!
//! A family is a function of the drain and of the agent's state. All of a page's counts are of one snapshot.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::Histogram;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use sensor_common::layout::{Counter, Passed, SCHEMA_VERSION};

use super::exporter::Exported;
use super::families::{
    ATTACHED, BUILD_INFO, BYTES, CLOSED, DRAIN_FAILURES, ICMP, INFO, MALFORMED, PACKETS, PASSED, PORTS, TIME,
    WITHDRAWN_BYTES, WITHDRAWN_PACKETS,
};
use super::{AttachStatus, HttpStats};
use crate::config::Transport;
use crate::counters::series::{icmp_details, malformed_details, series};
use crate::counters::{Slots, Snapshot};
use crate::kernel::AttachedMode;

/// What a page is made from.
pub(super) struct View<'a> {
    pub(super) sensors: &'a [Exported],
    pub(super) snapshot: &'a Snapshot,
    pub(super) attached: &'a [AttachStatus],
    pub(super) drain_duration: &'a Histogram,
    pub(super) drain_failures: u64,
    pub(super) http: &'a HttpStats,
}

/// All families but the process metrics, in the order of the list.
pub(super) fn families(view: &View) -> Vec<MetricFamily> {
    let [packets, bytes] = traffic(view);
    let [withdrawn_packets, withdrawn_bytes] = withdrawn(view);
    let families =
        [packets, bytes, withdrawn_packets, withdrawn_bytes, icmp(view), malformed(view), passed(view)];
    let mut families: Vec<_> =
        families.into_iter().chain([info(view), attached(view), ports(view)]).flatten().collect();
    families.extend(view.drain_duration.collect());
    families.extend(DRAIN_FAILURES.with([([], view.drain_failures)]));
    families.extend(CLOSED.with(view.http.closed().map(|(reason, count)| ([reason.into()], count))));
    families.extend(TIME.with([([], unix_time())]));
    families.extend(build_info());
    families
}

impl View<'_> {
    fn sensors(&self) -> impl Iterator<Item = (&Exported, &Slots)> {
        self.sensors.iter().zip(&self.snapshot.sensors)
    }
}

/// The two main families have the same series, one for packets and one for bytes.
fn traffic(view: &View) -> [Option<MetricFamily>; 2] {
    let (mut packets, mut bytes) = (Vec::new(), Vec::new());
    for (sensor, slots) in view.sensors() {
        for series in series(slots, &sensor.selection) {
            let labels = [sensor.name.clone(), series.protocol.into_owned(), series.port.into_owned()];
            packets.push((labels.clone(), series.counter.packets));
            bytes.push((labels, series.counter.bytes));
        }
    }
    [PACKETS.with(packets), BYTES.with(bytes)]
}

fn withdrawn(view: &View) -> [Option<MetricFamily>; 2] {
    let of = |value: fn(Counter) -> u64| {
        view.sensors.iter().flat_map(move |sensor| {
            [("tcp", Transport::Tcp), ("udp", Transport::Udp)].map(|(protocol, transport)| {
                ([sensor.name.clone(), protocol.into()], value(sensor.selection.withdrawn(transport)))
            })
        })
    };
    [WITHDRAWN_PACKETS.with(of(|counter| counter.packets)), WITHDRAWN_BYTES.with(of(|counter| counter.bytes))]
}

fn icmp(view: &View) -> Option<MetricFamily> {
    ICMP.with(view.sensors().flat_map(|(sensor, slots)| {
        icmp_details(slots).into_iter().map(|detail| {
            let labels = [
                sensor.name.clone(),
                detail.protocol.into(),
                detail.kind.into_owned(),
                detail.code.into_owned(),
            ];
            (labels, detail.packets)
        })
    }))
}

fn malformed(view: &View) -> Option<MetricFamily> {
    MALFORMED.with(view.sensors().flat_map(|(sensor, slots)| {
        malformed_details(slots)
            .map(|(reason, packets)| ([sensor.name.clone(), reason.label().into()], packets))
    }))
}

fn passed(view: &View) -> Option<MetricFamily> {
    PASSED.with(Passed::ALL.iter().map(|&reason| ([reason.label().into()], view.snapshot.passed(reason))))
}

fn info(view: &View) -> Option<MetricFamily> {
    INFO.with(view.sensors.iter().map(|sensor| ([sensor.name.clone(), sensor.region.clone()], 1)))
}

/// Both modes of each interface, so that neither a detached program nor a change of mode ends a series.
fn attached(view: &View) -> Option<MetricFamily> {
    ATTACHED.with(view.attached.iter().flat_map(|status| {
        AttachedMode::ALL
            .map(|mode| ([status.interface.clone(), mode.to_string()], u64::from(status.mode == Some(mode))))
    }))
}

fn ports(view: &View) -> Option<MetricFamily> {
    PORTS.with(view.sensors.iter().map(|sensor| ([sensor.name.clone()], sensor.selection.len() as u64)))
}

/// The host's clock: what Prometheus compares with its own. A clock that is before 1970 reads 0.
fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn build_info() -> Option<MetricFamily> {
    BUILD_INFO.with([([env!("CARGO_PKG_VERSION").into(), SCHEMA_VERSION.to_string()], 1)])
}
#[cfg(test)]
mod tests;
