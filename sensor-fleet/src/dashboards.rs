//! `sensor-fleet dashboards`: writes the fleet's Grafana dashboards, `fleet/dashboards/*.json`.
//!
//! They are made here, so that what they share (windows, names of services, links, colours) is said once. They are
//! also in the repository, as that is where people take them from; a test says if the two differ.

mod agents;
mod board;
mod overview;
mod panel;
mod port;
mod query;
mod sensor;
mod service;
mod surge;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::output;

/// Arguments of `sensor-fleet dashboards`.
#[derive(clap::Args, Clone, Debug)]
pub struct DashboardsArgs {
    /// Directory to write to; it is made if it is not there.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
}

/// Writes them all and says where.
///
/// # Errors
/// If a file cannot be written.
pub fn run(arguments: &DashboardsArgs) -> Result<()> {
    let folder = &arguments.output;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, text) in files()? {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        output::say(&file.display().to_string());
    }
    Ok(())
}

/// Each file's name and text.
fn files() -> Result<Vec<(&'static str, String)>> {
    let boards: [(&str, Value); 4] = [
        ("fleet-overview.json", overview::board()),
        ("port.json", port::board()),
        ("sensor.json", sensor::board()),
        ("agents.json", agents::board()),
    ];
    boards.into_iter().map(|(name, board)| Ok((name, serde_json::to_string_pretty(&board)? + "\n"))).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_repository_has_what_is_written() -> Result<()> {
        for (name, text) in files()? {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fleet/dashboards").join(name);
            let found =
                fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            assert!(found == text, "{name} is not what is written: run `cargo xtask dashboards`");
        }
        Ok(())
    }
}
