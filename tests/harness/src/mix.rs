//! What an Internet sensor sees, made up: the same each time for a seed, and with the truth alongside.
//!
//! Ten ports hold half of the packets, as in the field; the rest is ICMP, UDP, backscatter, and a long
//! tail. What isn't unsolicited traffic is in it too, so that passing is seen as well.

mod tool;

use std::net::{Ipv4Addr, Ipv6Addr};

use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;
use sensor_common::classify::Verdict;
use sensor_common::layout::{Passed, Slot};
use sensor_common::port::Port;

use crate::frame::{Extension, Frame, frame};
use crate::random::{one_of, weighted};
use tool::Tool;

/// The sensor that the mix is aimed at, as the agent's configuration.
pub const SENSOR: &str = r#"
[[sensor]]
name = "demo"
region = "private namespace"
prefixes = ["198.51.100.0/24", "2001:db8:7::/64"]
"#;

/// A packet of the mix.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The bytes on the wire.
    pub frame: Vec<u8>,
    /// What must become of it, with [`SENSOR`].
    pub verdict: Verdict,
}

/// An endless row of packets.
#[derive(Clone, Debug)]
pub struct Mix {
    random: SplitMix64,
    tail: Vec<u16>,
}

/// What a packet is, by how many in a thousand.
const KINDS: &[(u32, Kind)] = &[
    (560, Kind::Scan),
    (200, Kind::Tail),
    (50, Kind::Ping),
    (70, Kind::Datagram),
    (60, Kind::Backscatter),
    (40, Kind::Ipv6),
    (4, Kind::Fragment),
    (4, Kind::Protocol),
    (2, Kind::Malformed),
    (6, Kind::Elsewhere),
    (4, Kind::Arp),
];

#[derive(Clone, Copy, Debug)]
enum Kind {
    Scan,
    Tail,
    Ping,
    Datagram,
    Backscatter,
    Ipv6,
    Fragment,
    Protocol,
    Malformed,
    Elsewhere,
    Arp,
}

/// TCP ports by weight, each with the tools that scan for it.
const SCANNED: &[(u32, (u16, &[Tool]))] = &[
    (210, (23, &[Tool::Mirai, Tool::Mirai, Tool::Linux])),
    (95, (6379, &[Tool::Masscan, Tool::OldMasscan, Tool::Linux])),
    (85, (22, &[Tool::Linux, Tool::ZMap, Tool::Masscan])),
    (80, (8080, &[Tool::ZMap, Tool::Mirai])),
    (75, (80, &[Tool::ZMap, Tool::OldZMap, Tool::Mirai])),
    (70, (443, &[Tool::ZMap, Tool::OldZMap])),
    (60, (3389, &[Tool::Windows, Tool::Masscan])),
    (55, (445, &[Tool::Windows])),
    (40, (1433, &[Tool::Windows, Tool::OldMasscan])),
    (35, (37_215, &[Tool::Mirai])),
    (25, (5555, &[Tool::Mirai])),
    (20, (8443, &[Tool::ZMap])),
    (15, (2323, &[Tool::Mirai])),
    (12, (5432, &[Tool::Masscan])),
    (12, (3306, &[Tool::Nmap, Tool::Masscan])),
    (10, (9200, &[Tool::Nmap, Tool::ZMap])),
    (10, (2375, &[Tool::Masscan])),
    (8, (5900, &[Tool::Nmap])),
];

/// UDP ports by weight, each with the length of its probe.
const PROBED: &[(u32, (u16, usize))] = &[
    (25, (53, 37)),
    (20, (5060, 380)),
    (15, (123, 48)),
    (15, (161, 43)),
    (10, (1900, 90)),
    (8, (11_211, 15)),
    (7, (389, 52)),
];

/// Ports of the tail.
const TAIL: usize = 200;

/// The tail is the same for every seed, so that its ports can be listed beforehand.
fn tail() -> Vec<u16> {
    let mut random = SplitMix64::seed_from_u64(0x7a11);
    let mut ports = Vec::with_capacity(TAIL);
    while ports.len() < TAIL {
        let port = random.random::<u16>();
        if !ports.contains(&port) && !SCANNED.iter().any(|(_, (scanned, _))| *scanned == port) {
            ports.push(port);
        }
    }
    ports
}

