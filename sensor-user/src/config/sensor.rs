//! A sensor: a named observation point and the prefixes that it monitors.
//!
//! A host without a configured sensor is one itself, under its own name, and monitors everything it receives.

use std::{fmt, fs};

use super::{Prefix, value};

/// Where the kernel tells the host's name.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// A named observation point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensor {
    /// Its name: at most [`super::MAX_NAME`] characters, no control characters.
    pub name: String,
    /// Where it is, for comparing sensors with one another; may be empty, else as `name`.
    pub region: String,
    /// What others are told that it is called, in notices; `None` if they are told its name.
    pub alias: Option<String>,
    /// What it monitors; empty only if it is the only sensor: then it monitors every address.
    pub prefixes: Vec<Prefix>,
}

/// Which pages of the kernel's counters are a sensor's: below [`sensor_common::layout::MAX_SENSORS`], and its own
/// as long as the counters live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SensorNumber(pub u32);

impl fmt::Display for SensorNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sensor with the number that the kernel's maps know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedSensor {
    /// Its number.
    pub number: SensorNumber,
    /// What is configured of it.
    pub sensor: Sensor,
}

impl Sensor {
    /// How many addresses of this IP version it monitors, as its prefixes say: 0 without any. Prefixes do not overlap.
    #[must_use]
    pub fn addresses(&self, is_ipv4: bool) -> u128 {
        let size = |prefix: &Prefix| {
            let bits = if is_ipv4 { 32 } else { 128 };
            1_u128.checked_shl((bits - prefix.length()).into()).unwrap_or(u128::MAX)
        };
        let prefixes = self.prefixes.iter().filter(|prefix| prefix.address().is_ipv4() == is_ipv4);
        prefixes.map(size).fold(0, u128::saturating_add)
    }

    /// The sensor that a host is when none is configured.
    ///
    /// Gives the cause and the mend when the host's name can't be read or isn't a name for a sensor.
    pub(super) fn of_this_host() -> Result<Self, String> {
        let hostname = fs::read_to_string(HOSTNAME).map_err(|error| {
            format!("cannot read {HOSTNAME} to name the sensor: {error}; add a [[sensor]] with a name")
        })?;
        let hostname = hostname.trim_end_matches('\n');
        let name = value::name(hostname).map_err(|cause| {
            format!("the host's name {hostname:?} {cause}, or add a [[sensor]] with a name")
        })?;
        Ok(Self { name, region: String::new(), alias: None, prefixes: Vec::new() })
    }
}
