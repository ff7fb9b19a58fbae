//! The report as it is, for other programs.

use anyhow::{Context, Result};

use crate::report::model::Report;

/// The model, indented, with a newline at the end.
pub fn model(report: &Report) -> Result<Vec<u8>> {
    let mut json = serde_json::to_vec_pretty(report).context("cannot write the report as JSON")?;
    json.push(b'\n');
    Ok(json)
}
