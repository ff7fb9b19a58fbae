//! What most packets were sent to.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sensor_common::layout::Counter;

use super::service::Service;
use crate::counters::{PortSlot, Slots, add};

/// Services by packets, most first; those that got none are left out.
#[must_use]
pub fn ranking<'a>(sensors: impl Iterator<Item = &'a Slots>, most: usize) -> Vec<(Service, Counter)> {
    let mut ports = vec![Counter::default(); PortSlot::COUNT];
    let mut others = BTreeMap::<Service, Counter>::new();
    for slots in sensors {
        for (kind, counter) in slots.iter_nonzero() {
            match Service::of(kind) {
                Some(Service::Port(port)) => add(&mut ports[PortSlot::from(port).index()], counter),
                Some(service) => add(others.entry(service).or_default(), counter),
                None => {}
            }
        }
    }
    let ports = PortSlot::all().zip(ports).filter(|(_, counter)| counter.packets > 0);
    let mut ranked: Vec<(Service, Counter)> =
        ports.map(|(slot, counter)| (Service::Port(slot.port()), counter)).chain(others).collect();
    let order = |(_, counter): &(Service, Counter)| Reverse(counter.packets);
    // Of a scan over every port, only those are put in order that are told; ties at the edge go by the service.
    if ranked.len() > most {
        ranked.select_nth_unstable_by(most, |a, b| order(a).cmp(&order(b)).then_with(|| a.0.cmp(&b.0)));
        ranked.truncate(most);
    }
    ranked.sort_unstable_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.0.cmp(&b.0)));
    ranked
}

#[cfg(test)]
mod tests {
    use sensor_common::layout::Slot;

    use super::*;

    fn sensor(counted: &[(Slot, u64)]) -> Slots {
        let mut slots = Slots::default();
        for &(slot, packets) in counted {
            slots.add(slot, packets, 60 * packets);
        }
        slots
    }

    #[test]
    fn icmp_is_one_row_and_sensors_add_up() {
        let a = sensor(&[(Slot::tcp(23), 5), (Slot::icmp(8, 0), 3), (Slot::fragment(17), 100)]);
        let b = sensor(&[
            (Slot::udp(53), 5),
            (Slot::icmp(3, 1), 4),
            (Slot::tcp(23), 1),
            (Slot::protocol_v4(47), 1),
        ]);
        let shown = |most| -> Vec<(String, u64)> {
            ranking([&a, &b].into_iter(), most)
                .into_iter()
                .map(|(service, counter)| (service.to_string(), counter.packets))
                .collect()
        };
        let all = [("ICMP", 7), ("23/TCP", 6), ("53/UDP", 5), ("GRE", 1)]
            .map(|(name, packets)| (name.to_owned(), packets));
        assert_eq!(shown(20), all);
        assert_eq!(shown(2), all[..2]);
        assert_eq!(shown(0), []);
    }

    #[test]
    fn a_scan_over_every_port_is_ranked_by_port() {
        let counted: Vec<_> = (0..=u16::MAX).rev().map(|port| (Slot::tcp(port), 1)).collect();
        let shown: Vec<_> = ranking([&sensor(&counted)].into_iter(), 3)
            .into_iter()
            .map(|(service, _)| service.to_string())
            .collect();
        assert_eq!(shown, ["0/TCP", "1/TCP", "2/TCP"]);
    }
}
