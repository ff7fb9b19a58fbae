//! What the metrics page says of the sensors: each of their families as of one snapshot.

use sensor_common::layout::side::Side;
use sensor_common::layout::{Counter, Passed};

use super::exported::Exported;
use super::exporter::Labelled;
use super::families::{
    BACKSCATTER, BYTES, CONSTITUENCY, EVIDENCE, EVIDENCE_LOST, EVIDENCE_SKIPPED, Family, ICMP, INFO,
    IPV4_ADDRESSES, MALFORMED, PACKETS, PASSED, PORTS, TCP, TOOL, WITHDRAWN_BYTES, WITHDRAWN_PACKETS,
};
use super::text::Samples;
use crate::config::Transport;
use crate::counters::details::Details;
use crate::counters::series::{Series, icmp_details, malformed_details, series};
use crate::counters::{Slots, Snapshot};
use crate::counters::{details, names};

/// The sensors with what each has counted.
struct Page<'a> {
    page: &'a mut Vec<u8>,
    sensors: Vec<(&'a Exported, &'a Slots)>,
}

/// Writes the families of the sensors, in the order of the list.
pub(super) fn write(
    page: &mut Vec<u8>,
    sensors: &[Exported],
    constituencies: &[Labelled],
    snapshot: &Snapshot,
) {
    let sensors = sensors.iter().zip(&snapshot.sensors).collect();
    let mut page = Page { page, sensors };
    page.traffic(&PACKETS, |counter| counter.packets);
    page.traffic(&BYTES, |counter| counter.bytes);
    page.withdrawn(&WITHDRAWN_PACKETS, |counter| counter.packets);
    page.withdrawn(&WITHDRAWN_BYTES, |counter| counter.bytes);
    page.icmp();
    page.malformed();
    page.details(&TOOL, details::tools);
    page.details(&TCP, details::tcp_kinds);
    page.details(&BACKSCATTER, details::backscatter);
    page.constituencies(constituencies);
    page.evidence();
    page.details(&EVIDENCE_SKIPPED, details::skipped);
    page.details(&EVIDENCE_LOST, details::lost);
    page.passed(snapshot);
    page.info();
    page.addresses();
    page.ports();
}

impl Page<'_> {
    fn traffic(&mut self, family: &'static Family, value: fn(Counter) -> u64) {
        let mut samples = Samples::new(self.page, family);
        let mut digits = itoa::Buffer::new();
        for (sensor, slots) in &self.sensors {
            for Series { protocol, port, counter } in series(slots, &sensor.selection) {
                samples.add([&sensor.name, &protocol, port.text(&mut digits)], value(counter));
            }
        }
    }

    fn withdrawn(&mut self, family: &'static Family, value: fn(Counter) -> u64) {
        let mut samples = Samples::new(self.page, family);
        for (sensor, _) in &self.sensors {
            for transport in [Transport::Tcp, Transport::Udp] {
                let protocol = names::transport(transport);
                samples.add([&sensor.name, protocol], value(sensor.selection.withdrawn(transport)));
            }
        }
    }

    fn icmp(&mut self) {
        let mut samples = Samples::new(self.page, &ICMP);
        for (sensor, slots) in &self.sensors {
            for detail in icmp_details(slots) {
                samples.add([&sensor.name, detail.protocol, &detail.kind, &detail.code], detail.packets);
            }
        }
    }

    fn malformed(&mut self) {
        let mut samples = Samples::new(self.page, &MALFORMED);
        for (sensor, slots) in &self.sensors {
            for (reason, packets) in malformed_details(slots) {
                samples.add([&sensor.name, reason.label()], packets);
            }
        }
    }

    fn constituencies(&mut self, constituencies: &[Labelled]) {
        let mut samples = Samples::new(self.page, &CONSTITUENCY);
        for (sensor, slots) in &self.sensors {
            for (name, counter) in constituencies {
                samples.add([&sensor.name, name], slots.side(*counter));
            }
        }
    }

    fn evidence(&mut self) {
        let mut samples = Samples::new(self.page, &EVIDENCE);
        for (sensor, slots) in &self.sensors {
            samples.add([&sensor.name], slots.side(Side::HANDED_OVER));
        }
    }

    fn details(&mut self, family: &'static Family, of: fn(&Slots) -> Details) {
        let mut samples = Samples::new(self.page, family);
        for (sensor, slots) in &self.sensors {
            for (label, packets) in of(slots) {
                samples.add([&sensor.name, label], packets);
            }
        }
    }

    fn passed(&mut self, snapshot: &Snapshot) {
        let mut samples = Samples::new(self.page, &PASSED);
        for &reason in Passed::ALL {
            samples.add([reason.label()], snapshot.passed(reason));
        }
    }

    fn info(&mut self) {
        let mut samples = Samples::new(self.page, &INFO);
        for (sensor, _) in &self.sensors {
            samples.add([&sensor.name, &sensor.region], 1);
        }
    }

    fn addresses(&mut self) {
        let mut samples = Samples::new(self.page, &IPV4_ADDRESSES);
        for (sensor, _) in &self.sensors {
            if let Some(addresses) = sensor.ipv4_addresses {
                samples.add([&sensor.name], addresses);
            }
        }
    }

    fn ports(&mut self) {
        let mut samples = Samples::new(self.page, &PORTS);
        for (sensor, _) in &self.sensors {
            samples.add([&sensor.name], sensor.selection.len() as u64);
        }
    }
}
