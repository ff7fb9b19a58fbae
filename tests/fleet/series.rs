//! Packets by the series of `sensor_packets_total`: what was sent, and what a Prometheus has of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use sensor_harness::counts::Counts;
use sensor_harness::metrics::whole;
use sensor_harness::prometheus::Prometheus;
use serde_json::Value;

/// Packets by protocol and port, as the labels have them; what is 0 has no entry.
pub type Series = BTreeMap<(String, String), u64>;

/// What the series of a sensor must come to, if the `listed` ports, as `23/tcp`, have series of their own.
pub fn sent(truth: &Counts, listed: &BTreeSet<String>) -> Series {
    let mut series = Series::new();
    for (slot, counter) in truth.sensors.iter().flatten() {
        let (protocol, rest) = slot.split_once('/').unwrap_or((slot, ""));
        let port = match (protocol, rest) {
            (_, "fragment") => "fragment",
            ("tcp" | "udp", port) if listed.contains(&format!("{port}/{protocol}")) => port,
            ("tcp" | "udp", _) => "other",
            _ => "",
        };
        *series.entry((protocol.to_owned(), port.to_owned())).or_default() += counter.packets;
    }
    series
}

/// The series of a sensor of which Prometheus has a 0 by now.
///
/// # Errors
/// If Prometheus doesn't answer.
pub fn born(prometheus: &Prometheus, sensor: &str) -> Result<BTreeSet<(String, String)>> {
    let rows = prometheus.query(&format!("sensor_packets_total{{sensor={sensor:?}}} == 0"), None)?;
    rows.iter().map(labels).collect()
}

/// Packets of a sensor at the last scrape, all together.
///
/// # Errors
/// If Prometheus doesn't answer, or has never seen the sensor.
pub fn total(prometheus: &Prometheus, sensor: &str) -> Result<u64> {
    let rows = prometheus.query(&format!("sum(sensor_packets_total{{sensor={sensor:?}}})"), None)?;
    sample(&rows.first().with_context(|| format!("{sensor} was never scraped"))?["value"])
}

/// What a sensor's series have come to from their first samples, which are 0, to their last.
///
/// # Errors
/// If Prometheus doesn't answer, or a series doesn't begin at 0 or ever goes back.
pub fn scraped(prometheus: &Prometheus, sensor: &str) -> Result<Series> {
    let rows = prometheus.query(&format!("sensor_packets_total{{sensor={sensor:?}}}[1h]"), None)?;
    let mut series = Series::new();
    for row in &rows {
        let values = row["values"].as_array().with_context(|| format!("no samples: {row}"))?;
        let values: Vec<u64> = values.iter().map(sample).collect::<Result<_>>()?;
        ensure!(values.first() == Some(&0) && values.is_sorted(), "{}: {values:?}", row["metric"]);
        let last = values.last().copied().unwrap_or_default();
        if last > 0 {
            ensure!(series.insert(labels(row)?, last).is_none(), "twice: {}", row["metric"]);
        }
    }
    Ok(series)
}

fn labels(row: &Value) -> Result<(String, String)> {
    let label = |name: &str| row["metric"][name].as_str().unwrap_or_default().to_owned();
    let protocol = label("protocol");
    ensure!(!protocol.is_empty(), "no protocol: {row}");
    Ok((protocol, label("port")))
}

/// The value of a pair of a time and a text.
fn sample(pair: &Value) -> Result<u64> {
    let value = pair[1].as_str().and_then(|text| text.parse().ok());
    value.and_then(whole).with_context(|| format!("no count: {pair}"))
}
