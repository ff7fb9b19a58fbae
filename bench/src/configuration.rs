//! The sensors that packets are run through.

use std::num::NonZeroU32;
use std::os::fd::BorrowedFd;
use std::path::Path;

use anyhow::{Result, bail};
use sensor_user::counters::Snapshot;

use crate::other::Other;
use crate::sensor::{Growth, Sensor, Work, allow, constituency, sensors};

/// How a sensor is configured, and what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration {
    /// One sensor, which has a prefix.
    One,
    /// Likewise, without telling what made a packet.
    Untold,
    /// One sensor, which has a prefix and hands every packet over as evidence.
    Kept,
    /// Likewise, with a budget that is spent.
    Exhausted,
    /// One sensor, which monitors every address.
    Everything,
    /// Sixteen sensors, each with a prefix.
    Sixteen,
    /// One sensor, and ten networks that may reach a port.
    Allowed10,
    /// One sensor, and a thousand networks that may reach a port.
    Allowed1000,
    /// One sensor, and a constituency of a thousand networks.
    Constituency,
    /// One sensor, which drops nothing.
    Observe,
    /// One sensor, which has a prefix, of another build of the agent.
    Other,
}

/// A sensor of this build, or of another.
pub enum Subject {
    /// Of this.
    Own(Box<Sensor>),
    /// Of another.
    Other(Box<Other>),
}

impl Configuration {
    /// All of this build.
    pub const OWN: [Self; 10] = [
        Self::One,
        Self::Untold,
        Self::Kept,
        Self::Exhausted,
        Self::Everything,
        Self::Sixteen,
        Self::Allowed10,
        Self::Allowed1000,
        Self::Constituency,
        Self::Observe,
    ];

    /// Its names, for programs and for people.
    pub const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::One => ("one", "sensor"),
            Self::Untold => ("untold", "without telling tools"),
            Self::Kept => ("kept", "evidence within budget"),
            Self::Exhausted => ("exhausted", "evidence, budget spent"),
            Self::Everything => ("everything", "no prefixes configured"),
            Self::Sixteen => ("sixteen", "16 sensors"),
            Self::Allowed10 => ("allowed10", "10 management prefixes"),
            Self::Allowed1000 => ("allowed1000", "1,000 management prefixes"),
            Self::Constituency => ("constituency", "a constituency of 1,000 prefixes"),
            Self::Observe => ("observe", "observing"),
            Self::Other => ("other", "the other build's sensor"),
        }
    }

    /// What is done beside counting and dropping.
    fn work(self) -> Work {
        let evidence = match self {
            Self::Kept => Some(NonZeroU32::MAX),
            Self::Exhausted => Some(NonZeroU32::MIN),
            _ => None,
        };
        Work { observe: self == Self::Observe, untold: self == Self::Untold, evidence }
    }

    /// Most packets of a call: with half as many before, and with what is remembered of them.
    pub const fn most_packets(self) -> u32 {
        // All of them fit into the ring buffer.
        if matches!(self, Self::Kept) { 24_000 } else { u32::MAX }
    }

    /// Loads the programs with it; the other build is `against`.
    ///
    /// # Errors
    /// As [`Sensor::load`] and [`Other::start`], or there is no other build.
    pub fn load(self, against: Option<&Path>) -> Result<Subject> {
        let tables = match self {
            Self::Everything => String::new(),
            Self::One | Self::Untold | Self::Kept | Self::Exhausted | Self::Observe | Self::Other => {
                sensors(1)
            }
            Self::Sixteen => sensors(16),
            Self::Allowed10 => sensors(1) + &allow(10),
            Self::Allowed1000 => sensors(1) + &allow(1_000),
            Self::Constituency => sensors(1) + &constituency(1_000),
        };
        match (self, against) {
            (Self::Other, Some(binary)) => Other::start(binary, &tables).map(Box::new).map(Subject::Other),
            (Self::Other, None) => bail!("there is no other build to compare with"),
            _ => Sensor::load(&tables, self.work()).map(Box::new).map(Subject::Own),
        }
    }
}

impl Subject {
    /// Its XDP program for frames in one buffer.
    pub fn program(&self) -> BorrowedFd<'_> {
        match self {
            Self::Own(sensor) => sensor.program(),
            Self::Other(other) => other.program(),
        }
    }

    /// Has the host send a frame, for the sensor to remember; the other build's is not asked to.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn sends(&mut self, frame: &[u8]) -> Result<()> {
        match self {
            Self::Own(sensor) => sensor.sends(frame),
            Self::Other(_) => bail!("nothing is sent by way of the other build"),
        }
    }

    /// Takes out what it has handed over as evidence.
    ///
    /// # Errors
    /// The kernel does not hand it out.
    pub fn take_evidence(&self) -> Result<()> {
        match self {
            Self::Own(sensor) => sensor.take_evidence(),
            Self::Other(_) => Ok(()),
        }
    }

    /// What it has counted so far.
    ///
    /// # Errors
    /// The counters cannot be read.
    pub fn total(&mut self) -> Result<Growth> {
        match self {
            Self::Own(sensor) => Ok(Growth::of(&sensor.counters.drain()?)),
            Self::Other(other) => other.total(),
        }
    }

    /// Every counter, where they can be read.
    ///
    /// # Errors
    /// The counters cannot be read.
    pub fn snapshot(&mut self) -> Result<Option<Snapshot>> {
        match self {
            Self::Own(sensor) => sensor.counters.drain().map(Some),
            Self::Other(_) => Ok(None),
        }
    }
}
