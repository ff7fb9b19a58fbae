//! One packet, as far as who sent it matters.

use std::net::IpAddr;

use jiff::Timestamp;
use sensor_common::evidence::Record;
use sensor_common::fingerprint::backscatter;
use sensor_common::layout::SlotKind;
use sensor_common::layout::side::{Backscatter, TcpKind, Tool};
use sensor_common::parse::{Packet, protocol};

use super::source::Source;
use super::tuple::Tuple;
use crate::config::{Port, SensorNumber, Transport};
use crate::evidence::Captured;

/// A packet that was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When the kernel saw it, in UTC. Those of several CPUs come a little out of order.
    pub time: Timestamp,
    /// The sensor that it was sent to.
    pub sensor: SensorNumber,
    /// Who sent it, or who it says that did.
    pub source: Source,
    /// The whole address of that.
    pub address: IpAddr,
    /// The address that it was sent to.
    pub destination: IpAddr,
    /// What it was counted as.
    pub slot: SlotKind,
    /// What made it, where it is a SYN.
    pub tool: Option<Tool>,
    /// What kind of a segment it is, where it is one of TCP.
    pub kind: Option<TcpKind>,
    /// What a SYN shows of the stack that made it, where enough of it is kept.
    pub tuple: Option<Tuple>,
    /// What it answers, where it is backscatter.
    pub reply: Option<Reply>,
    /// Whether the kernel knows its source as a constituency's.
    pub is_constituents: bool,
    /// Length of the frame in bytes.
    pub length: u32,
    /// Packets of the same sensor that its CPU counted since the last one that was observed, and that are not observed:
    /// skipped, or lost on the way. Observed and missed are all that were counted, but for frames too broken to have a source.
    pub missed: u64,
    /// Of these, those that were handed over and are lost on the way.
    pub lost: u64,
    /// When the record before it was seen, of the same sensor and CPU; the same as `time` of the first.
    pub before: Timestamp,
}

/// How far the records of a sensor and CPU have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The sensor.
    pub sensor: SensorNumber,
    /// The CPU.
    pub cpu: u16,
    /// The number of the last record.
    pub number: u64,
    /// Packets that had been skipped by then, since the counters were made.
    pub skipped: u64,
    /// Whether that is too long ago to tell what was missed since.
    pub is_old: bool,
}

/// What is between two observations of a sensor and CPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    /// See [`Observation::missed`].
    pub missed: u64,
    /// See [`Observation::lost`].
    pub lost: u64,
    /// See [`Observation::before`].
    pub since: Timestamp,
}

/// What backscatter answers: a packet that somebody has sent to a victim, with the sensor's address as a forged source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Which kind it is.
    pub kind: Backscatter,
    /// Whom the packet went to. Of an ICMP error, whoever sent it, the address that the packet it quotes was sent to.
    pub victim: IpAddr,
    /// The port that the packet went to, where it had one.
    pub port: Option<Port>,
}

impl Observation {
    /// What a record tells, seen at this time; `None` if its frame is too broken to say where it comes from.
    pub(super) fn of(record: &Record, frame: &[u8], time: Timestamp, gap: Gap) -> Option<Self> {
        let frame = Captured::new(frame, record.length);
        let packet = frame.packet()?;
        let pair = packet.pair(&frame)?;
        let (address, destination) = (pair.source().ip(), pair.destination().ip());
        let (slot, side) = (record.slot()?, record.side());
        let tool = side.made_by();
        let reply = backscatter(slot, side).map(|kind| Reply::of(kind, address, frame, &packet));
        Some(Self {
            time,
            sensor: SensorNumber(record.sensor),
            source: Source::of(address),
            address,
            destination,
            slot,
            tool,
            kind: side.kind(),
            tuple: tool.and_then(|_| Tuple::of(frame, &packet)),
            reply,
            is_constituents: record.flags & Record::CONSTITUENCY != 0,
            length: record.length,
            missed: gap.missed,
            lost: gap.lost,
            before: gap.since,
        })
    }
}

impl Reply {
    fn of(kind: Backscatter, address: IpAddr, frame: Captured<'_>, packet: &Packet) -> Self {
        let of_source = |transport| {
            let number = packet.leading(&frame)?.first;
            Some(Port { transport, number })
        };
        let port = match kind {
            Backscatter::SynAck | Backscatter::Rst => of_source(Transport::Tcp),
            Backscatter::UdpReflector => of_source(Transport::Udp),
            Backscatter::IcmpReply => None,
            Backscatter::IcmpError => {
                let Some(quoted) = packet.quoted(&frame) else {
                    return Self { kind, victim: address, port: None };
                };
                let transport = match quoted.protocol {
                    protocol::TCP => Some(Transport::Tcp),
                    protocol::UDP => Some(Transport::Udp),
                    _ => None,
                };
                let port = transport.map(|transport| Port { transport, number: quoted.leading.second });
                return Self { kind, victim: quoted.pair.destination().ip(), port };
            }
        };
        Self { kind, victim: address, port }
    }
}
