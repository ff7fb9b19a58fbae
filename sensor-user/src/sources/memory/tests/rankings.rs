//! Rankings by port, without known scanners, and what they rest on.

use std::collections::BTreeMap;

use super::super::super::answer::{Line, Rows, Total, WindowLine};
use super::super::super::ask::{Ask, By};
use super::super::super::distinct::Count;
use super::super::super::observation::Observation;
use super::super::super::register::Register;
use super::super::super::tuple::{OptionKinds, Tuple};
use super::{at, observe, register, rows, sensors, syn};
use crate::config::{NumberedSensor, Sensor, SensorNumber, Sources};

fn total(answer: &[Line]) -> Total {
    let total = |line: &Line| if let Line::Total(total) = line { Some(total.clone()) } else { None };
    answer.iter().find_map(total).unwrap()
}

fn windows(register: &Register) -> Vec<WindowLine> {
    let answer = register.sources(&Ask::default()).unwrap().into_iter();
    answer.filter_map(|line| if let Line::Window(window) = line { Some(window) } else { None }).collect()
}

const HOUR: i64 = 3_600_000;

#[test]
fn a_port_has_all_of_its_sources() {
    let register = register(64 << 20);
    // In each of two hours, twenty ports before the one that is asked for, which is in none of the first eight.
    let mut observations = Vec::new();
    for hour in 0..2 {
        for port in 0..20 {
            observations.push(syn(
                at(hour * HOUR + port),
                5,
                1,
                100 + u16::try_from(port + 30 * hour).unwrap(),
            ));
        }
        observations.push(syn(at(hour * HOUR + 21), 5, 1, 37_215));
    }
    observations.push(syn(at(HOUR + 50), 6, 1, 37_215));
    observe(&register, &observations);
    let ask = Ask { slot: Some("37215/tcp".to_owned()), ..Ask::default() };
    let answer = register.sources(&ask).unwrap();
    let Some(Line::Source(row)) = answer.iter().find(|line| matches!(line, Line::Source(_))) else {
        panic!("{answer:?}")
    };
    // Of the port that is asked for, not of all.
    assert_eq!((row.first, row.last), (at(21), at(HOUR + 21)));
    assert_eq!(row.did.as_ref().unwrap().ports[0].packets, 2);
    assert_eq!(total(&answer).sources, Count { count: 2, exact: true });
    let found = [("203.0.0.5".to_owned(), 2, 0), ("203.0.0.6".to_owned(), 1, 0)];
    assert_eq!(rows(answer), found);
    let port = Ask { slot: Some("100/tcp".to_owned()), ..Ask::default() };
    assert_eq!(rows(register.sources(&port).unwrap()), [("203.0.0.5".to_owned(), 1, 0)]);
}

#[test]
fn rankings_can_be_had_without_known_scanners() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("scanners");
    std::fs::write(&list, "203.0.0.0/29,Example Scan\n203.0.9.0/24,Example Scan\n").unwrap();
    let settings = Sources { known_scanners: Some(list), ..Sources::default() };
    let register = Register::new(&settings, &sensors()).unwrap();
    assert!(register.lists().know_scanners(), "it is read before anything is observed");
    let mut observations = Vec::new();
    // Of 203.0.0.0/24 eight known scanners, and four others; of 203.0.9.0/24 known scanners alone.
    for (source, packets) in
        (0..12).map(|source| (source, 10)).chain((0..300).map(|source| (0x900 + source % 256, 1)))
    {
        observations.extend((0..packets).map(|number| syn(at(number), source, 1, 23)));
    }
    observe(&register, &observations);
    let ask = |by, without_known_scanners| {
        let ask = Ask { without_known_scanners, by, ..Ask::default() };
        let answer = register.sources(&ask).unwrap();
        (total(&answer), rows(answer))
    };
    let (total, networks) = ask(By::Network, false);
    assert_eq!(networks, [("203.0.9.0/24".to_owned(), 300, 0), ("203.0.0.0/24".to_owned(), 120, 0)]);
    assert_eq!((total.packets, total.sources.exact), (420, false));
    let (total, networks) = ask(By::Network, true);
    assert_eq!(networks, [("203.0.0.0/24".to_owned(), 40, 0)]);
    assert_eq!((total.packets, total.from_known_scanners), (40, Some(380)));
    // Exact, though known scanners alone are more than 256.
    assert_eq!(total.sources, Count { count: 4, exact: true });
    let (_, ports) = ask(By::Port, true);
    assert_eq!(ports, [("23/tcp".to_owned(), 40, 4)]);
}

