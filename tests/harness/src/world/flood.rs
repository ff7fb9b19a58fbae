//! Scans of all kinds that arrive at the sensor host while it works, from forged sources.
//!
//! None is anything that the host asked for or that a rule allows, so every one must be counted: the truth
//! is known to the packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;
use rand::{RngExt as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;
use sensor_common::classify::Verdict;
use sensor_common::layout::Slot;

use super::World;
use super::place::Family;
use crate::counts::Counts;
use crate::frame::{Extension, Frame, frame, protocol};
use crate::random::{one_of, weighted};
use crate::sender::{Sender, cpus, pin_to_cpu};

/// Different packets from each CPU; they come again and again.
const DIFFERENT: usize = 4096;
/// Packets at once: far fewer than a NIC's ring takes, for the ring is not only for them.
const BURST: usize = 16;
/// Between two bursts.
const PAUSE: Duration = Duration::from_millis(1);

/// Where forged sources are from: answers to them are routed to the scanner.
pub(super) fn forged_sources(family: Family) -> (IpAddr, u8) {
    match family {
        Family::V4 => (Ipv4Addr::new(198, 19, 0, 0).into(), 16),
        Family::V6 => (Ipv6Addr::new(0x2001, 0xdb8, 0xbae, 0, 0, 0, 0, 0).into(), 48),
    }
}

/// A flood that goes on until it is stopped.
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    senders: Vec<JoinHandle<Result<Counts>>>,
}

impl Flood {
    /// Starts it, from every CPU (two are enough) at once.
    ///
    /// # Errors
    /// If the kernel doesn't tell which CPUs there are.
    pub fn start(world: &World) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let senders = (0..).zip(cpus()?).take(2).map(|(seed, cpu)| {
            let (wire, stop) = (Arc::clone(world.wire()), Arc::clone(&stop));
            let hosts = Family::BOTH.map(|family| world.address(super::Place::Host, family));
            thread::spawn(move || {
                pin_to_cpu(cpu)?;
                let sender = Sender::new(&wire)?;
                let mut random = SplitMix64::seed_from_u64(seed);
                let scans: Vec<(Vec<u8>, Slot)> = (0..DIFFERENT).map(|_| scan(&mut random, hosts)).collect();
                let mut truth = Counts::default();
                for burst in scans.chunks(BURST).cycle() {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let frames: Vec<&[u8]> = burst.iter().map(|(frame, _)| frame.as_slice()).collect();
                    sender.send(&frames)?;
                    for (frame, slot) in burst {
                        truth.add(Verdict::Count { sensor: 0, slot: *slot }, frame.len());
                    }
                    thread::sleep(PAUSE);
                }
                Ok(truth)
            })
        });
        let senders = senders.collect();
        Ok(Self { stop, senders })
    }

    /// Ends it, and tells what was sent.
    ///
    /// # Errors
    /// If a packet could not be sent.
    ///
    /// # Panics
    /// If a sender did.
    pub fn stop(mut self) -> Result<Counts> {
        self.stop.store(true, Ordering::Relaxed);
        let mut truth = Counts::default();
        for sender in self.senders.drain(..) {
            truth.merge(&sender.join().expect("no sender panicked")?);
        }
        Ok(truth)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Syn,
    SynAck,
    Reset,
    Data,
    Datagram,
    EchoRequest,
    EchoReply,
    Unreachable,
    TooBig,
    Fragment,
    Tunnel,
}

/// By how many in a thousand. Few fragments: a host without a sensor keeps each for half a minute.
const KINDS: &[(u32, Kind)] = &[
    (400, Kind::Syn),
    (120, Kind::SynAck),
    (80, Kind::Reset),
    (100, Kind::Data),
    (150, Kind::Datagram),
    (60, Kind::EchoRequest),
    (30, Kind::EchoReply),
    (30, Kind::Unreachable),
    (20, Kind::TooBig),
    (2, Kind::Fragment),
    (8, Kind::Tunnel),
];

