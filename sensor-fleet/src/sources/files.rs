//! What is asked for, of the agents' [files by the hour](super::hourly) in a folder and the folders in it.
//!
//! A file that is cut short or damaged adds nothing, and is named.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use jiff::Timestamp;
use sensor_common::noun::noun;

use super::asked::{Asked, HOUR};
use super::hourly::{self, Flow, Hour, PREFIX, SUFFIX};
use super::merge::{Merge, Row};
use super::outcome::{Count, Silent, Told};

/// Why an hour has no sketch.
const NO_SKETCH: &str = "it has no sketch: give all sensors the same `sketch_key_file` in [sources]";

/// What is asked for, of all files of a folder.
///
/// # Errors
/// The folder cannot be read, or has no file of these hours.
pub fn read(folder: &Path, asked: &Asked) -> Result<Merge> {
    let found = hourly::find(folder)?;
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
        match Hour::read(&file.path, |flow| asked_for(asked, flow)) {
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

/// A flow as a row, if it is asked for.
fn asked_for(asked: &Asked, flow: Flow) -> Option<Row> {
    let Flow { source, slot, tool, packets, bytes, first, last, .. } = flow;
    let is_asked = asked.slot.as_ref().is_none_or(|asked| *asked == slot)
        && asked.tool.as_ref().is_none_or(|asked| tool.as_ref() == Some(asked));
    is_asked.then_some(Row { source, packets, more: 0, bytes, first, last })
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
    fn add(&mut self, merge: &mut Merge, asked: &Asked, hour: &Hour<Row>, path: &Path) -> Option<&Path> {
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
        // Those of files are of all packets.
        if asked.is_of_all() {
            let sketch = hour.summary.sketch();
            merge.sketch(place, sketch.as_ref().ok_or_else(|| NO_SKETCH.to_owned()));
        }
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
            }
            if let Some(summed_up) = self.summed_up.get(&place) {
                let have = noun(*summed_up as u64, "hour has", "hours have");
                told.notes.push(format!("{summed_up} {have} sources without a row of their own"));
            }
            if there < hours {
                told.at_least = true;
                let missing = hours - there;
                let (of, words) = (
                    noun(hours as u64, "hour", "hours"),
                    noun(missing as u64, "it, or it was", "them, or they were"),
                );
                told.notes.push(format!(
                    "no file of {missing} of {hours} {of}: nothing came in {words} not copied"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
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
        let outcome = read(folder.path(), &asked()).unwrap().outcome(9);
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
