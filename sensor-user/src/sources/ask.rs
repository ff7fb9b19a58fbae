//! What can be asked of sources.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lists::Country;
use super::source::Source;
use crate::store::Step;

/// Rows of an answer unless told otherwise.
pub const DEFAULT_LIMIT: u32 = 20;
/// Most rows of an answer.
pub const MAX_LIMIT: u32 = 10_000;

/// What is asked for: packets for which all of it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ask {
    /// In the windows that begin before `to` and end after then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// See `from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Of this sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// Counted as this, as in `23/tcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Made by this tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// From this country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// Not from known scanners.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_known_scanners: bool,
    /// By what.
    pub by: By,
    /// By how many different sources, and not by packets.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub order_by_sources: bool,
    /// So many rows at most: up to [`MAX_LIMIT`].
    pub limit: u32,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            from: None,
            to: None,
            sensor: None,
            slot: None,
            tool: None,
            country: None,
            without_known_scanners: false,
            by: By::Source,
            order_by_sources: false,
            limit: DEFAULT_LIMIT,
        }
    }
}

/// What the rows of an answer are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Addresses, and /64s of IPv6.
    Source,
    /// /24s, and /48s of IPv6.
    Network,
    /// What packets were counted as.
    Port,
    /// Countries.
    Country,
    /// Autonomous systems.
    As,
}

/// What was counted over time: all of it must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskCounts {
    /// From the minute or hour of this time on; without it, the last hour of minutes, or the last day of hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Of this sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// Counted as this, as in `23/tcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Of this protocol, whatever port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// How far apart.
    pub by: Step,
}

/// What has slots of its own by port or by type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmp,
    /// `ICMPv6`.
    Icmpv6,
}

/// Everything that is known of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskSource {
    /// Which.
    pub source: Source,
    /// From the hour of this time on, as far as the store has it; without it, what is in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until the hour of this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// Events of a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskEvents {
    /// That ended then or later, or go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// That began before then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Of this sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// Not of known scanners.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_known_scanners: bool,
}