#[test]
fn tuples_can_be_had_without_known_scanners() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("scanners");
    std::fs::write(&list, "203.0.9.0/24,Example Scan\n").unwrap();
    let settings = Sources { known_scanners: Some(list), ..Sources::default() };
    let register = Register::new(&settings, &sensors()).unwrap();
    assert!(register.lists().know_scanners(), "it is read before anything is observed");
    let with = |window, source| {
        let tuple = Tuple { window, options: OptionKinds::default(), mss: None, scale: None, ttl: 64 };
        Observation { tuple: Some(tuple), ..syn(at(0), source, 1, 23) }
    };
    // One tuple is known scanners' alone, one is of both.
    let mut observations: Vec<_> = (0..256).map(|source| with(1, 0x900 + source)).collect();
    observations.extend((0..256).chain(0x900..0x910).map(|source| with(2, source)));
    observe(&register, &observations);
    let ask = |without_known_scanners| {
        let answer = register.tuples(&Ask { without_known_scanners, ..Ask::default() }).unwrap();
        let says = Line::Rows(Rows { without_known_scanners });
        assert!(answer.contains(&says), "{answer:?}");
        let row = |line| match line {
            Line::Tuple(row) => Some((row.window, row.packets, row.from_known_scanners, row.sources?)),
            _ => None,
        };
        answer.into_iter().filter_map(row).collect::<Vec<_>>()
    };
    let exactly = Count { count: 256, exact: true };
    let [(2, 272, 16, both), alone] = ask(false)[..] else { panic!("{:?}", ask(false)) };
    assert!(!both.exact && both.count.abs_diff(272) <= 27, "{both:?}");
    assert_eq!(alone, (1, 256, 256, exactly));
    assert_eq!(ask(true), [(2, 256, 16, exactly)]);
    let nobody = super::register(64 << 20);
    let error = nobody.tuples(&Ask { without_known_scanners: true, ..Ask::default() }).unwrap_err();
    assert!(error.to_string().contains("no scanners are known"), "{error}");
}

/// Of two sensors and two hours, what is told of a port lies around the truth, and whatever sent much of its SYNs there is told.
#[test]
fn tuples_can_be_had_of_one_port() {
    const PORTS: u32 = 30;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("scanners");
    std::fs::write(&list, "203.0.9.0/24,Example Scan\n").unwrap();
    let settings = Sources { known_scanners: Some(list), memory: 64 << 20, ..Sources::default() };
    let [a] = sensors();
    let b = Sensor { name: "b".to_owned(), ..a.sensor.clone() };
    let register =
        Register::new(&settings, &[a, NumberedSensor { number: SensorNumber(1), sensor: b }]).unwrap();
    assert!(register.lists().know_scanners(), "it is read before anything is observed");
    // Of a tuple 6 of 20 SYNs go to a port of its own, others to ports that all share, the more seldom the higher.
    let port = |window: u16, at: u32| match at % 20 {
        0..6 => 100 + window,
        part => u16::try_from((part * (at / 20)) % PORTS).unwrap(),
    };
    let mut truth = BTreeMap::<(u16, u16), (u64, u64)>::new();
    let mut observations = Vec::new();
    for hour in 0..2_u8 {
        for at in 0..4_000_u32 {
            let window = u16::try_from(at % 5).unwrap();
            let (port, known) = (port(window, at / 5), at % 3 == 0);
            let tuple = Tuple { window, options: OptionKinds::default(), mss: None, scale: None, ttl: 64 };
            let source = if known { 0x900 } else { 0x100 };
            let time = super::at(i64::from(hour) * 3_600_000 + i64::from(at));
            let sensor = SensorNumber(at % 2);
            observations.push(Observation { tuple: Some(tuple), sensor, ..syn(time, source, 1, port) });
            let (all, others) = truth.entry((window, port)).or_default();
            *all += 1;
            *others += u64::from(!known);
        }
    }
    observe(&register, &observations);
    let ask = |port: u16, without_known_scanners| {
        let ask = Ask { slot: Some(format!("{port}/tcp")), without_known_scanners, ..Ask::default() };
        let row = |line| match line {
            Line::Tuple(row) => Some((row.window, row.packets, row.more, row.sources)),
            _ => None,
        };
        register.tuples(&ask).unwrap().into_iter().filter_map(row).collect::<Vec<_>>()
    };
    let mut uncertain = 0;
    for (&(window, port), &(all, others)) in &truth {
        for (without, truth) in [(false, all), (true, others)] {
            let rows = ask(port, without);
            let row = rows.iter().find(|row| row.0 == window);
            if port >= 100 {
                assert!(row.is_some(), "{window} {port} {without}");
            }
            if let Some((_, packets, more, sources)) = row {
                assert!(
                    (*packets..=packets + more).contains(&truth),
                    "{window} {port} {without}: {row:?} of {truth}"
                );
                assert_eq!(*sources, None);
                uncertain += u32::from(*more > 0);
            }
        }
    }
    assert!(uncertain > 0, "nothing was ever pushed out");
    assert_eq!(ask(443, false), []);
    for (slot, order_by_sources) in [("23/tcp", true), ("53/udp", false)] {
        let ask = Ask { slot: Some(slot.to_owned()), order_by_sources, ..Ask::default() };
        assert!(register.tuples(&ask).is_err(), "{slot}");
    }
}

