//! An agent's answer: lines of JSON, of which those are read that are known.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::asked::{Asked, ROWS};
use super::merge::{Belongs, Merge, Row, Sketch};
use super::outcome::{Count, Silent, Told};
use super::source::Source;

/// The line that an answer ends with.
const END: &str = r#"{"end":true}"#;
/// And where it could not be given.
const ERROR: &str = r#"{"error":"#;

/// Time that an answer rests on.
#[derive(Deserialize)]
struct Window {
    sensor: String,
    from: Timestamp,
    to: Timestamp,
    observed: u64,
    missed: u64,
}

#[derive(Default, Deserialize)]
struct Total {
    packets: u64,
    sources: Number,
    at_least: bool,
    /// Whoever has no row has sent so many packets at most, where rows are not cut off at their limit.
    row_error: Option<u64>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Number {
    count: u64,
    exact: bool,
}

#[derive(Deserialize)]
struct SourceLine {
    source: Source,
    packets: u64,
    #[serde(default)]
    more: u64,
    #[serde(default)]
    bytes: u64,
    first: Timestamp,
    last: Timestamp,
    country: Option<String>,
    #[serde(rename = "as")]
    system: Option<u32>,
    as_name: Option<String>,
    scanner: Option<String>,
}

#[derive(Deserialize)]
struct SourcesSketchLine {
    key: String,
    precision: u8,
    registers: String,
}

#[derive(Deserialize)]
struct MissingSketchLine {
    trouble: String,
}

/// What is said of an answer without a line about its sketch.
const NO_LINE: &str = "its agent is too old to send a sketch: bring it up to date";

/// An answer about one sensor, or, of an agent with several, about all of them.
#[derive(Default)]
pub struct Answer {
    windows: Vec<Window>,
    total: Total,
    /// Of all its sources; or why there is none, where that is said.
    sketch: Option<Result<Sketch, String>>,
    rows: Vec<(Row, Belongs)>,
}

/// Whether an answer has its last line.
#[must_use]
pub fn is_whole(bytes: &[u8]) -> bool {
    let Some(bytes) = bytes.strip_suffix(b"\n") else { return false };
    let last = bytes.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    last == END.as_bytes() || last.starts_with(ERROR.as_bytes())
}

/// Reads a whole answer.
///
/// # Errors
/// The agent says that it cannot tell, or this is no whole answer.
pub fn read(bytes: &[u8]) -> Result<Answer, String> {
    if !is_whole(bytes) {
        return Err(
            "its answer is cut short: ask again, and look at its log (`journalctl -u sensor`)".to_owned()
        );
    }
    let mut answer = Answer::default();
    for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Value =
            serde_json::from_slice(line).map_err(|error| format!("its answer is no JSON: {error}"))?;
        let wrong = |error: serde_json::Error| {
            format!("its answer is not what this program knows: {error}; are both of one version?")
        };
        let of = |key: &str| line.get(key).cloned();
        if let Some(error) = of("error") {
            return Err(format!("it says: {}", error.as_str().unwrap_or_default()));
        } else if let Some(window) = of("window") {
            answer.windows.push(Window::deserialize(window).map_err(wrong)?);
        } else if let Some(total) = of("total") {
            answer.total = Total::deserialize(total).map_err(wrong)?;
        } else if let Some(sketch) = of("sketch") {
            let SourcesSketchLine { key, precision, registers } =
                SourcesSketchLine::deserialize(sketch).map_err(wrong)?;
            let read = Sketch::read(&key, precision, &registers);
            answer.sketch = Some(read.ok_or_else(|| "its sketch is not in hexadecimal".to_owned()));
        } else if let Some(none) = of("no_sketch") {
            answer.sketch = Some(Err(MissingSketchLine::deserialize(none).map_err(wrong)?.trouble));
        } else if let Some(row) = of("source") {
            answer.rows.push(SourceLine::deserialize(row).map_err(wrong)?.into());
        }
    }
    Ok(answer)
}

impl From<SourceLine> for (Row, Belongs) {
    fn from(line: SourceLine) -> Self {
        let SourceLine { source, packets, more, bytes, first, last, country, system, as_name, scanner } =
            line;
        (
            Row { source, packets, more, bytes, first, last },
            Belongs { country, system, system_name: as_name, scanner },
        )
    }
}

impl Answer {
    /// Sensors that it is about.
    #[must_use]
    pub fn sensors(&self) -> BTreeSet<String> {
        self.windows.iter().map(|window| window.sensor.clone()).collect()
    }

