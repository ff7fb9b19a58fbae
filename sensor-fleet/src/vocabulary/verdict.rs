//! Who saw a surge.
//!
//! The report judges by tests against chance and the rules by a simple rule, but what a verdict is called and means is
//! the same. (What becomes of a single packet is `sensor-common`'s `Verdict`.)

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who saw a surge, of those who could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SurgeVerdict {
    /// One sensor only.
    SensorOnly,
    /// Sensors of one region only.
    RegionOnly,
    /// Most sensors, of every region.
    Global,
    /// Some sensors, of several regions; or the only one that could be judged, which cannot tell local from worldwide.
    Mixed,
    /// The sensors that saw it had nothing in their baseline.
    NewPort,
}

impl SurgeVerdict {
    /// Every verdict.
    pub const ALL: [Self; 5] = [Self::SensorOnly, Self::RegionOnly, Self::Global, Self::Mixed, Self::NewPort];

    /// How it is written: on pages, in tables and JSON, and as a label of what the rules record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SensorOnly => "sensor-only",
            Self::RegionOnly => "region-only",
            Self::Global => "global",
            Self::Mixed => "mixed",
            Self::NewPort => "new-port",
        }
    }
}

impl fmt::Display for SurgeVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_written_in_one_way() {
        for verdict in SurgeVerdict::ALL {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.name());
            assert_eq!(serde_json::from_value::<SurgeVerdict>(verdict.name().into()).unwrap(), verdict);
        }
    }
}
