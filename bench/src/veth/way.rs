//! The ways to count and drop packets that are compared.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sensor_harness::bpf::{self, Mode, XdpAction};

use super::bed::{Bed, Flood};
use super::capture::Capture;
use super::rules::{Filter, Rules};
use crate::configuration::{Configuration, Subject};
use crate::programs::{self, Destination};
use crate::statistics::from_u64;

/// A way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// An XDP program of two instructions, which counts nothing.
    Bare,
    /// An XDP program that reads the ports, and counts nothing.
    Reading,
    /// The sensor.
    Sensor,
    /// The sensor, without telling what made a packet.
    Untold,
    /// The sensor with everything on: it tells tools, and keeps evidence while its budget lasts, which is soon spent.
    Evidence,
    /// The sensor, behind the driver.
    Generic,
    /// The sensor of another build of the agent.
    Other,
    /// nftables at the interface's ingress, all packets in one counter.
    Nft,
    /// nftables at the interface's ingress, a counter for each TCP port.
    NftPorts,
    /// iptables, as early as it can.
    Iptables,
    /// A packet socket with a ring, read by a program that counts by port.
    Packet,
}

/// The XDP programs.
pub struct Programs {
    bare: OwnedFd,
    reading: OwnedFd,
    sensor: Subject,
    untold: Subject,
    evidence: Subject,
    other: Option<Subject>,
}

impl Programs {
    /// Loads them; the other build's too, if there is one.
    ///
    /// # Errors
    /// Without root, or the other build's agent does not start.
    pub fn load(against: Option<&Path>) -> Result<Self> {
        Ok(Self {
            bare: programs::only(XdpAction::Drop)?,
            reading: programs::reading()?,
            sensor: Configuration::One.load(against)?,
            untold: Configuration::Untold.load(against)?,
            evidence: Configuration::Exhausted.load(against)?,
            other: against.map(|_| Configuration::Other.load(against)).transpose()?,
        })
    }

    /// What the sensor that this way uses has counted so far; 0 where it uses none.
    fn counted(&mut self, way: Way) -> Result<u64> {
        let sensor = match way {
            Way::Sensor | Way::Generic => Some(&mut self.sensor),
            Way::Untold => Some(&mut self.untold),
            Way::Evidence => Some(&mut self.evidence),
            Way::Other => self.other.as_mut(),
            _ => None,
        };
        sensor.map_or(Ok(0), |sensor| Ok(sensor.total()?.unsolicited))
    }

    fn other(&self) -> Result<&Subject> {
        self.other.as_ref().context("there is no other build to compare with")
    }
}