    /// Adds what it says of its sensor.
    pub fn merge(self, agent: &str, asked: &Asked, merge: &mut Merge) {
        let Some(first) = self.windows.first() else { return };
        let all = |of: fn(&Window) -> u64| self.windows.iter().map(of).fold(0, u64::saturating_add);
        let from = self.windows.iter().map(|window| window.from).min().unwrap_or(asked.from);
        let to = self.windows.iter().map(|window| window.to).max().unwrap_or(asked.to);
        let missed = all(|window| window.missed);
        let Number { count, exact } = self.total.sources;
        if from < asked.from || to > asked.to {
            // Its numbers would be added to those of hours that others were asked for.
            let sensor = &first.sensor;
            return merge.silent(Silent {
                who: agent.to_owned(),
                cause: format!(
                    "of {sensor} it has no hours of then, only {from} to {to} together: add [store] to its configuration, \
                     or ask for that time"
                ),
            });
        }
        let mut notes = Vec::new();
        let sketch = self.sketch.unwrap_or_else(|| Err(NO_LINE.to_owned()));
        let is_short = from > asked.from || to < asked.to;
        if is_short {
            notes.push(format!("it knows {from} to {to} alone"));
        }
        let place = merge.sensor(Told {
            sensor: first.sensor.clone(),
            agent: Some(agent.to_owned()),
            from,
            to,
            observed: all(|window| window.observed),
            missed,
            packets: self.total.packets,
            sources: Some(Count { count, exact }),
            named: 0,
            complete: false,
            // A sketch has those too who are not followed.
            at_least: self.total.at_least && sketch.is_err() || missed > 0 || is_short,
            notes,
        });
        merge.sketch(place, sketch.as_ref().map_err(String::clone));
        let (mut named, rows) = (0, self.rows.len());
        for (row, belongs) in self.rows {
            named += u64::from(merge.add(place, &row, Some(belongs)));
        }
        let are_all = self.total.row_error == Some(0) && rows < ROWS as usize;
        if let Some(told) = merge.told(place) {
            told.named = named;
            told.complete = named == rows as u64 && (are_all || exact && named == count);
            if told.complete {
                told.sources = Some(Count { count: named, exact: true });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_xoshiro::SplitMix64;
    use rstest::rstest;
    use sensor_common::hyperloglog::HyperLogLog;

    use super::*;
    use crate::sources::outcome::Basis;

    const WINDOW: &str = r#"{"window":{"sensor":"a","from":"2026-05-10T08:00:00Z","to":"2026-05-10T09:00:00Z","observed":9,"missed":1,"share":0.9,"sources":{"count":2,"exact":true}}}"#;
    const TOTAL: &str =
        r#"{"total":{"packets":9,"sources":{"count":2,"exact":true},"at_least":true,"row_error":2}}"#;
    const ROW: &str = r#"{"source":{"source":"203.0.113.9","packets":7,"more":0,"first":"2026-05-10T08:10:07Z","last":"2026-05-10T08:39:57Z","bytes":420,"ports":[],"country":"JP"}}"#;

    #[test]
    fn an_answer_is_read_and_what_is_new_left_out() {
        let text = format!("{WINDOW}\n{{\"new\":1}}\n{TOTAL}\n{ROW}\n{END}\n");
        let answer = read(text.as_bytes()).unwrap();
        let asked = Asked {
            from: "2026-05-10T08:00:00Z".parse().unwrap(),
            to: "2026-05-10T10:00:00Z".parse().unwrap(),
            slot: None,
            tool: None,
        };
        let mut merge = Merge::new();
        answer.merge("host", &asked, &mut merge);
        let outcome = merge.outcome(9);
        let [told] = &outcome.sensors[..] else { panic!("{:?}", outcome.sensors) };
        assert_eq!((told.sensor.as_str(), told.observed, told.missed, told.named), ("a", 9, 1, 1));
        assert!(!told.complete && told.at_least, "others have sent up to 2 packets, and one was missed");
        assert!(told.notes[0].contains("alone"), "{:?}", told.notes);
        assert_eq!(outcome.rows[0].country.as_deref(), Some("JP"));
        assert_eq!((outcome.total.sources.count, outcome.total.at_most), (2, Some(2)));
    }

    #[test]
    fn an_answer_about_more_than_the_hours_asked_for_adds_nothing() {
        let answer = read(format!("{WINDOW}\n{TOTAL}\n{ROW}\n{END}\n").as_bytes()).unwrap();
        let asked = Asked {
            from: "2026-05-10T08:30:00Z".parse().unwrap(),
            to: "2026-05-10T09:00:00Z".parse().unwrap(),
            slot: None,
            tool: None,
        };
        let mut merge = Merge::new();
        answer.merge("host", &asked, &mut merge);
        let outcome = merge.outcome(9);
        assert!(outcome.sensors.is_empty() && outcome.rows.is_empty() && outcome.total.at_least);
        let [silent] = &outcome.silent[..] else { panic!("{:?}", outcome.silent) };
        assert!(silent.who == "host" && silent.cause.contains("add [store]"), "{}", silent.cause);
    }

    /// The agent counts by an estimate, and names all the same.
    #[rstest]
    #[case::who_is_left_out_sent_nothing(0, true, 1)]
    #[case::who_is_left_out_sent_some(3, false, 700)]
    fn all_are_named_if_nobody_else_sent_anything(
        #[case] row_error: u64,
        #[case] complete: bool,
        #[case] sources: u64,
    ) {
        let total = TOTAL.replace("\"count\":2,\"exact\":true", "\"count\":700,\"exact\":false");
        let total = total.replace("\"row_error\":2", &format!("\"row_error\":{row_error}"));
        let answer = read(format!("{WINDOW}\n{total}\n{ROW}\n{END}\n").as_bytes()).unwrap();
        let time = |text: &str| text.parse().unwrap();
        let asked = Asked {
            from: time("2026-05-10T08:00:00Z"),
            to: time("2026-05-10T09:00:00Z"),
            slot: None,
            tool: None,
        };
        let mut merge = Merge::new();
        answer.merge("host", &asked, &mut merge);
        let outcome = merge.outcome(9);
        assert_eq!((outcome.total.complete, outcome.total.sources.count), (complete, sources));
    }

    fn sketch(key: &str, sources: std::ops::Range<u64>) -> String {
        let mut sketch = HyperLogLog::<12>::new();
        sources.for_each(|it| sketch.add(SplitMix64::seed_from_u64(it).random()));
        let registers: Vec<_> = sketch.registers().iter().map(|register| format!("{register:02x}")).collect();
        let registers = registers.concat();
        format!("{{\"sketch\":{{\"key\":\"{key}\",\"precision\":12,\"registers\":\"{registers}\"}}}}")
    }

    /// Two agents with 6,000 and 5,000 sources, of which each names one, and 9,000 together.
    #[rstest]
    #[case::one_key(&sketch("a", 0..6_000), Basis::Sketches, "")]
    #[case::another_key(&sketch("b", 0..6_000), Basis::Bound, "give all sensors the same `sketch_key_file`")]
    #[case::none(r#"{"no_sketch":{"trouble":"it has no key"}}"#, Basis::Bound, "it has no key")]
    #[case::not_a_word(r#"{"new":1}"#, Basis::Bound, "is too old to send a sketch")]
    #[case::no_sketch(
        r#"{"sketch":{"key":"a","precision":12,"registers":"xy"}}"#,
        Basis::Bound,
        "not in hexadecimal"
    )]
    #[case::cut_short(
        r#"{"sketch":{"key":"a","precision":12,"registers":"00"}}"#,
        Basis::Bound,
        "another size"
    )]
    fn sketches_of_one_key_tell_of_agents_together(
        #[case] second: &str,
        #[case] basis: Basis,
        #[case] words: &str,
    ) {
        let asked = Asked {
            from: "2026-05-10T08:00:00Z".parse().unwrap(),
            to: "2026-05-10T09:00:00Z".parse().unwrap(),
            slot: Some("23/tcp".to_owned()),
            tool: None,
        };
        let window = WINDOW.replace("\"missed\":1", "\"missed\":0");
        let mut merge = Merge::new();
        for (agent, many, sketch) in
            [("one", 5_000, sketch("a", 4_000..9_000).as_str()), ("other", 6_000, second)]
        {
            let total = TOTAL.replace("\"count\":2", &format!("\"count\":{many}"));
            let answer = read(format!("{window}\n{total}\n{sketch}\n{ROW}\n{END}\n").as_bytes()).unwrap();
            answer.merge(agent, &asked, &mut merge);
        }
        let outcome = merge.outcome(9);
        let total = outcome.total;
        assert_eq!((total.basis, total.at_least), (basis, basis == Basis::Bound));
        let notes: Vec<_> = outcome.sensors.iter().flat_map(|told| &told.notes).collect();
        assert_eq!(notes.len(), usize::from(basis == Basis::Bound), "{notes:?}");
        assert!(notes.iter().all(|note| note.contains(words)), "{notes:?}");
        let expected = if basis == Basis::Bound { 6_000..=6_000 } else { 8_500..=9_500 };
        assert!(expected.contains(&total.sources.count), "{:?}", total.sources);
    }

    #[rstest]
    #[case::empty("", "cut short")]
    #[case::without_end(&format!("{WINDOW}\n{TOTAL}\n"), "cut short")]
    #[case::without_the_last_end(&format!("{WINDOW}\n{END}"), "cut short")]
    #[case::no_json(&format!("hello\n{END}\n"), "is no JSON")]
    #[case::another_kind("{\"window\":{\"sensor\":7}}\n{\"end\":true}\n", "not what this program knows")]
    #[case::no_source(&format!("{}\n{END}\n", ROW.replace("203.0.113.9", "\\u001b[2J")), "is no source")]
    #[case::an_error("{\"error\":\"no sensor is called x\"}\n", "it says: no sensor is called x")]
    fn what_is_no_answer_is_said(#[case] text: &str, #[case] words: &str) {
        let error = read(text.as_bytes()).err().unwrap();
        assert!(error.contains(words), "{error}");
    }
}
