//! What is known, against the truth of generated traffic: exact counts in plain maps.

mod events;
mod rankings;
mod sketched;
mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use sensor_common::layout::SlotKind;
use sensor_common::layout::side::{Backscatter, TcpKind, Tool};

use super::super::answer::Line;
use super::super::ask::{Ask, AskSource, By};
use super::super::observation::{Observation, Reply};
use super::super::register::Register;
use super::super::source::Source;
use super::super::window::Window;
use crate::config::{NumberedSensor, Port, Sensor, SensorNumber, Sources, Transport};

/// 2023-11-14T22:00:00Z.
const START: i64 = 1_699_999_200;

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(START * 1_000 + milliseconds).unwrap()
}

fn sensors() -> [NumberedSensor; 1] {
    let prefixes = vec!["198.51.100.0/24".parse().unwrap()];
    let sensor = Sensor { name: "a".to_owned(), region: String::new(), alias: None, prefixes };
    [NumberedSensor { number: SensorNumber(0), sensor }]
}

fn register(memory: u64) -> Register {
    Register::new(&Sources { memory, ..Sources::default() }, &sensors()).unwrap()
}

/// A SYN from the network 203.0.0.0/16 to an address of 198.51.100.0/24.
fn syn(time: Timestamp, source: u32, destination: u8, port: u16) -> Observation {
    let address = IpAddr::V4(Ipv4Addr::from_bits(0xcb00_0000 + source));
    Observation {
        time,
        sensor: SensorNumber(0),
        source: Source::of(address),
        address,
        destination: IpAddr::V4(Ipv4Addr::new(198, 51, 100, destination)),
        slot: SlotKind::Tcp(port),
        tool: Some(if source.is_multiple_of(2) { Tool::Mirai } else { Tool::Other }),
        kind: Some(TcpKind::Syn),
        tuple: None,
        reply: None,
        is_constituents: false,
        length: 60,
        missed: 0,
        lost: 0,
        before: time,
    }
}

/// A SYN-ACK of a victim's port 443.
fn reply(time: Timestamp, victim: u32) -> Observation {
    let port = Some(Port { transport: Transport::Tcp, number: 443 });
    let syn = syn(time, victim, 9, 40_000);
    let reply = Some(Reply { kind: Backscatter::SynAck, victim: syn.address, port });
    Observation { tool: None, kind: Some(TcpKind::SynAck), reply, ..syn }
}

fn observe(register: &Register, observations: &[Observation]) {
    let mut sink = register.sink();
    for batch in observations.chunks(500) {
        sink.observe(batch);
        sink.tick(batch.last().unwrap().time);
    }
}

fn rows(answer: Vec<Line>) -> Vec<(String, u64, u64)> {
    let row = |line| match line {
        Line::Source(row) => Some((row.source, row.packets, row.more)),
        Line::Part(row) => Some((row.of, row.packets, row.sources.count)),
        _ => None,
    };
    answer.into_iter().filter_map(row).collect()
}

