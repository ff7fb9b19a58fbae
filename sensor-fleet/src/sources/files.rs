//! The agents' files by the hour, `flows-SENSOR-YYYYMMDDTHHZ.jsonl.gz`, from a folder and the folders in it.
//!
//! A file is taken whole or not at all: one that is cut short or damaged adds nothing, and is named.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;
use serde::Deserialize;

use super::asked::{Asked, HOUR};
use super::merge::{Merge, Row, Sketch};
use super::outcome::{Count, Silent, Told};
use super::source::Source;

const PREFIX: &str = "flows-";
const SUFFIX: &str = ".jsonl.gz";
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
    tool: Option<String>,
    packets: Option<u64>,
    bytes: Option<u64>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    summary: Option<Summary>,
}

/// The last line's own.
#[derive(Deserialize)]
struct Summary {
    observed: u64,
    missed: u64,
    sources: u64,
    exact: bool,
    sketch: Option<String>,
    sketch_precision: Option<u8>,
    sketch_key: Option<String>,
}

/// A file that is whole.
struct Hour {
    sensor: String,
    begin: Timestamp,
    /// Those that are asked for.
    rows: Vec<Row>,
    /// Packets of rows that are known as a sum alone.
    summed_up: u64,
    summary: Summary,
}

/// What is asked for, of all files of a folder.
///
/// # Errors
/// The folder cannot be read, or has no file of these hours.
pub fn read(folder: &Path, asked: &Asked) -> Result<Merge> {
    let mut found = Vec::new();
    walk(folder, 0, &mut found).with_context(|| {
        format!(
            "cannot read {}: name a folder with files {PREFIX}SENSOR-YYYYMMDDTHHZ{SUFFIX}",
            folder.display()
        )
    })?;
    found.sort();
    let (within, others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|file| file.hour >= asked.from && file.hour < asked.to);
    if within.is_empty() {
        let shown = folder.display();
        bail!(
            "{shown} has no file {PREFIX}SENSOR-YYYYMMDDTHHZ{SUFFIX} from {} to {}: name other hours, or another folder",
            asked.from,
            asked.to
        );
    }
    let mut merge = Merge::new();
    let mut sensors = Sensors::default();
    for file in &within {
        let who = file.path.display().to_string();
        match Hour::read(&file.path, asked) {
            Err(error) => {
                let cause = format!("{error:#}; copy it anew from its sensor");
                merge.silent(Silent { who, cause });
            }
            Ok(hour) if hour.begin != file.hour => {
                let cause = format!(
                    "it is of the hour {}, and not of that in its name: name it after its hour",
                    hour.begin
                );
                merge.silent(Silent { who, cause });
            }
            Ok(hour) => {
                if let Some(other) = sensors.add(&mut merge, asked, &hour, &file.path) {
                    let cause =
                        format!("{} is of the same sensor and hour: take one of them away", other.display());
                    merge.silent(Silent { who, cause });
                }
            }
        }
    }
    sensors.finish(&mut merge, asked);
    // Whose files are all of other times.
    let names: HashSet<_> = within.iter().map(|file| &file.name).collect();
    let absent: BTreeSet<_> =
        others.iter().map(|file| &file.name).filter(|name| !names.contains(name)).collect();
    for name in absent {
        let cause = "there are files of it, but none of these hours: copy them, or ask for others".to_owned();
        merge.silent(Silent { who: name.clone(), cause });
    }
    Ok(merge)
}

/// A file, by its name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    hour: Timestamp,
    /// The sensor, as a file's name has it.
    name: String,
    path: PathBuf,
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

impl Hour {
    fn read(path: &Path, asked: &Asked) -> Result<Self> {
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
            let is_asked = asked.slot.as_ref().is_none_or(|slot| *slot == line.slot)
                && asked.tool.as_ref().is_none_or(|tool| line.tool.as_ref() == Some(tool));
            if let (true, Some(source), Some(first), Some(last)) =
                (is_asked, line.source, line.first, line.last)
            {
                rows.push(Row { source, packets, more: 0, bytes, first, last });
            }
            if rows.len() > MOST_ROWS {
                bail!("it has more than {MOST_ROWS} rows");
            }
        }
        bail!("it has no end")
    }
}

