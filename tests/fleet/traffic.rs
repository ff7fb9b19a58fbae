//! Packets for a row of the table: so many to each service that it gets its rank, and others that get none.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context as _, Result};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;
use sensor_common::classify::Verdict;
use sensor_common::layout::{Malformed, Passed, Slot};
use sensor_harness::counts::Counts;
use sensor_harness::frame::{Frame, frame, protocol};
use sensor_harness::random::one_of;

use crate::table::{RANKS, Row};

/// The smallest count of the last rank; the rank before has this more, and so on. Each sensor has its own.
const LAST_RANK: u32 = 300;
const MORE_FOR_EACH_SENSOR: u32 = 7;
/// Ports of the tail, and the most packets to one of them. All together they outnumber the first rank, which
/// would show if ports without a series of their own were ranked as one.
const TAIL: usize = 800;
const MOST_OF_TAIL: u32 = 12;
/// Packets to addresses of another sensor.
const ELSEWHERE: u32 = 50;
/// Services beside the table's that have a series of their own.
pub const UDP_PORTS: [u16; 2] = [53, 123];

/// What a sensor gets.
#[derive(Debug)]
pub struct Traffic {
    /// In the order in which they are sent.
    pub frames: Vec<Vec<u8>>,
    /// What must become of them.
    pub truth: Counts,
}

/// Prefixes that the sensor with this number monitors.
pub fn prefixes(number: u8) -> Vec<String> {
    vec![format!("{}/27", v4(number, 0)), format!("{}/64", v6(number, 0))]
}

fn v4(number: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, number << 5 | host & 31)
}

fn v6(number: u8, host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x100 + u16::from(number), 0, 0, 0, 0, host)
}

/// The TCP port of a service; nothing for a protocol without ports.
///
/// # Errors
/// If it is neither a TCP port nor ICMP: the table has nothing else.
pub fn tcp_port(service: &str) -> Result<Option<u16>> {
    match service.strip_suffix("/TCP") {
        Some(port) => Ok(Some(port.parse().with_context(|| format!("{service} has no port"))?)),
        None if service == "ICMP" => Ok(None),
        None => anyhow::bail!("{service} is of a kind that the table had not"),
    }
}

/// Makes the traffic of one sensor after the other. No two counts are equal in the whole fleet, so a count that
/// is credited to another service or sensor shows.
#[derive(Debug)]
pub struct Generator {
    random: SplitMix64,
    counts: BTreeSet<u32>,
}

impl Generator {
    /// The traffic is always the same for a seed.
    pub fn new(seed: u64) -> Self {
        Self { random: SplitMix64::seed_from_u64(seed), counts: BTreeSet::new() }
    }

    /// What the sensor with this number gets; of the `listed` TCP ports, those outside its row come below its
    /// last rank.
    ///
    /// # Errors
    /// If the row has a service of a kind that the table had not.
    pub fn traffic(&mut self, number: u8, row: &Row, listed: &BTreeSet<u16>) -> Result<Traffic> {
        let ranks = u32::try_from(RANKS)?;
        let step = LAST_RANK + MORE_FOR_EACH_SENSOR * u32::from(number);
        let mut making = Making { number, samples: Vec::new(), random: &mut self.random };
        let mut beyond = listed.clone();
        for (rank, service) in (1..).zip(&row.services) {
            let count = unseen(&mut self.counts, making.random, step * (ranks + 1 - rank), step / 2);
            match tcp_port(service)? {
                Some(port) => {
                    beyond.remove(&port);
                    making.syns(port, count);
                }
                None => making.icmp(count),
            }
        }
        let mut fewer = |making: &mut Making| unseen(&mut self.counts, making.random, step / 2, step / 2);
        for port in beyond {
            let count = fewer(&mut making);
            making.syns(port, count);
        }
        for port in UDP_PORTS {
            let count = fewer(&mut making);
            making.datagrams(port, count);
        }
        let (icmpv6, gre) = (fewer(&mut making), fewer(&mut making));
        making.icmpv6(icmpv6);
        making.gre(gre);
        // More than the first rank has: these are never ranked.
        let most = step * (ranks + 1);
        making.malformed(most);
        making.fragments(most);
        making.tail(listed);
        making.elsewhere();
        Ok(making.end())
    }
}