/// A packet to the host, and the slot that it adds to.
fn scan(random: &mut SplitMix64, [v4, v6]: [IpAddr; 2]) -> (Vec<u8>, Slot) {
    let (family, host) = *one_of(random, &[(Family::V4, v4), (Family::V4, v4), (Family::V6, v6)]);
    let stranger = stranger(random, family);
    let to_host = packet(stranger, host);
    let (port, service) = (port(random), *one_of(random, &[22, 53, 80, 123, 443, 40_000]));
    let (frame, slot) = match *weighted(random, KINDS) {
        Kind::Syn => (to_host.tcp(port).syn(), Slot::tcp(port)),
        Kind::SynAck => (to_host.tcp(port).source_port(service).syn_ack(), Slot::tcp(port)),
        Kind::Reset => (to_host.tcp(port).source_port(service).rst(), Slot::tcp(port)),
        Kind::Data => (to_host.tcp(port).source_port(service).push().payload([0x61; 20]), Slot::tcp(port)),
        Kind::Datagram => (to_host.udp(port).source_port(service).payload([0x61; 30]), Slot::udp(port)),
        Kind::EchoRequest => icmp(to_host, family, (8, 0), (128, 0), vec![0x61; 32]),
        Kind::EchoReply => icmp(to_host, family, (0, 0), (129, 0), vec![0x61; 32]),
        Kind::Unreachable => {
            // About something that the host never sent, or sent to nobody it talks to.
            let about = packet(host, stranger).udp(service).source_port(port).payload([0x61; 8]);
            icmp(to_host, family, (3, 3), (1, 4), about.bytes().split_off(crate::frame::ETHERNET))
        }
        Kind::TooBig => {
            let about = packet(host, stranger).tcp(service).source_port(port).push();
            icmp(to_host, family, (3, 4), (2, 0), about.bytes().split_off(crate::frame::ETHERNET))
        }
        Kind::Fragment => fragment(to_host, family, random),
        Kind::Tunnel => match family {
            Family::V4 => (to_host.protocol(47).payload([0; 24]), Slot::protocol_v4(47)),
            Family::V6 => (to_host.protocol(47).payload([0; 24]), Slot::protocol_v6(47)),
        },
    };
    (frame.padded(60).bytes(), slot)
}

/// A source within [`forged_sources`].
fn stranger(random: &mut SplitMix64, family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(198, 19, random.random(), random.random()).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0xbae, 0, random.random(), 0, 0, random.random()).into(),
    }
}

fn packet(from: IpAddr, to: IpAddr) -> Frame {
    if from.is_ipv4() { frame().ipv4().from(from).to(to) } else { frame().ipv6().from(from).to(to) }
}

/// Services, the host's own among them, and ports that its programs may be using.
fn port(random: &mut SplitMix64) -> u16 {
    match random.random_range(0..4) {
        0 => *one_of(random, &[22, 23, 53, 80, 443, 445, 3389, 6379, 8080]),
        1 => random.random::<u16>(),
        // Linux takes the ports of what the host begins from here.
        _ => u16::try_from(32_768 + random.random_range(0..28_232)).unwrap_or(u16::MAX),
    }
}

/// An ICMP or `ICMPv6` message of this type and code.
fn icmp(frame: Frame, family: Family, v4: (u8, u8), v6: (u8, u8), payload: Vec<u8>) -> (Frame, Slot) {
    match family {
        Family::V4 => (frame.icmp(v4.0, v4.1).payload(payload), Slot::icmp(v4.0, v4.1)),
        Family::V6 => (frame.icmpv6(v6.0, v6.1).payload(payload), Slot::icmpv6(v6.0, v6.1)),
    }
}

/// A later fragment of a datagram whose first nobody sends.
fn fragment(to_host: Frame, family: Family, random: &mut SplitMix64) -> (Frame, Slot) {
    let number = *one_of(random, &[protocol::TCP, protocol::UDP]);
    let frame = match family {
        Family::V4 => to_host.ip_id(random.random()).fragment(185, false),
        Family::V6 => to_host.extension(Extension::fragment(185, false)),
    };
    (frame.protocol(number).payload([0x61; 120]), Slot::fragment(number))
}
