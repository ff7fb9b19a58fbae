//! `cargo xtask dashboards`: writes the fleet's Grafana dashboards, `fleet/dashboards/*.json`.
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

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::shell;

/// Writes them all and says where.
///
/// # Errors
/// If the names of services cannot be read or a file cannot be written.
pub fn run() -> Result<()> {
    let folder = Path::new("fleet/dashboards");
    for (name, text) in files(shell::workspace())? {
        let file = folder.join(name);
        std::fs::write(shell::workspace().join(&file), text)
            .with_context(|| format!("cannot write {}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}

/// Each file's name and text.
fn files(workspace: &Path) -> Result<Vec<(&'static str, String)>> {
    let names = service::Names::read(&workspace.join("fleet/services.csv"))?;
    let boards: [(&str, Value); 4] = [
        ("fleet-overview.json", overview::board(&names)),
        ("port.json", port::board()),
        ("sensor.json", sensor::board(&names)),
        ("agents.json", agents::board()),
    ];
    boards.into_iter().map(|(name, board)| Ok((name, serde_json::to_string_pretty(&board)? + "\n"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_has_what_is_written() -> Result<()> {
        for (name, text) in files(shell::workspace())? {
            let file = shell::workspace().join("fleet/dashboards").join(name);
            let found =
                std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            assert!(found == text, "{name} is not what is written: run `cargo xtask dashboards`");
        }
        Ok(())
    }
}
