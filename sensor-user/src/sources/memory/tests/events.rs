//! Scans and victims: none that met its definition is lost.

use sensor_common::layout::SlotKind;

use super::super::super::answer::Line;
use super::super::super::ask::AskEvents;
use super::super::super::observation::Observation;
use super::super::super::register::Register;
use super::super::super::scans::{Definition, Scan};
use super::super::super::victims::Victim;
use super::{at, observe, register, reply, sensors, syn};
use crate::config::{SensorNumber, Sources};

fn victims(register: &Register) -> Vec<Victim> {
    let answer = register.victims(&AskEvents::default()).unwrap().into_iter();
    answer.filter_map(|line| if let Line::Victim(row) = line { Some(row.victim) } else { None }).collect()
}

fn scans(register: &Register) -> Vec<Scan> {
    let answer = register.scans(&AskEvents::default()).unwrap().into_iter();
    answer.filter_map(|line| if let Line::Scan(row) = line { Some(row.scan) } else { None }).collect()
}

#[test]
fn a_flood_does_not_lose_what_was_a_scan_or_a_victim() {
    let register = register(2 << 20);
    let mut observations: Vec<_> =
        (0..12).map(|port| syn(at(port), 1, 1, 8_000 + u16::try_from(port).unwrap())).collect();
    observations.extend((0..120).map(|second| reply(at(second * 1_000), 2)));
    // Then so many forged sources, of SYNs and of backscatter, that both have to make room more than once.
    for number in 0..60_000_u32 {
        let time = at(120_000 + i64::from(number));
        observations.push(syn(time, 1_000 + number, 1, 23));
        observations.push(reply(time, 1_000_000 + number));
    }
    observe(&register, &observations);
    let [scan] = &scans(&register)[..] else { panic!("{:?}", scans(&register)) };
    assert_eq!((scan.source.to_string().as_str(), scan.packets, scan.ports.count), ("203.0.0.1", 12, 12));
    let [victim] = &victims(&register)[..] else { panic!("{:?}", victims(&register)) };
    assert_eq!((victim.victim.to_string().as_str(), victim.packets, victim.start), ("203.0.0.2", 120, at(0)));
}

#[test]
fn less_memory_does_not_lose_what_was_a_scan_or_a_victim() {
    let register = register(64 << 20);
    let mut observations = Vec::new();
    for source in 0..200_u32 {
        observations.extend((0..10).map(|port| syn(at(port), source, 1, u16::try_from(port).unwrap())));
        observations.extend((0..35).map(|number| reply(at(number * 1_800), 1_000 + source)));
    }
    observe(&register, &observations);
    assert_eq!((scans(&register).len(), victims(&register).len()), (200, 200));
    register.configure(&Sources { memory: 1 << 20, ..Sources::default() }, &sensors());
    let forgotten = |answer: Vec<Line>| match answer.into_iter().next() {
        Some(Line::Definition(line)) => line.forgotten,
        Some(Line::VictimDefinition(line)) => line.forgotten,
        other => panic!("{other:?}"),
    };
    let scans_forgotten = forgotten(register.scans(&AskEvents::default()).unwrap());
    let victims_forgotten = forgotten(register.victims(&AskEvents::default()).unwrap());
    assert_eq!(scans(&register).len() as u64 + scans_forgotten, 200);
    assert_eq!(victims(&register).len() as u64 + victims_forgotten, 200);
    assert!(scans_forgotten > 0);
}

#[test]
fn a_denial_of_service_is_one_and_slow_backscatter_is_not() {
    let register = register(64 << 20);
    let mut observations = Vec::new();
    for second in 0..120 {
        // One a second, over two minutes; and one each three: 40 are enough, but they are twenty in a minute.
        observations.push(reply(at(second * 1_000), 1));
        if second % 3 == 0 {
            observations.push(reply(at(second * 1_000), 2));
        }
    }
    // Many at once, but over a second.
    observations.extend((0..50).map(|number| reply(at(119_000 + number), 3)));
    observe(&register, &observations);
    let [victim] = &victims(&register)[..] else { panic!("{:?}", victims(&register)) };
    assert_eq!(victim.victim.to_string(), "203.0.0.1");
    assert_eq!((victim.start, victim.end, victim.ongoing), (at(0), at(119_000), true));
    assert_eq!((victim.packets, victim.peak_per_minute), (120, 60));
    assert_eq!(
        (&victim.ports[..], &victim.kinds[..]),
        (&["443/tcp".to_owned()][..], &["syn_ack".to_owned()][..])
    );
    // After five minutes it is over, and a new one is another.
    register.sink().tick(at(1_000 * 60 * 8));
    assert!(!victims(&register)[0].ongoing);
    observe(&register, &(0..120).map(|second| reply(at(1_000_000 + second * 1_000), 1)).collect::<Vec<_>>());
    assert_eq!(victims(&register).len(), 2);
    assert_eq!(victims(&register)[1].start, at(1_000_000));
}

