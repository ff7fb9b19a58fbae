//! A table of ranks: a row for each sensor, with the services that it sees most, the first first.

use anyhow::{Context as _, Result, ensure};

/// TSUBAME's Table 1 of October to December 2023: the top 10 of six sensors.
pub const TABLE_1: &str = include_str!("../data/table1-2023q4.csv");

/// How the table begins.
const HEADER: &str = "sensor,region,1,2,3,4,5,6,7,8,9,10";

/// Ranks of a sensor.
pub const RANKS: usize = 10;

/// A sensor's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub sensor: String,
    /// Its region.
    pub region: String,
    /// The services by rank, as `23/TCP` or `ICMP`.
    pub services: Vec<String>,
}

/// Reads a table.
///
/// # Errors
/// If it has other columns, or a row with a cell too many or too few.
pub fn read(text: &str) -> Result<Vec<Row>> {
    let mut lines = text.lines();
    let header = lines.next().context("an empty table")?;
    ensure!(header == HEADER, "other columns: {header:?}");
    lines.map(row).collect()
}

fn row(line: &str) -> Result<Row> {
    let cells: Vec<&str> = line.split(',').collect();
    let [sensor, region, services @ ..] = cells.as_slice() else {
        anyhow::bail!("no row: {line:?}");
    };
    ensure!(services.len() == RANKS, "{} ranks: {line:?}", services.len());
    let owned = |text: &&str| (*text).to_owned();
    Ok(Row { sensor: owned(sensor), region: owned(region), services: services.iter().map(owned).collect() })
}
