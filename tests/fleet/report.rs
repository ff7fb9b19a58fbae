//! What `sensor report` writes about a fleet's last two days, the one in progress included.

use anyhow::{Context as _, Result, ensure};
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use sensor_tests::agent::binary;
use sensor_tests::fleet::Fleet;
use serde_json::Value;
use std::fs;
use std::process::Command;

/// What is compared of a report.
#[derive(Debug)]
pub struct Report {
    /// `sensors.csv`.
    pub sensors: String,
    /// Packets by sensor, in the order of the table.
    pub packets: Vec<(String, u64)>,
    /// Packets of all.
    pub total: u64,
}

/// Has it written, in a network where only Prometheus is.
///
/// # Errors
/// If it fails; the error has what it said.
pub fn write(fleet: &Fleet, home: &str) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
    let mut command = Command::new(binary()?);
    command
        .args(["report", "--prometheus", &fleet.prometheus.url(), "--home", home])
        .args(["--from", &(today - 1.day()).to_string(), "--to", &today.to_string()])
        .arg("--output")
        .arg(folder.path());
    let output = fleet.management.run(|| command.output())?.context("cannot run the agent's program")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).with_context(|| name.to_owned());
    let json: Value = serde_json::from_str(&read("report.json")?)?;
    let sensors = json["sensors"].as_array().context("no sensors")?;
    let packets = sensors.iter().map(|sensor| {
        let name = sensor["name"].as_str().context("a sensor without a name")?;
        Ok((name.to_owned(), sensor["packets"].as_u64().context("a sensor without packets")?))
    });
    Ok(Report {
        sensors: read("sensors.csv")?,
        packets: packets.collect::<Result<_>>()?,
        total: json["totals"]["packets"].as_u64().context("no total")?,
    })
}
