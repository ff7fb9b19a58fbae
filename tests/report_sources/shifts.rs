//! Where sources rose and fell: the country that the simulation shuts down did, and nothing else.

use anyhow::{Context as _, Result};
use jiff::civil::Date;
use sensor_fleet::simulation::known::SHUT_DOWN;
use sensor_fleet::simulation::truth::{Kind, KnownKind, Sensor, Truth};
use serde_json::{Value, json};

use crate::expected::{days, float, series, share};
use crate::sections::near;

/// Days of a baseline, and how many of them a sensor must have told.
const BASELINE: usize = 28;
const LEAST: usize = 7;
/// So many sensors at least are enough to find it for certain.
const ENOUGH: usize = 3;

/// The planted shutdown is there, once, as the truth has it, and no other shift; gives whether it is there. That of
/// one or two sensors, with some thirty sources a day, may be too little.
pub fn shifts_are(rows: &Value, truth: &Truth) -> Result<bool> {
    let rows = rows.as_array().context("no shifts")?;
    let event = truth.events.iter().find(|it| it.kind == Kind::Shutdown).context("no shutdown")?;
    let silent = days(truth, event.first, event.end);
    let judged = |day: usize| truth.sensors.iter().filter(move |sensor| is_judged(sensor, day));
    let able = silent.clone().map(|day| judged(day).count()).max().unwrap_or(0);
    assert!(able > 0, "nobody could tell of it");
    assert!(rows.len() == 1 || able < ENOUGH && rows.is_empty(), "{able} sensors judged: {rows:?}");
    let Some(row) = rows.first() else { return Ok(false) };

    assert_eq!((row["kind"].as_str(), row["country"].as_str()), (Some("fall"), Some(SHUT_DOWN)));
    assert_eq!(row["continues"], false, "{row}");
    let day = |name: &str| anyhow::Ok(row[name].as_str().context("no day")?.parse::<Date>()?);
    let lasted = days(truth, day("from")?, day("to")?.tomorrow()?);
    let apart = lasted.start.abs_diff(silent.start).max(lasted.end.abs_diff(silent.end));
    assert!(apart <= 1, "{row}, not {} to before {}", event.first, event.end);

    let most = lasted.clone().map(|day| judged(day).count()).max().unwrap_or(0);
    assert_eq!(row["judged"].as_u64(), Some(most as u64), "{row}");
    // Those that could be judged on none of its days are not concerned; all others saw it.
    let concerned = |sensor: &&Sensor| lasted.clone().any(|day| is_judged(sensor, day));
    let concerned: Vec<&Sensor> = truth.sensors.iter().filter(concerned).collect();
    let names: Vec<&str> = concerned.iter().map(|sensor| sensor.name.as_str()).collect();
    assert_eq!(row["sensors"], json!(names));
    // An only sensor cannot tell a local event from a worldwide one.
    assert_eq!(row["verdict"], if most < 2 { "mixed" } else { "global" }, "{row}");

    let sum = |from: usize, end: usize| concerned.iter().map(|it| mean(it, from, end)).sum::<f64>();
    assert!(near(&row["now"], sum(lasted.start, lasted.end)), "{row}");
    assert!(near(&row["before"], sum(lasted.start - BASELINE, lasted.start)), "{row}");
    Ok(true)
}

/// Whether a sensor was there on a day, and looked at the sources of nearly all its packets.
fn tells(sensor: &Sensor, day: usize) -> bool {
    let of = |what| series(sensor, what, "").and_then(|it| it.days[day]);
    let looked_at = of(KnownKind::Observed).zip(of(KnownKind::Missed));
    sensor.observed[day] >= 0.9
        && looked_at.is_some_and(|(observed, missed)| share(observed, observed + missed) >= 0.9)
}

/// Whether a day of a sensor is judged: enough of those before it tell what is usual.
fn is_judged(sensor: &Sensor, day: usize) -> bool {
    let before = day.saturating_sub(BASELINE)..day;
    tells(sensor, day) && before.filter(|day| tells(sensor, *day)).count() >= LEAST
}

/// The country's sources a day, over the days on which a sensor tells of them.
fn mean(sensor: &Sensor, from: usize, end: usize) -> f64 {
    let told: Vec<usize> = (from..end).filter(|day| tells(sensor, *day)).collect();
    let of = series(sensor, KnownKind::CountrySources, SHUT_DOWN);
    let sum: u64 = told.iter().filter_map(|day| of?.days[*day]).sum();
    float(sum) / float(told.len().max(1) as u64)
}