impl Mix {
    /// The mix that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: SplitMix64::seed_from_u64(seed), tail: tail() }
    }

    /// Every port that a packet of any mix may go to, backscatter's aside: it goes to random ports of
    /// [`BACKSCATTER`].
    #[must_use]
    pub fn ports() -> Vec<Port> {
        let scanned = SCANNED.iter().map(|(_, (port, _))| Port::tcp(*port));
        let probed = PROBED.iter().map(|(_, (port, _))| Port::udp(*port));
        let backscatter = BACKSCATTER.map(Port::tcp);
        scanned.chain(tail().into_iter().map(Port::tcp)).chain(probed).chain(backscatter).collect()
    }

    fn sample(&mut self) -> Sample {
        let counted = |(frame, slot): (Frame, Slot)| (frame, Verdict::Count { sensor: 0, slot });
        let (frame, verdict) = match weighted(&mut self.random, KINDS) {
            Kind::Scan => counted(self.scan()),
            Kind::Tail => counted(self.tail()),
            Kind::Ping => counted(self.ping()),
            Kind::Datagram => counted(self.datagram()),
            Kind::Backscatter => counted(self.backscatter()),
            Kind::Ipv6 => counted(self.ipv6()),
            Kind::Fragment => counted(self.fragment()),
            Kind::Protocol => counted(self.protocol()),
            Kind::Malformed => counted(self.malformed()),
            Kind::Elsewhere => self.elsewhere(),
            Kind::Arp => (arp(), Verdict::Pass(Passed::NonIp)),
        };
        Sample { frame: frame.padded(60).bytes(), verdict }
    }

    fn scan(&mut self) -> (Frame, Slot) {
        let (port, tools) = *weighted(&mut self.random, SCANNED);
        let tool = *one_of(&mut self.random, tools);
        (self.syn(tool, port), Slot::tcp(port))
    }

    fn tail(&mut self) -> (Frame, Slot) {
        let port = *one_of(&mut self.random, &self.tail);
        let tool = *one_of(&mut self.random, &[Tool::ZMap, Tool::Masscan, Tool::Nmap, Tool::Linux]);
        (self.syn(tool, port), Slot::tcp(port))
    }

    fn syn(&mut self, tool: Tool, port: u16) -> Frame {
        let (source, destination) = (self.source(), self.destination());
        tool.syn(source, destination, port, &mut self.random)
    }

    /// Anyone: the ranges that are for documentation and for benchmarks (RFC 5737, RFC 2544).
    fn source(&mut self) -> Ipv4Addr {
        let host = self.random.random::<u8>();
        match self.random.random_range(0..8) {
            0 => Ipv4Addr::new(192, 0, 2, host),
            1 => Ipv4Addr::new(203, 0, 113, host),
            _ => Ipv4Addr::new(198, 18 + self.random.random::<u8>() % 2, self.random.random(), host),
        }
    }

    fn destination(&mut self) -> Ipv4Addr {
        Ipv4Addr::new(198, 51, 100, self.random.random())
    }

    fn ipv4(&mut self) -> Frame {
        let (source, destination) = (self.source(), self.destination());
        let hops = 40 + self.random.random::<u8>() % 200;
        frame().ipv4().from(source).to(destination).ip_id(self.random.random()).hops(hops)
    }

    fn ping(&mut self) -> (Frame, Slot) {
        let length = *one_of(&mut self.random, &[0, 8, 32, 56]);
        (self.ipv4().icmp(8, 0).payload(vec![0x61; length]), Slot::icmp(8, 0))
    }

    fn datagram(&mut self) -> (Frame, Slot) {
        let (port, length) = *weighted(&mut self.random, PROBED);
        let source = 1024 | self.random.random::<u16>();
        (self.ipv4().udp(port).source_port(source).payload(vec![0; length]), Slot::udp(port))
    }

    /// Replies to packets that bore the sensor's address as their forged source.
    fn backscatter(&mut self) -> (Frame, Slot) {
        let port = *one_of(&mut self.random, &BACKSCATTER);
        let service = *one_of(&mut self.random, &[80, 443, 53, 25_565]);
        match self.random.random_range(0..4) {
            0 => (self.ipv4().tcp(port).source_port(service).rst(), Slot::tcp(port)),
            1 => (self.ipv4().icmp(3, 3).payload([0x45; 28]), Slot::icmp(3, 3)),
            2 => (self.ipv4().icmp(11, 0).payload([0x45; 28]), Slot::icmp(11, 0)),
            _ => (self.ipv4().tcp(port).source_port(service).syn_ack().window(0), Slot::tcp(port)),
        }
    }

    fn ipv6(&mut self) -> (Frame, Slot) {
        let source = Ipv6Addr::new(
            0x2001,
            0xdb8,
            self.random.random::<u16>() | 0x100,
            0,
            0,
            0,
            0,
            self.random.random(),
        );
        let destination = Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, self.random.random());
        let frame = frame().ipv6().from(source).to(destination);
        match self.random.random_range(0..4) {
            0 => (frame.icmpv6(128, 0).payload([0; 8]), Slot::icmpv6(128, 0)),
            1 => (frame.udp(53).payload([0; 37]), Slot::udp(53)),
            2 => (frame.extension(Extension::destination(0)).tcp(80).syn(), Slot::tcp(80)),
            _ => (frame.tcp(443).syn().tcp_options(&tool::ZMAP_OPTIONS), Slot::tcp(443)),
        }
    }

    fn fragment(&mut self) -> (Frame, Slot) {
        let number = *one_of(&mut self.random, &[6, 17]);
        let frame = self.ipv4().fragment(185, false).protocol(number).payload([0; 120]);
        (frame, Slot::fragment(number))
    }

    fn protocol(&mut self) -> (Frame, Slot) {
        let number = *one_of(&mut self.random, &[47, 50, 132, 41]);
        (self.ipv4().protocol(number).payload([0; 24]), Slot::protocol_v4(number))
    }

    fn malformed(&mut self) -> (Frame, Slot) {
        use sensor_common::layout::Malformed::{TcpDataOffset, TcpTruncated, UdpLength};
        match self.random.random_range(0..3) {
            0 => (self.ipv4().tcp(80).syn().ip_payload(12), Slot::malformed(TcpTruncated)),
            1 => (self.ipv4().tcp(80).syn().data_offset(3), Slot::malformed(TcpDataOffset)),
            _ => (self.ipv4().udp(53).udp_length(400), Slot::malformed(UdpLength)),
        }
    }

    /// To a neighbour of the sensor.
    fn elsewhere(&mut self) -> (Frame, Verdict) {
        let neighbour = Ipv4Addr::new(198, 51, 101, self.random.random());
        (self.ipv4().to(neighbour).tcp(443).syn(), Verdict::Pass(Passed::NotMonitored))
    }
}

