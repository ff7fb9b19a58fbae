//! The `[sources]` table: what is to be known of who sends what is kept as evidence.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use sensor_common::time_span::time_span;

use super::error::Problems;
use super::evidence::{bounded, whole_path};
use super::validate::one;
use super::{file, value};

/// Memory of windows and sketches unless told otherwise, where it is enough for the sensors there are.
pub const DEFAULT_MEMORY: u64 = 64 << 20;
/// Countries, networks and scanners that have series of their own unless told otherwise: of each.
pub const DEFAULT_MAX_LABELS: u32 = 50;

/// For each sensor at least: a few ports, and some hundred sources.
pub(crate) const LEAST_MEMORY: u64 = 2 << 20;
const MEMORY: RangeInclusive<u64> = LEAST_MEMORY..=64 << 30;
const LABELS: RangeInclusive<i64> = 1..=1_000;
const PACKETS: RangeInclusive<i64> = 1..=1_000_000;

/// What is to be known of sources, and from what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// An MMDB file that knows countries: an absolute path.
    pub countries: Option<PathBuf>,
    /// An MMDB file that knows autonomous systems, likewise.
    pub autonomous_systems: Option<PathBuf>,
    /// A CSV file of prefixes and whose they are, likewise.
    pub known_scanners: Option<PathBuf>,
    /// A file with the key that sketches of whole windows are made with, likewise: without it there are none.
    pub sketch_key_file: Option<PathBuf>,
    /// Bytes of windows and sketches, of all sensors together.
    pub memory: u64,
    /// Countries, autonomous systems and known scanners with series of their own: so many of each and sensor.
    pub max_labels: u32,
    /// Who is a victim.
    pub victims: VictimDefinition,
}

/// When an address is under denial of service: if its backscatter fulfils all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VictimDefinition {
    /// So many packets at least.
    pub packets: u32,
    /// So long at least from the first to the last.
    pub time: Duration,
    /// So many packets at least in some minute.
    pub packets_per_minute: u32,
}

impl Default for VictimDefinition {
    /// That of corsaro.
    fn default() -> Self {
        Self { packets: 25, time: Duration::from_mins(1), packets_per_minute: 30 }
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            countries: None,
            autonomous_systems: None,
            known_scanners: None,
            sketch_key_file: None,
            memory: DEFAULT_MEMORY,
            max_labels: DEFAULT_MAX_LABELS,
            victims: VictimDefinition::default(),
        }
    }
}

/// Checks the table, for so many sensors.
pub(super) fn sources(table: &file::Sources, sensors: usize, problems: &mut Problems<'_>) -> Sources {
    let usual = Sources::default();
    let mut path = |what, text: &Option<_>| {
        let text = text.as_ref()?;
        one(what, text, |text| whole_path(text, "file"), problems)
    };
    let countries = path("countries", &table.countries);
    let autonomous_systems = path("autonomous_systems", &table.autonomous_systems);
    let known_scanners = path("known_scanners", &table.known_scanners);
    let sketch_key_file = path("sketch_key_file", &table.sketch_key_file);
    let memory = table
        .memory
        .as_ref()
        .and_then(|text| one("memory", text, |text| value::size(text, &MEMORY), problems));
    if let (Some(text), Some(memory)) = (&table.memory, memory)
        && memory / LEAST_MEMORY < sensors as u64
    {
        let message = format!(
            "memory \"{}\" is less than 2MiB for each of {sensors} sensors: raise it",
            text.get_ref()
        );
        problems.add(text.span().start, message);
    }
    let max_labels = table.max_labels.as_ref().and_then(|it| bounded("max_labels", it, &LABELS, problems));
    let packets =
        table.victim_packets.as_ref().and_then(|it| bounded("victim_packets", it, &PACKETS, problems));
    let per_minute = table
        .victim_packets_per_minute
        .as_ref()
        .and_then(|it| bounded("victim_packets_per_minute", it, &PACKETS, problems));
    let time = table.victim_time.as_ref().and_then(|text| one("victim_time", text, time_span, problems));
    Sources {
        countries,
        autonomous_systems,
        known_scanners,
        sketch_key_file,
        memory: memory.unwrap_or(usual.memory.max(LEAST_MEMORY * sensors as u64)),
        max_labels: max_labels.unwrap_or(usual.max_labels),
        victims: VictimDefinition {
            packets: packets.unwrap_or(usual.victims.packets),
            time: time.unwrap_or(usual.victims.time),
            packets_per_minute: per_minute.unwrap_or(usual.victims.packets_per_minute),
        },
    }
}