impl Summary {
    fn sketch(&self) -> Option<Sketch> {
        let (text, precision, key) =
            (self.sketch.as_ref()?, self.sketch_precision?, self.sketch_key.clone()?);
        let half = |digit: u8| char::from(digit).to_digit(16).and_then(|half| u8::try_from(half).ok());
        let byte = |pair: &[u8]| Some(half(*pair.first()?)? << 4 | half(*pair.get(1)?)?);
        let registers = text.as_bytes().chunks(2).map(byte).collect::<Option<_>>()?;
        Some(Sketch { key, precision, registers })
    }
}

/// Which sensors there are, and of which hours.
#[derive(Default)]
struct Sensors {
    places: HashMap<String, u32>,
    hours: BTreeMap<(u32, Timestamp), PathBuf>,
    /// Hours that have not all sources in rows.
    summed_up: HashMap<u32, usize>,
}

impl Sensors {
    /// Adds an hour; gives the file that was of it before, if there was one.
    fn add(&mut self, merge: &mut Merge, asked: &Asked, hour: &Hour, path: &Path) -> Option<&Path> {
        let place = *self.places.entry(hour.sensor.clone()).or_insert_with(|| {
            merge.sensor(Told {
                sensor: hour.sensor.clone(),
                agent: None,
                from: asked.from,
                to: asked.to,
                observed: 0,
                missed: 0,
                packets: 0,
                sources: None,
                named: 0,
                complete: true,
                at_least: false,
                notes: Vec::new(),
            })
        });
        match self.hours.entry((place, hour.begin)) {
            Entry::Occupied(other) => return Some(other.into_mut()),
            Entry::Vacant(free) => drop(free.insert(path.to_owned())),
        }
        let named = hour.rows.iter().filter(|row| merge.add(place, row, None)).count() as u64;
        let sketch = asked.is_of_all().then(|| merge.sketch(hour.summary.sketch().as_ref())).flatten();
        let told = merge.told(place)?;
        told.named += named;
        told.observed = told.observed.saturating_add(hour.summary.observed);
        told.missed = told.missed.saturating_add(hour.summary.missed);
        let of_all = if asked.is_of_all() { hour.summed_up } else { 0 };
        let packets = hour.rows.iter().map(|row| row.packets).fold(of_all, u64::saturating_add);
        told.packets = told.packets.saturating_add(packets);
        told.at_least |= hour.summary.missed > 0;
        if hour.summed_up > 0 || !hour.summary.exact {
            told.complete = false;
            *self.summed_up.entry(place).or_default() += 1;
            // An hour's estimate is no bound of what many hours have, but near one.
            if asked.is_of_all() {
                let most = told.sources.map_or(0, |sources| sources.count).max(hour.summary.sources);
                told.sources = Some(Count { count: most, exact: false });
            }
        }
        if let Some(wrong) = sketch.filter(|wrong| !told.notes.contains(wrong)) {
            told.notes.push(wrong);
        }
        None
    }