#[test]
fn sources_that_are_followed_are_no_estimate() {
    // Room for few of them.
    let register = register(1 << 20);
    let packets: Vec<_> = (0..20_000).map(|source| syn(at(0), 2 * source, 1, 23)).collect();
    observe(&register, &packets);
    let answer = register.sources(&Ask { tool: Some("mirai".to_owned()), ..Ask::default() }).unwrap();
    let total = total(&answer);
    assert!(total.sources.exact && total.at_least && total.sources.count < 20_000, "{total:?}");
}

#[test]
fn sources_without_known_scanners_are_exact_while_they_are_few() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("scanners");
    std::fs::write(&list, "203.0.0.0/29,Example Scan\n").unwrap();
    let settings = Sources { known_scanners: Some(list), ..Sources::default() };
    let register = Register::new(&settings, &sensors()).unwrap();
    assert!(register.lists().know_scanners(), "it is read before anything is observed");
    observe(&register, &(0..100).map(|number| syn(at(i64::from(number)), number, 1, 23)).collect::<Vec<_>>());
    let ask = Ask { by: By::Port, without_known_scanners: true, ..Ask::default() };
    let answer = register.sources(&ask).unwrap();
    assert_eq!(total(&answer).sources, Count { count: 92, exact: true });
    assert_eq!(rows(answer), [("23/tcp".to_owned(), 92, 92)]);
}

#[test]
fn what_was_missed_makes_numbers_lower_bounds() {
    let register = register(64 << 20);
    observe(&register, &[syn(at(0), 1, 1, 23), syn(at(10), 2, 1, 23)]);
    // What was skipped before it was looked at is of no window.
    register.counted(at(10), [(SensorNumber(0), 70)]);
    register.counted(at(20), [(SensorNumber(0), 73)]);
    let answer = register.sources(&Ask::default()).unwrap();
    let Line::Window(window) = &answer[0] else { panic!("{answer:?}") };
    assert_eq!((window.observed, window.missed, window.sources.unwrap().count), (2, 3, 2));
    assert!((window.share - 0.4).abs() < 1e-9);
    assert!(total(&answer).at_least);
}

#[test]
fn what_was_missed_is_known_without_another_record() {
    let register = register(64 << 20);
    observe(&register, &[syn(at(0), 1, 1, 23)]);
    register.counted(at(0), [(SensorNumber(0), 0)]);
    // A flood in the last seconds of an hour, then nothing but the first record of the next hour, whose number and account
    // of what was skipped say what was before it.
    register.counted(at(HOUR - 20_000), [(SensorNumber(0), 0)]);
    register.counted(at(HOUR - 10_000), [(SensorNumber(0), 1_000)]);
    let known: Vec<_> = windows(&register).iter().map(|window| window.missed).collect();
    assert_eq!(known, [1_000], "before anything else comes");
    let lost =
        Observation { missed: 1_005, lost: 5, before: at(HOUR - 9_000), ..syn(at(HOUR + 60_000), 1, 1, 23) };
    observe(&register, &[lost]);
    register.counted(at(HOUR + 60_000), [(SensorNumber(0), 1_000)]);
    let known: Vec<_> = windows(&register).iter().map(|window| (window.missed, window.share)).collect();
    assert_eq!(known, [(1_005, 1.0 / 1_006.0), (0, 1.0)]);
    // Counters that were made anew.
    register.counted(at(HOUR + 70_000), [(SensorNumber(0), 7)]);
    assert_eq!(windows(&register)[1].missed, 7);
}
