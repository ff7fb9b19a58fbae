//! What matters most, in a few sentences.

use super::number::{average, change, count, of, percent, thousands};
use crate::report::model::{Average, Report, TOP_OF_A_SENSOR};
use crate::vocabulary::names::label;
use crate::vocabulary::verdict::SurgeVerdict;

/// Sentences, the most important first.
pub fn sentences(report: &Report) -> Vec<String> {
    let mut sentences = vec![total(report)];
    sentences.extend(first(report));
    sentences.extend(newcomers(report));
    sentences.extend(home(report));
    sentences.extend(surges(report));
    sentences.extend(risen(report));
    sentences
}

fn total(report: &Report) -> String {
    let totals = report.totals;
    let sensors = of(report.observing(), "sensor", "sensors");
    let packets = count(totals.packets, report.publication);
    if totals.sensor_days <= 0.0 {
        return format!("{sensors} counted {packets} packets.");
    }
    let now = per_day(totals.packets, totals.sensor_days);
    let against = if totals.previous_sensor_days > 0.0 {
        let before = per_day(totals.previous_packets, totals.previous_sensor_days);
        format!(" ({} against {})", change(now, before), report.previous.name)
    } else {
        String::new()
    };
    format!("{sensors} counted {packets} packets, {} per sensor and day{against}.", average(now))
}

#[expect(clippy::cast_precision_loss, reason = "counts are exact below 2^53, and an average is rounded")]
fn per_day(packets: u64, days: f64) -> f64 {
    packets as f64 / days
}

/// Whether nothing is known of the previous period: then nothing is new in this one.
pub fn unknown_before(report: &Report) -> bool {
    report.totals.previous_packets == 0
}

fn first(report: &Report) -> Option<String> {
    let top = report.top.first()?;
    let before = match top.previous_rank {
        Some(1) => ", first before too".to_owned(),
        Some(rank) => format!(", number {rank} before"),
        None if unknown_before(report) => String::new(),
        None => format!(", outside the top {TOP_OF_A_SENSOR} before"),
    };
    Some(format!("Most went to {}: {} of all{before}.", label(&top.service), percent(top.share)))
}

/// Services that came from far below.
fn newcomers(report: &Report) -> Option<String> {
    let new = report.top.iter().skip(1).filter(|row| row.previous_rank.is_none());
    let new: Vec<String> = new.map(|row| label(&row.service)).collect();
    if new.is_empty() || unknown_before(report) {
        return None;
    }
    let verb = if new.len() == 1 { "is" } else { "are" };
    Some(format!(
        "{} {verb} new in the top {}, from outside the top {TOP_OF_A_SENSOR}.",
        listed(&new),
        report.top.len()
    ))
}

/// `a`, `a and b`, `a, b and c`.
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn home(report: &Report) -> Option<String> {
    let home = report.home.as_deref()?;
    let sum = |of: fn(&crate::report::model::Month) -> Option<Average>| {
        let (packets, days) = report
            .monthly
            .iter()
            .filter_map(of)
            .fold((0, 0.0), |(packets, days), month| (packets + month.packets, days + month.sensor_days));
        (days > 0.0).then(|| per_day(packets, days))
    };
    let (at_home, overseas) = (sum(|month| month.home)?, sum(|month| month.overseas)?);
    Some(format!(
        "A sensor at home ({home}) got {} packets a day, one overseas {}.",
        average(at_home),
        average(overseas)
    ))
}

fn surges(report: &Report) -> Option<String> {
    let withheld = report.publication.is_some_and(|publication| publication.surges_withheld > 0);
    if report.method.tested == 0 || (report.surges.is_empty() && withheld) {
        return None;
    }
    let Some(widest) = report.surges.iter().max_by(|a, b| {
        // Of those that as many sensors saw, the first: the latest.
        a.sensors.len().cmp(&b.sensors.len()).then(std::cmp::Ordering::Greater)
    }) else {
        return Some("No surge was found.".to_owned());
    };
    let global = report.surges.iter().filter(|surge| surge.verdict == SurgeVerdict::Global).count();
    let one = report.surges.iter().filter(|surge| surge.verdict == SurgeVerdict::SensorOnly).count();
    let mut parts = Vec::new();
    if global > 0 {
        parts.push(format!("{} in every region", thousands(global as u64)));
    }
    if one > 0 {
        parts.push(format!("{} on one sensor only", thousands(one as u64)));
    }
    let parts = if parts.is_empty() { String::new() } else { format!(", {}", listed(&parts)) };
    let verb = if report.surges.len() == 1 { "was" } else { "were" };
    Some(format!(
        "{} {verb} found{parts}; the widest was of {}, on {} of {}.",
        of(report.surges.len(), "surge", "surges"),
        label(&widest.service),
        thousands(widest.sensors.len() as u64),
        of(widest.judged, "sensor", "sensors"),
    ))
}

fn risen(report: &Report) -> Option<String> {
    let rose = report.rose.first()?;
    Some(format!(
        "{} rose most, from {} to {} packets per sensor and day.",
        label(&rose.service),
        average(rose.before),
        average(rose.now)
    ))
}