    /// Says what is missing.
    fn finish(self, merge: &mut Merge, asked: &Asked) {
        let hours =
            usize::try_from((asked.to.as_second() - asked.from.as_second()) / HOUR).unwrap_or_default();
        for place in self.places.into_values() {
            let there = self.hours.keys().filter(|(of, _)| *of == place).count();
            let Some(told) = merge.told(place) else { continue };
            if told.complete {
                told.sources = Some(Count { count: told.named, exact: true });
                // Sketches are needed where rows do not have all.
                told.notes.clear();
            }
            if let Some(summed_up) = self.summed_up.get(&place) {
                told.notes.push(format!("{summed_up} hours have sources without a row of their own"));
            }
            if there < hours {
                told.at_least = true;
                let missing = hours - there;
                told.notes.push(format!(
                    "no file of {missing} of {hours} hours: nothing came in them, or they were not copied"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use rstest::rstest;

    use super::*;

    const FLOW: &str = r#"{"hour":"2026-05-10T08:00:00Z","sensor":"a","source":"203.0.113.9","slot":"23/tcp","protocol":"tcp","port":23,"tool":"mirai","packets":2,"bytes":120,"first":"2026-05-10T08:00:01Z","last":"2026-05-10T08:01:01Z","summary":null}"#;
    const LAST: &str = r#"{"hour":"2026-05-10T08:00:00Z","sensor":"a","source":null,"slot":"summary","protocol":null,"port":null,"tool":null,"packets":null,"bytes":null,"first":null,"last":null,"summary":{"length":3600,"observed":2,"missed":0,"sources":1,"exact":true,"set":["203.0.113.9"],"sketch":null,"sketch_precision":null,"sketch_key":null,"no_sketch":"no key"}}"#;

    fn gzip(text: &str) -> Vec<u8> {
        let mut file = GzEncoder::new(Vec::new(), Compression::fast());
        file.write_all(text.as_bytes()).unwrap();
        file.finish().unwrap()
    }

    fn asked() -> Asked {
        let time = |text: &str| text.parse().unwrap();
        Asked { from: time("2026-05-10T08:00:00Z"), to: time("2026-05-10T09:00:00Z"), slot: None, tool: None }
    }

    #[rstest]
    #[case::cut_short({ let mut whole = gzip(&format!("{FLOW}\n{LAST}\n")); whole.truncate(whole.len() - 9); whole }, "cut short or damaged")]
    #[case::no_gzip(b"hello".to_vec(), "cut short or damaged")]
    #[case::empty(gzip(""), "no last line")]
    #[case::no_summary(gzip(&format!("{FLOW}\n")), "no last line")]
    #[case::no_json(gzip("hello\n"), "line 1 is none of a flow")]
    #[case::more_behind(gzip(&format!("{LAST}\n{FLOW}\n")), "something follows")]
    #[case::another_sensor(gzip(&format!("{FLOW}\n{}\n", LAST.replace("\"a\"", "\"b\""))), "line 2 is of another sensor")]
    #[case::another_hour(gzip(&format!("{FLOW}\n{LAST}\n").replace("T08:00:00Z", "T07:00:00Z")), "not of that in its name")]
    #[case::a_line_without_end(gzip(&" ".repeat(1 << 20)), "line 1 is none")]
    fn a_broken_file_adds_nothing_and_is_named(#[case] bytes: Vec<u8>, #[case] words: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows-a-20260510T08Z.jsonl.gz");
        fs::write(&path, bytes).unwrap();
        let merge = read(folder.path(), &asked()).unwrap();
        let [silent] = &merge.silent[..] else { panic!("{:?}", merge.silent) };
        assert_eq!(silent.who, path.display().to_string());
        assert!(silent.cause.contains(words), "{}", silent.cause);
        assert!(merge.sources.is_empty() && merge.sensors.is_empty());
    }

    #[test]
    fn the_same_hour_counts_once_and_others_are_missed() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("copies");
        fs::create_dir(&inner).unwrap();
        let whole = gzip(&format!("{FLOW}\n{LAST}\n"));
        for path in [folder.path(), &inner] {
            fs::write(path.join("flows-a-20260510T08Z.jsonl.gz"), &whole).unwrap();
        }
        fs::write(folder.path().join("flows-b-20260509T08Z.jsonl.gz"), &whole).unwrap();
        fs::write(folder.path().join("notes.txt"), "hello").unwrap();
        let outcome = read(folder.path(), &asked()).unwrap().outcome(9, true);
        assert_eq!(
            (outcome.total.packets, outcome.total.sources.count, outcome.total.at_least),
            (2, 1, true)
        );
        let causes: Vec<_> = outcome.silent.iter().map(|it| it.cause.as_str()).collect();
        assert!(causes.iter().any(|cause| cause.contains("the same sensor and hour")), "{causes:?}");
        assert!(outcome.silent.iter().any(|it| it.who == "b" && it.cause.contains("none of these hours")));
    }

    #[test]
    fn a_folder_without_files_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| format!("{:#}", read(path, &asked()).err().unwrap());
        assert!(error(folder.path()).contains("has no file flows-SENSOR"), "{}", error(folder.path()));
        let nowhere = folder.path().join("nowhere");
        assert!(error(&nowhere).contains("name a folder"), "{}", error(&nowhere));
    }
}
