//! The ways to count and drop packets that are compared.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use anyhow::{Result, ensure};
use sensor_harness::bpf::{self, Mode, XdpAction};

use super::bed::{Bed, Ports};
use super::capture::Capture;
use super::rules::{Filter, Rules};
use crate::programs;
use crate::sensor::{Growth, Sensor, sensors};
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
    /// The sensor, one of whose counters is in the CPU's cache.
    OnePort,
    /// The sensor, behind the driver.
    Generic,
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
    sensor: Sensor,
}

impl Programs {
    /// Loads them.
    ///
    /// # Errors
    /// Without root.
    pub fn load() -> Result<Self> {
        Ok(Self {
            bare: programs::only(XdpAction::Drop)?,
            reading: programs::reading()?,
            sensor: Sensor::load(&sensors(1), false)?,
        })
    }
}

impl Way {
    /// All of them, the one that the others are compared with first.
    pub const ALL: [Self; 9] = [
        Self::Bare,
        Self::Reading,
        Self::Sensor,
        Self::OnePort,
        Self::Generic,
        Self::Nft,
        Self::NftPorts,
        Self::Iptables,
        Self::Packet,
    ];

    /// Its name for programs.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Reading => "reading",
            Self::Sensor => "sensor",
            Self::OnePort => "one_port",
            Self::Generic => "generic",
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
            Self::OnePort => "sensor, always the same port",
            Self::Generic => "sensor, generic mode",
            Self::Nft => "nftables, netdev ingress: counter drop",
            Self::NftPorts => "nftables, netdev ingress: a counter for each port, drop",
            Self::Iptables => "iptables, raw PREROUTING: DROP",
            Self::Packet => "AF_PACKET ring and its reader",
        }
    }

    /// Whether it must run everywhere; others may not be installed.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Bare | Self::Reading | Self::Sensor | Self::OnePort)
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
        duration: Duration,
        thorough: bool,
    ) -> Result<f64> {
        let before = programs.sensor.counters.drain()?;
        // What comes first warms up.
        let ports = if self == Self::OnePort { Ports::One } else { Ports::Random };
        let first = bed.flood(duration / 4, ports)?;
        let flood = bed.flood(duration, ports)?;
        ensure!(flood.packets > 0, "no packet arrived");

        let all = first.packets + flood.packets;
        let mut time = each(flood.time, flood.packets);
        let seen = match active {
            Active::Xdp { .. } if matches!(self, Self::Bare | Self::Reading) => all,
            Active::Xdp { .. } => Growth::between(&before, &programs.sensor.counters.drain()?).unsolicited,
            Active::Rules(_) if self == Self::NftPorts && !thorough => all,
            Active::Rules(rules) => rules.counted()?,
            Active::Capture(capture) => {
                // The ring may be full meanwhile: the reader's time is that of what it has read.
                let read = capture.stop()?;
                ensure!(read.packets > 0, "the reader has read no packet");
                time += each(read.time, read.packets);
                all
            }
        };
        ensure!(seen == all, "it saw {seen} of {all} packets");
        let delivered = first.delivered + flood.delivered;
        let expected = if self.precedes_ip() { 0 } else { all };
        ensure!(delivered == expected, "{delivered} of {all} packets came to the host's IP stack");
        Ok(time)
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
            Self::Sensor | Self::OnePort => xdp(programs.sensor.program(), Mode::Native),
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
