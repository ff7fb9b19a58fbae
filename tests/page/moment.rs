//! What a page is compared with: the counters, the store and what the socket tells of sources, all of one moment.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use sensor_common::noun::noun;
use serde_json::Value;

use super::text::lines;
use super::{Scene, between, page};

/// What stands where nothing is known.
pub const UNKNOWN: &str = "–";

/// What is asked and what is shown, of one moment.
pub struct Moment<'a> {
    pub scene: &'a Scene,
    /// Of which sensor it is; without it, of all together.
    pub sensor: Option<&'static str>,
    /// `/api/v1/slots`.
    pub slots: Value,
    /// What is asked for as `view` on the socket: names, texts and times are taken from here.
    pub view: Value,
    /// When the page was made.
    pub time: Timestamp,
    /// What a person reads there.
    pub shown: Vec<String>,
}

impl<'a> Moment<'a> {
    /// A page that is made of the same snapshot as the counters, and as what the socket says, in the same minute; `None` if there
    /// is none just now.
    pub fn of(scene: &'a Scene, path: &str, sensor: Option<&'static str>) -> Result<Option<Self>> {
        // Whoever asks soon after the counters were read gets what is made of them.
        let slots: Value = serde_json::from_str(&page(&scene.agent, "/api/v1/slots")?)?;
        let page = page(&scene.agent, path)?;
        let of = sensor.map(|name| format!(",\"sensor\":\"{name}\"")).unwrap_or_default();
        let view = scene.view(&format!("{{\"version\":1,\"ask\":\"view\"{of}}}"))?;
        let number: u64 = between(&page, "data-snapshot=\"", "\"")?.parse()?;
        let made = between(&page, ", made ", " UTC")?.replace(' ', "T") + "Z";
        let time: Timestamp = made.parse()?;
        // The page of a port is told again for seconds, and has nothing of the other's.
        let is_of_view = path.starts_with("/port/") || view["snapshot"].as_u64() == Some(number);
        let is_one = slots["snapshot"].as_u64() == Some(number)
            && is_of_view
            && minute(time) == minute(self::time(&view["time"])?);
        Ok(is_one.then(|| Self { scene, sensor, slots, view, time, shown: lines(&page) }))
    }

    /// The counters of each sensor, with what is shown of it.
    pub fn sensors(&self) -> impl Iterator<Item = (&Value, &Value)> {
        list(&self.slots["sensors"]).zip(list(&self.view["sensors"]))
    }

    /// Those that are asked for.
    pub fn asked_for(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.sensors().filter(|(of, _)| self.sensor.is_none_or(|name| of["name"] == name))
    }

    /// What is asked on the socket, of the same sensor.
    pub fn lines(&self, arguments: &[&str], what: &str) -> Result<Vec<Value>> {
        let of: &[&str] = match &self.sensor {
            Some(name) => &["--sensor", name],
            None => &[],
        };
        self.scene.lines(&[arguments, of].concat(), what)
    }

    /// What the store says was counted in each step of so many seconds: of a sensor or of all, in a slot or in all.
    pub fn stored(&self, step: i64, sensor: Option<&str>, slot: Option<u32>) -> Result<BTreeMap<i64, u64>> {
        let store = Connection::open_with_flags(self.scene.database(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let sum = |table: &str, of: &str| -> Result<BTreeMap<i64, u64>> {
            let mut query = store.prepare(&format!(
                "SELECT time, sum(packets) FROM {table} WHERE step = ?1 AND {of} AND sensor IN
                     (SELECT number FROM sensor WHERE name = coalesce(?2, name)) GROUP BY time"
            ))?;
            let rows = query
                .query_map((step, sensor), |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        let all = sum("total", "true")?;
        let Some(slot) = slot else { return Ok(all) };
        let of_slot = sum("count", &format!("slot = {slot}"))?;
        Ok(all.into_keys().map(|time| (time, of_slot.get(&time).copied().unwrap_or_default())).collect())
    }

    /// What is said of a curve of the last so many steps, and the most of them.
    pub fn curve(
        &self,
        heading: &str,
        stored: &BTreeMap<i64, u64>,
        (step, steps): (i64, i64),
    ) -> (String, Option<u64>) {
        let to = self.time.as_second() / step * step;
        let known = || stored.range(to - steps * step..to).map(|(_, packets)| *packets);
        let (Some(lowest), Some(most), Some(last)) = (known().min(), known().max(), known().next_back())
        else {
            return (format!("[{heading}: nothing is known yet]"), None);
        };
        let [lowest, last, highest] = [lowest, last, most].map(grouped);
        (format!("[{heading}: from {lowest} to {highest}, at last {last}]"), Some(most))
    }

    /// The first line that is another than it should be.
    pub fn difference(&self, expected: &[String]) -> Option<String> {
        let end = String::new();
        let longest = self.shown.len().max(expected.len());
        let line = |of: &'_ [String], at: usize| of.get(at).unwrap_or(&end).clone();
        let mut both = (0..longest).map(|at| (line(&self.shown, at), line(expected, at)));
        both.find(|(shown, expected)| shown != expected)
            .map(|(shown, expected)| format!("{shown:?}, not {expected:?}, in {:#?}", self.shown))
    }
}

fn minute(time: Timestamp) -> i64 {
    time.as_second() / 60
}

pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

pub fn time(value: &Value) -> Result<Timestamp> {
    text(value).parse().with_context(|| format!("{value} is no time"))
}

pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// With a comma before each three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut written = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

/// A number of packets, as one says it.
pub fn packets_of(number: u64) -> String {
    format!("{} {}", grouped(number), noun(number, "packet", "packets"))
}

/// As people read it, rounded down.
pub fn share(part: u64, whole: u64) -> String {
    if part == whole {
        return "100 %".to_owned();
    }
    let tenths = part * 1_000 / whole;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// The first of a list, by a comma: they are texts, or objects with one under a key.
pub fn first(of: &Value, key: &str, most: usize) -> String {
    let names = list(of).take(most).map(|it| it.as_str().map_or_else(|| text(&it[key]), str::to_owned));
    names.collect::<Vec<_>>().join(", ")
}

/// Cells of a row as they are read: an empty one is not.
pub fn row(cells: &[String]) -> String {
    cells.iter().filter(|cell| !cell.is_empty()).cloned().collect::<Vec<_>>().join(" | ")
}