impl Iterator for Mix {
    type Item = Sample;

    fn next(&mut self) -> Option<Sample> {
        Some(self.sample())
    }
}

/// The ports that someone else forged as their own.
pub const BACKSCATTER: [u16; 4] = [1024, 3072, 22_222, 54_321];

fn arp() -> Frame {
    let mut request = vec![0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 203, 0, 113, 1];
    request.extend([0, 0, 0, 0, 0, 0, 198, 51, 100, 7]);
    frame().ether_type(0x0806).payload(request)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::IpAddr;

    use sensor_common::classify::verdict;
    use sensor_common::flow::Forgetful;
    use sensor_common::layout::SlotKind;
    use sensor_common::parse::{Address, Sensors};

    use super::*;
    use crate::table::WithoutRules;

    struct Demo;

    impl Sensors for Demo {
        fn sensor(&self, destination: Address) -> Option<u32> {
            match destination.ip() {
                IpAddr::V4(destination) if destination.octets()[..3] == [198, 51, 101] => None,
                _ => Some(0),
            }
        }
    }

    #[test]
    fn the_truth_is_what_the_parser_finds() {
        for sample in Mix::new(1).take(20_000) {
            assert_eq!(
                verdict(sample.frame.as_slice(), &WithoutRules(Demo), &Forgetful),
                sample.verdict,
                "{:02x?}",
                sample.frame
            );
        }
    }

    #[test]
    fn every_port_is_listed() {
        let listed: HashSet<Port> = Mix::ports().into_iter().collect();
        assert_eq!(listed.len(), Mix::ports().len(), "a port is listed twice");
        for sample in Mix::new(2).take(20_000) {
            let Verdict::Count { slot, .. } = sample.verdict else { continue };
            match Slot::describe(slot.index()) {
                Some(SlotKind::Tcp(port)) => assert!(listed.contains(&Port::tcp(port)), "{port}/tcp"),
                Some(SlotKind::Udp(port)) => assert!(listed.contains(&Port::udp(port)), "{port}/udp"),
                _ => {}
            }
        }
    }

    /// A virtual machine and its host, built at different times, mean the same packets by a seed.
    #[test]
    fn a_seed_always_gives_the_same() {
        let digest = |seed| {
            let frames = Mix::new(seed).take(1_000).flat_map(|sample| sample.frame);
            frames.fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
        };
        assert_eq!([7, 8].map(digest), [9_212_286_542_607_083_173, 8_780_429_802_195_340_889]);
    }
}