#[test]
fn scans_are_told_by_ports_or_addresses() {
    let register = register(64 << 20);
    let mut observations = Vec::new();
    for number in 0..9_u8 {
        // Nine ports, and nine addresses, are too few.
        observations.push(syn(at(i64::from(number)), 1, 1, 100 + u16::from(number)));
        observations.push(syn(at(i64::from(number)), 2, number, 23));
    }
    for number in 0..25_u8 {
        observations.push(syn(at(i64::from(number)), 3, number, 23));
        observations.push(syn(at(i64::from(number)), 4, 1, 100 + u16::from(number)));
        // What answers scans nobody.
        let answer = reply(at(i64::from(number)), 5);
        observations.push(Observation { slot: SlotKind::Tcp(100 + u16::from(number)), ..answer });
    }
    observe(&register, &observations);
    let answer = register.scans(&AskEvents::default()).unwrap();
    let Line::Definition(definition) = &answer[0] else { panic!("{answer:?}") };
    let Definition { ports, ipv4_addresses, ipv6_addresses } = definition.definition;
    assert_eq!((ports, ipv4_addresses, ipv6_addresses), (10, Some(25), None));
    let scans: Vec<_> = answer
        .iter()
        .filter_map(|line| if let Line::Scan(row) = line { Some(&row.scan) } else { None })
        .map(|scan| (scan.source.to_string(), scan.packets, scan.ports.count, scan.addresses.count))
        .collect();
    assert_eq!(scans, [("203.0.0.3".to_owned(), 25, 1, 25), ("203.0.0.4".to_owned(), 25, 25, 1)]);
}

/// Whoever goes on through floods of others is one, with all that it did.
#[test]
fn a_flood_makes_one_scan_and_one_victim_no_others() {
    let register = register(2 << 20);
    let mut observations: Vec<_> =
        (0..12).map(|port| syn(at(port), 1, 1, 8_000 + u16::try_from(port).unwrap())).collect();
    observations.extend((0..120).map(|second| reply(at(second * 1_000), 2)));
    for number in 0..60_000_u32 {
        let time = at(120_000 + i64::from(number));
        observations.push(syn(time, 1_000 + number, 1, 23));
        observations.push(reply(time, 1_000_000 + number));
        if number % 6_000 == 0 {
            observations.extend([syn(time, 1, 1, 9_000), reply(time, 2)]);
        }
    }
    observe(&register, &observations);
    let [scan] = &scans(&register)[..] else { panic!("{:?}", scans(&register)) };
    assert_eq!((scan.packets, scan.start, scan.ports.count, scan.ongoing), (22, at(0), 13, true));
    let [victim] = &victims(&register)[..] else { panic!("{:?}", victims(&register)) };
    assert_eq!((victim.packets, victim.start, victim.ongoing), (130, at(0), true));
}

#[test]
fn the_share_of_a_scan_is_that_of_its_time() {
    let register = register(64 << 20);
    let counted = |second: i64, skipped| register.counted(at(second * 1_000), [(SensorNumber(0), skipped)]);
    counted(0, 0);
    observe(&register, &(1..=30).map(|port| syn(at(1_000), 1, 1, port)).collect::<Vec<_>>());
    counted(60, 10);
    observe(&register, &[syn(at(70_000), 2, 1, 23)]);
    // Before it is found over, a flood comes, of which nothing is observed.
    counted(600, 1_000_000);
    register.sink().tick(at(1_000_000));
    let [scan] = &scans(&register)[..] else { panic!("{:?}", scans(&register)) };
    assert!(!scan.ongoing && (scan.share - 0.75).abs() < 1e-9, "{scan:?}");
}
