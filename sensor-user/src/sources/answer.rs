//! What is answered: a line for each thing, in the form that the socket speaks and the commands print.

mod counts;
mod events;
mod filter;
mod one;
mod rows;
mod sketched;
mod stored;
mod tuples;
mod windows;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::counts::counts;
use super::ask::Ask;
use super::distinct::Count;
use super::lists::{Country, Lists};
use super::scans::{Definition, Scan};
use super::source::Source;
use super::victims::Victim;

/// A line of an answer: an object with one key, which says what it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A window that the answer rests on.
    Window(WindowLine),
    /// What is left out of all lines behind it.
    Rows(Rows),
    /// How many packets and sources there were of what is asked for, in all windows together.
    Total(Total),
    /// A sketch of all sources of what is asked for, for who has those of other sensors.
    Sketch(SketchLine),
    /// Why there is no sketch.
    NoSketch(NoSketchLine),
    /// A source, or a network of them.
    Source(Row),
    /// A port, a country or an autonomous system.
    Part(PartRow),
    /// A tuple.
    Tuple(TupleRow),
    /// From when on probes are a scan.
    Definition(DefinitionLine),
    /// From when on backscatter tells of a denial of service.
    VictimDefinition(VictimDefinitionLine),
    /// A scan.
    Scan(ScanRow),
    /// An address under denial of service.
    Victim(VictimRow),
    /// Whose a source is.
    Belongs(Belongs),
    /// What a source did in a window.
    Did(Did),
    /// What the lines with counts are of.
    Counts(CountsLine),
    /// What was counted in a minute or an hour.
    Count(CountRow),
    /// A time of which the counts are in the minute after it.
    Gap(GapLine),
}

/// What the lines with counts are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountsLine {
    /// How far apart they are, in seconds: 60 or 3,600.
    pub seconds: i64,
    /// When the first begins, if something was counted then.
    pub from: Timestamp,
    /// They begin before then.
    pub to: Timestamp,
    /// Since when something is stored in such steps; `None` if nothing is.
    pub oldest: Option<Timestamp>,
}

/// What was counted in a minute or an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountRow {
    /// The sensor's name.
    pub sensor: String,
    /// When it begins.
    pub time: Timestamp,
    /// Packets of what is asked for; there may have been up to `more`, which are summed up with others.
    pub packets: u64,
    /// See `packets`.
    pub more: u64,
    /// Bytes of those packets, Ethernet headers included.
    pub bytes: u64,
}

/// A time of which the counts are in the minute after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapLine {
    /// The sensor's name.
    pub sensor: String,
    /// Since when nobody looked at its counters.
    pub from: Timestamp,
    /// When somebody did again.
    pub to: Timestamp,
    /// Packets that were counted meanwhile.
    pub packets: u64,
}

/// A window of a sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowLine {
    /// The sensor's name.
    pub sensor: String,
    /// When it begins; later than its hour or day, if it was not observed from there on.
    pub from: Timestamp,
    /// When it ends; it may not have ended yet.
    pub to: Timestamp,
    /// Packets that were observed.
    pub observed: u64,
    /// Packets that were counted and not observed.
    pub missed: u64,
    /// Which share of what was counted was observed: below 1, every number of sources is at least so many.
    pub share: f64,
    /// Distinct sources; `None` of what the store tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Count>,
    /// Packets that were observed and are only known as a sum, not by their sources.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub summed_up: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What is left out of the lines behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Whether known scanners are.
    pub without_known_scanners: bool,
}

impl Rows {
    pub(super) const fn of(ask: &Ask) -> Self {
        Self { without_known_scanners: ask.without_known_scanners }
    }
}

/// Packets and sources of what is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Total {
    /// Packets that were observed.
    pub packets: u64,
    /// Of all, those from known scanners; `None` where that is not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_known_scanners: Option<u64>,
    /// Distinct sources.
    pub sources: Count,
    /// Whether there may be more of both: packets were missed, or others had to make room.
    pub at_least: bool,
    /// A source that is not followed has sent at most so many packets of what is asked for in these windows: 0 if all are.
    pub row_error: u64,
}

/// A sketch: the `HyperLogLog` that [hourly files](crate::store) have of all packets, in the same form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SketchLine {
    /// Tells the key that it was made with from others, and nothing of it: only sketches with the same go together.
    pub key: String,
    /// The binary logarithm of the number of registers.
    pub precision: u8,
    /// A byte each, in hexadecimal.
    pub registers: String,
}

/// Why there is no sketch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoSketchLine {
    /// What is missing, and what to do.
    pub trouble: String,
}

/// Packets to something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct To {
    /// What they were counted as.
    pub slot: String,
    /// How many.
    pub packets: u64,
}

