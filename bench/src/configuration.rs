//! The sensors that packets are run through.

use anyhow::Result;

use crate::sensor::{Sensor, allow, sensors};

/// How a sensor is configured, and what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration {
    /// One sensor, which has a prefix.
    One,
    /// One sensor, which monitors every address.
    Everything,
    /// Sixteen sensors, each with a prefix.
    Sixteen,
    /// One sensor, and ten networks that may reach a port.
    Allowed10,
    /// One sensor, and a thousand networks that may reach a port.
    Allowed1000,
    /// One sensor, which drops nothing.
    Observe,
}

impl Configuration {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::One, Self::Everything, Self::Sixteen, Self::Allowed10, Self::Allowed1000, Self::Observe];

    /// Its names, for programs and for people.
    pub const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::One => ("one", "sensor"),
            Self::Everything => ("everything", "no prefixes configured"),
            Self::Sixteen => ("sixteen", "16 sensors"),
            Self::Allowed10 => ("allowed10", "10 management prefixes"),
            Self::Allowed1000 => ("allowed1000", "1,000 management prefixes"),
            Self::Observe => ("observe", "observing"),
        }
    }

    /// Loads the programs with it.
    ///
    /// # Errors
    /// As [`Sensor::load`].
    pub fn load(self) -> Result<Sensor> {
        let tables = match self {
            Self::Everything => String::new(),
            Self::One | Self::Observe => sensors(1),
            Self::Sixteen => sensors(16),
            Self::Allowed10 => sensors(1) + &allow(10),
            Self::Allowed1000 => sensors(1) + &allow(1_000),
        };
        Sensor::load(&tables, self == Self::Observe)
    }
}
