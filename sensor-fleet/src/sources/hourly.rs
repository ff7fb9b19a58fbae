//! The agents' files by the hour, `flows-SENSOR-YYYYMMDDTHHZ.jsonl.gz`: finding them, and reading one.
//!
//! A file is read whole or not at all: one that is cut short or damaged gives an error.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;
use serde::Deserialize;

use super::merge::Sketch;
use super::source::Source;

/// What a file's name begins and ends with.
pub const PREFIX: &str = "flows-";
/// The end.
pub const SUFFIX: &str = ".jsonl.gz";
/// What a row is that sums up others, and what the last line is.
const REST: &str = "rest";
const SUMMARY: &str = "summary";
/// Bytes of a line at most: the last has a sketch and up to 256 sources.
const MOST_LINE: u64 = 64 << 10;
/// Rows of a file at most: an agent keeps up to 225,000 of an hour.
const MOST_ROWS: usize = 1_000_000;
/// Files at most, and folders within one another.
const MOST_FILES: usize = 1_000_000;
const MOST_FOLDERS: usize = 8;

/// A line of a file, as far as it is of use.
#[derive(Deserialize)]
struct Line {
    hour: Timestamp,
    sensor: String,
    source: Option<Source>,
    slot: String,
    protocol: Option<String>,
    port: Option<u16>,
    tool: Option<String>,
    packets: Option<u64>,
    bytes: Option<u64>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    summary: Option<Summary>,
}

/// What a source sent to a slot with a tool.
pub struct Flow {
    /// Who sent.
    pub source: Source,
    /// What the packets were counted as, as in `23/tcp`.
    pub slot: String,
    /// The slot's protocol, as metrics call it.
    pub protocol: Option<String>,
    /// The slot's port.
    pub port: Option<u16>,
    /// What made them, where that is told.
    pub tool: Option<String>,
    /// How many.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the first came.
    pub first: Timestamp,
    /// When the last did.
    pub last: Timestamp,
}

/// The last line's own.
#[derive(Deserialize)]
pub struct Summary {
    /// Packets that were looked at.
    pub observed: u64,
    /// Packets that were counted and not looked at.
    pub missed: u64,
    /// Distinct sources.
    pub sources: u64,
    /// Whether that is their number, and no estimate.
    pub exact: bool,
    sketch: Option<String>,
    sketch_precision: Option<u8>,
    sketch_key: Option<String>,
}

/// A file that is whole.
pub struct Hour<T> {
    /// The sensor that it is of.
    pub sensor: String,
    /// When the hour begins.
    pub begin: Timestamp,
    /// What was kept of its flows.
    pub rows: Vec<T>,
    /// Packets of rows that are known as a sum alone.
    pub summed_up: u64,
    /// The last line.
    pub summary: Summary,
}

/// A file, by its name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The begin of its hour.
    pub hour: Timestamp,
    /// The sensor, as a file's name has it.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// Files of a folder and of those in it, by their hours.
///
/// # Errors
/// The folder cannot be read, or has too many.
pub fn find(folder: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    walk(folder, 0, &mut found).with_context(|| {
        format!(
            "cannot read {}: name a folder with files {PREFIX}SENSOR-YYYYMMDDTHHZ{SUFFIX}",
            folder.display()
        )
    })?;
    found.sort();
    Ok(found)
}

/// Files of a folder and of those in it. Links are not followed.
fn walk(folder: &Path, depth: usize, found: &mut Vec<Found>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && depth < MOST_FOLDERS {
            walk(&path, depth + 1, found)?;
        } else if kind.is_file()
            && let Some((name, hour)) = entry.file_name().to_str().and_then(named)
        {
            found.push(Found { hour, name, path });
            if found.len() > MOST_FILES {
                bail!("there are more than {MOST_FILES} files: ask of a part of them");
            }
        }
    }
    Ok(())
}

/// The sensor and the hour that a file is of, by its name.
fn named(name: &str) -> Option<(String, Timestamp)> {
    let (sensor, time) = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.rsplit_once('-')?;
    let time = format!("{}0000+0000", time.strip_suffix('Z')?);
    Some((sensor.to_owned(), Timestamp::strptime("%Y%m%dT%H%M%S%z", time).ok()?))
}

impl<T> Hour<T> {
    /// Reads a file, and keeps of its flows what `keep` makes of them.
    ///
    /// # Errors
    /// It cannot be read, or is not whole: what is wrong with it.
    pub fn read(path: &Path, keep: impl Fn(Flow) -> Option<T>) -> Result<Self> {
        let mut lines = BufReader::new(MultiGzDecoder::new(BufReader::new(File::open(path)?)));
        let (mut of, mut rows, mut summed_up) = (None::<(String, Timestamp)>, Vec::new(), 0_u64);
        let mut text = Vec::new();
        for number in 1.. {
            text.clear();
            let length = (&mut lines)
                .take(MOST_LINE)
                .read_until(b'\n', &mut text)
                .context("it is cut short or damaged")?;
            if length == 0 {
                bail!("it has no last line with a summary");
            }
            let line: Line =
                serde_json::from_slice(&text).with_context(|| format!("line {number} is none of a flow"))?;
            let (sensor, hour) = of.get_or_insert_with(|| (line.sensor.clone(), line.hour));
            if (&line.sensor, line.hour) != (sensor, *hour) {
                bail!("line {number} is of another sensor or hour than the first");
            }
            if let Some(summary) = line.summary.filter(|_| line.slot == SUMMARY) {
                if lines.fill_buf().context("it is cut short or damaged")?.is_empty() {
                    let (sensor, hour) = (sensor.clone(), *hour);
                    return Ok(Self { sensor, begin: hour, rows, summed_up, summary });
                }
                bail!("something follows its summary");
            }
            let (Some(packets), Some(bytes)) = (line.packets, line.bytes) else {
                bail!("line {number} has no packets");
            };
            if line.slot == REST {
                summed_up = summed_up.saturating_add(packets);
                continue;
            }
            if let (Some(source), Some(first), Some(last)) = (line.source, line.first, line.last) {
                let Line { slot, protocol, port, tool, .. } = line;
                rows.extend(keep(Flow { source, slot, protocol, port, tool, packets, bytes, first, last }));
            }
            if rows.len() > MOST_ROWS {
                bail!("it has more than {MOST_ROWS} rows");
            }
        }
        bail!("it has no end")
    }
}

impl Summary {
    /// The sketch of all its sources, if there is one that can be read.
    #[must_use]
    pub fn sketch(&self) -> Option<Sketch> {
        Sketch::read(self.sketch_key.as_ref()?, self.sketch_precision?, self.sketch.as_ref()?)
    }
}