/// A source or a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which: an address, or a prefix.
    pub source: String,
    /// Packets that were observed of what is asked for; there may have been up to `more`, which came before it was among
    /// those that are followed.
    pub packets: u64,
    /// See `packets`.
    pub more: u64,
    /// When the first was seen.
    pub first: Timestamp,
    /// When the last was seen.
    pub last: Timestamp,
    /// What it did; `None` of networks, and of a source of which only the port that is asked for is followed.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub did: Option<What>,
    /// Whose it is.
    #[serde(flatten)]
    pub belongs: Belongs,
}

/// What a source did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct What {
    /// Bytes, Ethernet headers included.
    pub bytes: u64,
    /// Its packets by port, as far as they were seen since they are followed: the eight that most went to.
    pub ports: Vec<To>,
    /// Packets to others.
    pub elsewhere: u64,
    /// SYNs by tool.
    pub tools: Vec<By>,
    /// TCP segments by kind.
    pub kinds: Vec<By>,
}

/// Packets by something with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// Its name, as in metrics.
    pub name: String,
    /// How many.
    pub packets: u64,
}

/// Whose a source is, as far as the lists tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Belongs {
    /// Its country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// The number of its autonomous system.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub system: Option<u32>,
    /// Whose that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_name: Option<String>,
    /// The known scanner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scanner: Option<String>,
}

impl Belongs {
    pub(super) fn of(source: Source, lists: &Lists) -> Self {
        let address = source.first();
        let system = lists.system(address);
        Self {
            country: lists.country(address),
            system: system.as_ref().map(|system| system.number),
            as_name: system.map(|system| system.name).filter(|name| !name.is_empty()),
            scanner: lists.scanner(address).map(|name| Arc::<str>::as_ref(name).to_owned()),
        }
    }
}

/// A port, a country or an autonomous system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartRow {
    /// Which; `unknown` of what the lists do not know.
    pub of: String,
    /// Whose it is, of an autonomous system, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_name: Option<String>,
    /// Packets that were observed of what is asked for.
    pub packets: u64,
    /// Packets from known scanners; where those are left out, beside `packets`.
    pub from_known_scanners: u64,
    /// Distinct sources of what is asked for.
    pub sources: Count,
    /// Whether there were more of both, before it was among those that are counted.
    pub at_least: bool,
}

/// A tuple of SYNs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TupleRow {
    /// The window.
    pub window: u16,
    /// Kinds of options, in their order, as in `2-4-8-1-3`.
    pub options: String,
    /// The maximum segment size.
    pub mss: Option<u16>,
    /// The window scale.
    pub scale: Option<u8>,
    /// What its TTL began with.
    pub ttl: u8,
    /// SYNs that were observed; there may have been up to `more`.
    pub packets: u64,
    /// See `packets`.
    pub more: u64,
    /// SYNs from known scanners; where those are left out, beside `packets`.
    #[serde(default)]
    pub from_known_scanners: u64,
    /// Distinct sources since then; `None` of those to one port, where it is not known.
    pub sources: Option<Count>,
    /// When the first was seen.
    pub first: Timestamp,
    /// When the last was seen.
    pub last: Timestamp,
}

/// From when on probes are a scan of a sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DefinitionLine {
    /// The sensor's name.
    pub sensor: String,
    /// What it is.
    #[serde(flatten)]
    pub definition: Definition,
    /// Older scans that there is no more room for.
    pub forgotten: u64,
}

/// From when on backscatter tells of a denial of service: if it fulfils all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VictimDefinitionLine {
    /// The sensor's name.
    pub sensor: String,
    /// So many packets at least.
    pub packets: u32,
    /// So many seconds at least from the first to the last.
    pub seconds: f64,
    /// So many packets at least in some minute.
    pub packets_per_minute: u32,
    /// Older victims that there is no more room for.
    pub forgotten: u64,
}

/// A scan of a sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanRow {
    /// The sensor's name.
    pub sensor: String,
    /// What it was.
    #[serde(flatten)]
    pub scan: Scan,
    /// Whose the source is.
    #[serde(flatten)]
    pub belongs: Belongs,
}

/// A victim that a sensor has seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VictimRow {
    /// The sensor's name.
    pub sensor: String,
    /// What was seen.
    #[serde(flatten)]
    pub victim: Victim,
    /// Whose the victim is.
    #[serde(flatten)]
    pub belongs: Belongs,
}

/// What a source did in a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Did {
    /// The sensor's name.
    pub sensor: String,
    /// When the window begins.
    pub from: Timestamp,
    /// When it ends; it may not have ended yet.
    pub to: Timestamp,
    /// Which share of what was counted was observed: below 1, all numbers are at least so many.
    pub share: f64,
    /// What is known of it; `None` if it is not among those that are followed.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub row: Option<Row>,
    /// It may have sent so many packets before it was followed, or though it is not.
    pub unseen: u64,
}