impl Way {
    /// Its name for programs.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Reading => "reading",
            Self::Sensor => "sensor",
            Self::Untold => "untold",
            Self::Evidence => "evidence",
            Self::Generic => "generic",
            Self::Other => "other",
            Self::Nft => "nft",
            Self::NftPorts => "nft_ports",
            Self::Iptables => "iptables",
            Self::Packet => "packet",
        }
    }

    /// Its name for people.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Bare => "XDP_DROP alone",
            Self::Reading => "XDP_DROP after reading the ports",
            Self::Sensor => "sensor",
            Self::Untold => "sensor, without telling tools",
            Self::Evidence => "sensor, evidence kept",
            Self::Generic => "sensor, generic mode",
            Self::Other => "the other build's sensor",
            Self::Nft => "nftables, netdev ingress: counter drop",
            Self::NftPorts => "nftables, netdev ingress: a counter for each port, drop",
            Self::Iptables => "iptables, raw PREROUTING: DROP",
            Self::Packet => "AF_PACKET ring and its reader",
        }
    }

    /// Whether it must run everywhere; others may not be installed.
    pub const fn is_ours(self) -> bool {
        matches!(
            self,
            Self::Bare | Self::Reading | Self::Sensor | Self::Untold | Self::Evidence | Self::Other
        )
    }

    /// Floods the bed, and gives the CPU time of a packet in nanoseconds. `thorough`: counts are compared even
    /// where it takes long to read them.
    ///
    /// # Errors
    /// It did not see every packet.
    pub fn packet(
        self,
        active: Active,
        bed: &Bed,
        programs: &mut Programs,
        flood: Flood,
        destination: Destination,
        thorough: bool,
    ) -> Result<f64> {
        let compared = self != Self::NftPorts || thorough;
        let before = match &active {
            Active::Rules(rules) if compared => rules.counted()?,
            _ => programs.counted(self)?,
        };
        let arrived = bed.flood(flood, destination)?;
        let all = arrived.packets;
        let mut time = arrived.each;
        let seen = match active {
            Active::Xdp { .. } if matches!(self, Self::Bare | Self::Reading) => all,
            Active::Xdp { .. } => programs.counted(self)? - before,
            Active::Rules(_) if !compared => all,
            Active::Rules(rules) => rules.counted()? - before,
            Active::Capture(capture) => {
                // The ring may be full meanwhile: the reader's time is that of what it has read.
                let read = capture.stop()?;
                ensure!(read.packets > 0, "the reader has read no packet");
                time += each(read.time, read.packets);
                all
            }
        };
        ensure!(seen == all, "it saw {seen} of {all} packets");
        let delivered = arrived.delivered;
        let expected = if self.precedes_ip() { 0 } else { all };
        ensure!(delivered == expected, "{delivered} of {all} packets came to the host's IP stack");
        Ok(time)
    }

    /// Brings it into the state that is to be measured. Only a set of ports needs that: while the kernel makes room for
    /// more of them it refuses some, whose packets are not dropped then, so it is filled in bursts.
    ///
    /// # Errors
    /// This machine lacks what it needs.
    pub fn prepare(self, bed: &Bed, programs: &Programs) -> Result<()> {
        /// Of so many draws for each port, one port in 150 is left out.
        const PACKETS: u64 = 5 << 16;
        if self == Self::NftPorts {
            let _active = self.begin(bed, programs)?;
            let mut packets = 0;
            while packets < PACKETS {
                packets += bed.flood(Flood::Bursts(10), Destination::Random)?.packets;
            }
        }
        Ok(())
    }

    /// Whether it drops packets before the host's IP stack sees them.
    const fn precedes_ip(self) -> bool {
        !matches!(self, Self::Iptables | Self::Packet)
    }

    /// Puts it in force, until the result is dropped.
    ///
    /// # Errors
    /// This machine lacks what it needs.
    pub fn begin(self, bed: &Bed, programs: &Programs) -> Result<Active> {
        let xdp = |program: BorrowedFd<'_>, mode| {
            let link = bed.wire.near.namespace.run(|| bpf::attach(program, bed.near, mode))?;
            anyhow::Ok(Active::Xdp { _link: link? })
        };
        let rules = |filter| Rules::set(&bed.wire.near, filter).map(Active::Rules);
        match self {
            Self::Bare => xdp(programs.bare.as_fd(), Mode::Native),
            Self::Reading => xdp(programs.reading.as_fd(), Mode::Native),
            Self::Sensor => xdp(programs.sensor.program(), Mode::Native),
            Self::Untold => xdp(programs.untold.program(), Mode::Native),
            Self::Evidence => xdp(programs.evidence.program(), Mode::Native),
            Self::Other => xdp(programs.other()?.program(), Mode::Native),
            Self::Generic => xdp(programs.sensor.program(), Mode::Generic),
            Self::Nft => rules(Filter::Nft),
            Self::NftPorts => rules(Filter::NftPorts),
            Self::Iptables => rules(Filter::Iptables),
            Self::Packet => Capture::start(bed).map(Active::Capture),
        }
    }
}

/// What is in force until it is dropped.
pub enum Active {
    /// A program on the interface.
    Xdp {
        /// Detaches it when it is dropped.
        _link: OwnedFd,
    },
    /// Rules of a packet filter.
    Rules(Rules),
    /// A reader.
    Capture(Capture),
}

/// In nanoseconds.
fn each(time: Duration, packets: u64) -> f64 {
    time.as_secs_f64() * 1e9 / from_u64(packets)
}
