//! `sensor-fleet report`.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::built;
use crate::namespace::Namespace;
use crate::prometheus::Prometheus;

/// A report, in a folder that goes with it.
#[derive(Debug)]
pub struct WrittenReport {
    folder: TempDir,
    /// `report.json`.
    pub json: Value,
}

impl WrittenReport {
    /// Has it written from a Prometheus in a namespace, with further blank-separated arguments.
    ///
    /// # Errors
    /// If it fails; the error has what it said.
    pub fn write(namespace: &Namespace, prometheus: &Prometheus, arguments: &str) -> Result<Self> {
        Self::write_from(namespace, &prometheus.url(), arguments)
    }

    /// As [`WrittenReport::write`], from what is at an address.
    ///
    /// # Errors
    /// As [`WrittenReport::write`].
    pub fn write_from(namespace: &Namespace, url: &str, arguments: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(built::sensor_fleet()?);
        command.args(["report", "--prometheus", url]).args(arguments.split_whitespace());
        command.arg("--output").arg(folder.path());
        let output = namespace.run(|| command.output())?.context("cannot run sensor-fleet")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut report = Self { folder, json: Value::Null };
        report.json = serde_json::from_str(&report.file("report.json")?)?;
        Ok(report)
    }

    /// What it has written to a file.
    ///
    /// # Errors
    /// If it has written no such file.
    pub fn file(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.folder.path().join(name)).with_context(|| format!("no {name}"))
    }

    /// All packets.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.json["totals"]["packets"].as_u64()
    }

    /// Rows of one of its lists.
    #[must_use]
    pub fn rows(&self, name: &str) -> &[Value] {
        self.json[name].as_array().map_or(&[], Vec::as_slice)
    }

    /// Packets by sensor, in its order.
    ///
    /// # Errors
    /// If a sensor has no name or no packets.
    pub fn packets(&self) -> Result<Vec<(String, u64)>> {
        let packets = self.rows("sensors").iter().map(|sensor| {
            let name = sensor["name"].as_str().context("a sensor without a name")?;
            Ok((name.to_owned(), sensor["packets"].as_u64().context("a sensor without packets")?))
        });
        packets.collect()
    }
}