/// Sources of which some send far more than others, as the Internet's do, and ports likewise.
fn traffic() -> impl Strategy<Value = Vec<(u32, u16)>> {
    let skewed = |most: u32| (0..most, 0..most).prop_map(|(a, b)| a * b / 40);
    prop::collection::vec((skewed(60), skewed(50).prop_map(|port| u16::try_from(port).unwrap())), 1..2_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn answers_are_the_truth(packets in traffic()) {
        let observations: Vec<_> = packets
            .iter()
            .zip(0..)
            .map(|(&(source, port), number)| syn(at(number * 3_000), source, 1, port))
            .collect();
        let register = register(64 << 20);
        observe(&register, &observations);
        // Over both hours that they may reach into.
        let mut by_source = BTreeMap::<String, u64>::new();
        let mut by_port = BTreeMap::<String, (u64, BTreeSet<u32>)>::new();
        for (&(source, port), seen) in packets.iter().zip(&observations) {
            *by_source.entry(seen.source.to_string()).or_default() += 1;
            let of_port = by_port.entry(format!("{port}/tcp")).or_default();
            of_port.0 += 1;
            of_port.1.insert(source);
        }
        let ask = Ask { limit: 10_000, ..Ask::default() };
        let answer = register.sources(&ask).unwrap();
        let Some(Line::Total(total)) = answer.iter().find(|line| matches!(line, Line::Total(_))) else {
            panic!("there is no total")
        };
        prop_assert_eq!(total.packets, packets.len() as u64);
        let off = total.sources.count.abs_diff(by_source.len() as u64);
        let most = if total.sources.exact { 0 } else { by_source.len() as u64 / 20 };
        prop_assert!(off <= most, "{:?} of {}", total.sources, by_source.len());
        prop_assert_eq!(total.row_error, 0);
        let found: BTreeMap<_, _> = rows(answer).into_iter().map(|(source, packets, more)| {
            assert_eq!(more, 0);
            (source, packets)
        }).collect();
        prop_assert_eq!(found, by_source);
        let ports = rows(register.sources(&Ask { by: By::Port, ..ask }).unwrap());
        prop_assert!(ports.is_sorted_by(|a, b| a.1 >= b.1));
        let found: BTreeMap<_, _> = ports.into_iter().map(|(port, packets, sources)| (port, (packets, sources))).collect();
        let expected: BTreeMap<_, _> = by_port
            .into_iter()
            .map(|(port, (packets, sources))| (port, (packets, sources.len() as u64)))
            .collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_port_a_tool_and_one_source_are_found() {
    let register = register(64 << 20);
    let mut observations: Vec<_> =
        (0..300_u32).map(|number| syn(at(i64::from(number)), number % 30, 1, 23)).collect();
    observations.push(syn(at(500), 77, 1, 37_215));
    observe(&register, &observations);
    let of_port = Ask { slot: Some("37215/tcp".to_owned()), ..Ask::default() };
    assert_eq!(rows(register.sources(&of_port).unwrap()), [("203.0.0.77".to_owned(), 1, 0)]);
    let of_tool = Ask { tool: Some("mirai".to_owned()), limit: 100, ..Ask::default() };
    let found = rows(register.sources(&of_tool).unwrap());
    assert_eq!(found.len(), 15);
    assert!(found.iter().all(|(_, packets, _)| *packets == 10));
    let one = AskSource { source: "203.0.0.77".parse().unwrap(), from: None, to: None };
    let did: Vec<_> = register
        .source(&one)
        .unwrap()
        .into_iter()
        .filter_map(|line| if let Line::Did(did) = line { did.row } else { None })
        .collect();
    // This hour, and this day.
    assert_eq!(did.len(), 2);
    assert!(did.iter().all(|row| row.packets == 1 && row.first == at(500)));
    let wrong = Ask { country: Some("JP".parse().unwrap()), ..Ask::default() };
    assert!(register.sources(&wrong).unwrap_err().to_string().contains("no countries are known"));
}

#[test]
fn a_flood_of_forged_sources_stays_within_memory_and_hides_nobody() {
    let register = register(8 << 20);
    let mut random = 1_u64;
    let mut observations = Vec::new();
    for number in 0..400_000_i64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let source = u32::try_from(random >> 40).unwrap();
        let port = u16::try_from(random >> 20 & 0xffff).unwrap();
        observations.push(syn(at(number / 10), source, 1, port));
        if number % 20 == 0 {
            let heavy = u32::try_from(number / 20 % 10).unwrap();
            observations.push(syn(at(number / 10), 0x00ff_0000 + heavy, 1, 23));
        }
    }
    observe(&register, &observations);
    let answer = register.sources(&Ask { limit: 10, ..Ask::default() }).unwrap();
    let Some(Line::Total(total)) = answer.iter().find(|line| matches!(line, Line::Total(_))) else {
        panic!("there is no total")
    };
    let (truth, error) =
        (observations.iter().map(|seen| seen.source).collect::<BTreeSet<_>>().len(), total.row_error);
    let sources = total.sources;
    assert!(
        !sources.exact && sources.count.abs_diff(truth as u64) * 20 <= truth as u64,
        "{sources:?} of {truth}"
    );
    for (source, packets, more) in rows(answer) {
        let address: Ipv4Addr = source.parse().unwrap();
        assert_eq!((address.to_bits() - 0xcb00_0000) >> 16, 0xff, "{source} is not one of the ten");
        assert!(
            (packets..=packets + more).contains(&2_000) && error < 2_000,
            "{source}: {packets} and {more}"
        );
    }
}

#[test]
fn a_reload_forgets_only_sensors_that_go() {
    let register = register(64 << 20);
    observe(&register, &[syn(at(0), 1, 1, 23)]);
    let [a] = sensors();
    let mut b = a.clone();
    b.number = SensorNumber(1);
    b.sensor.name = "b".to_owned();
    register.configure(&Sources { memory: 1 << 20, ..Sources::default() }, &[a, b.clone()]);
    let known = |register: &Register| rows(register.sources(&Ask::default()).unwrap()).len();
    assert_eq!(known(&register), 1);
    register.configure(&Sources::default(), &[b]);
    assert_eq!(known(&register), 0);
    let nobody = Ask { sensor: Some("a".to_owned()), ..Ask::default() };
    assert!(register.sources(&nobody).unwrap_err().to_string().contains("there is no sensor \"a\""));
}

/// Nobody who observes or scrapes waits for an answer's rows to be made.
#[test]
fn an_answer_is_made_of_what_was_there_while_more_comes() {
    let register = register(64 << 20);
    observe(&register, &[syn(at(0), 1, 1, 23)]);
    let chosen = register.memory().chosen(&Ask::default()).unwrap();
    // This would wait for ever for an answer that holds memory.
    observe(&register, &[syn(at(1), 2, 1, 23)]);
    let observed =
        |windows: &[(String, Arc<Window>)]| windows.iter().map(|(_, window)| window.observed).sum::<u64>();
    assert_eq!(observed(&chosen), 1);
    assert_eq!(observed(&register.memory().chosen(&Ask::default()).unwrap()), 2);
}