/// A number from `least` on, below `least + spread`, that has not been given yet.
fn unseen(seen: &mut BTreeSet<u32>, random: &mut SplitMix64, least: u32, spread: u32) -> u32 {
    loop {
        let count = least + random.random_range(0..spread);
        if seen.insert(count) {
            return count;
        }
    }
}

/// The traffic of one sensor in the making.
struct Making<'a> {
    number: u8,
    samples: Vec<(Vec<u8>, Verdict)>,
    random: &'a mut SplitMix64,
}

impl Making<'_> {
    fn counted(&mut self, frame: Frame, slot: Slot) {
        self.samples.push((frame.padded(60).bytes(), Verdict::Count { sensor: 0, slot }));
    }

    fn ipv4(&mut self) -> Frame {
        let source = Ipv4Addr::new(203, 0, 113, self.random.random());
        let destination = v4(self.number, self.random.random());
        frame().ipv4().from(source).to(destination).ip_id(self.random.random())
    }

    fn syns(&mut self, port: u16, count: u32) {
        for _ in 0..count {
            let (source, sequence) = (1024 | self.random.random::<u16>(), self.random.random::<u32>());
            let syn = self.ipv4().tcp(port).syn().source_port(source).sequence(sequence);
            self.counted(syn, Slot::tcp(port));
        }
    }

    /// Echo requests, and every fifth packet an error about what someone sent in the sensor's name: one row.
    fn icmp(&mut self, count: u32) {
        for number in 0..count {
            let (kind, code, length) = match number % 10 {
                0 => (3, 3, 28),
                5 => (11, 0, 28),
                _ => (8, 0, 56),
            };
            let message = self.ipv4().icmp(kind, code).payload(vec![0x61; length]);
            self.counted(message, Slot::icmp(kind, code));
        }
    }

    fn icmpv6(&mut self, count: u32) {
        for _ in 0..count {
            let destination = v6(self.number, self.random.random());
            let request = frame().ipv6().to(destination).icmpv6(128, 0).payload([0; 8]);
            self.counted(request, Slot::icmpv6(128, 0));
        }
    }

    fn datagrams(&mut self, port: u16, count: u32) {
        for _ in 0..count {
            let source = 1024 | self.random.random::<u16>();
            let datagram = self.ipv4().udp(port).source_port(source).payload([0; 37]);
            self.counted(datagram, Slot::udp(port));
        }
    }

    fn gre(&mut self, count: u32) {
        for _ in 0..count {
            let packet = self.ipv4().protocol(47).payload([0; 24]);
            self.counted(packet, Slot::protocol_v4(47));
        }
    }

    fn malformed(&mut self, count: u32) {
        for _ in 0..count {
            let segment = self.ipv4().tcp(23).syn().data_offset(3);
            self.counted(segment, Slot::malformed(Malformed::TcpDataOffset));
        }
    }

    fn fragments(&mut self, count: u32) {
        for _ in 0..count {
            let number = *one_of(self.random, &[protocol::TCP, protocol::UDP]);
            let later = self.ipv4().fragment(185, false).protocol(number).payload([0; 64]);
            self.counted(later, Slot::fragment(number));
        }
    }

    /// A few packets to each of many ports, TCP and now and then UDP, that have no series of their own.
    fn tail(&mut self, listed: &BTreeSet<u16>) {
        let mut ports = BTreeSet::new();
        while ports.len() < TAIL {
            let port = self.random.random::<u16>();
            if !listed.contains(&port) && !UDP_PORTS.contains(&port) && ports.insert(port) {
                let count = 1 + self.random.random_range(0..MOST_OF_TAIL);
                if ports.len().is_multiple_of(10) {
                    self.datagrams(port, count);
                } else {
                    self.syns(port, count);
                }
            }
        }
    }

    /// To the next sensor's addresses, over this one's wire: let through, and counted by neither.
    fn elsewhere(&mut self) {
        for _ in 0..ELSEWHERE {
            let neighbour = v4(self.number + 1, self.random.random());
            let frame = self.ipv4().to(neighbour).tcp(23).syn().padded(60);
            self.samples.push((frame.bytes(), Verdict::Pass(Passed::NotMonitored)));
        }
    }

    /// Shuffled, as packets come.
    fn end(mut self) -> Traffic {
        self.samples.shuffle(self.random);
        let mut truth = Counts::default();
        for (frame, verdict) in &self.samples {
            truth.add(*verdict, frame.len());
        }
        Traffic { frames: self.samples.into_iter().map(|(frame, _)| frame).collect(), truth }
    }
}
