//! `sensor-fleet dashboards`: writes the fleet's Grafana dashboards, `fleet/dashboards/*.json`.
//!
//! They are made here, so that what they share (windows, names of services, links, colours) is said once. They are
//! also in the repository, as that is where people take them from; a test says if the two differ.

mod agents;
mod board;
mod details;
mod overview;
mod panel;
mod port;
mod query;
mod sensor;
mod service;
mod sources;
mod surge;

use std::path::PathBuf;

use anyhow::Result;
use serde_json::Value;

use crate::output;
use crate::place::{File, Place};

/// Arguments of `sensor-fleet dashboards`.
#[derive(clap::Args, Clone, Debug)]
pub struct DashboardsArgs {
    /// Directory to write to; it is made if it is not there.
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
}

/// Writes them all, or none, and says where.
///
/// # Errors
/// If a file cannot be written: which, and what to do about it.
pub fn run(arguments: &DashboardsArgs) -> Result<()> {
    for path in Place::try_out(&arguments.output, "dashboards")?.write(&files()?)? {
        output::say(&path.display().to_string());
    }
    Ok(())
}

/// All files.
fn files() -> Result<Vec<File>> {
    let boards: [(&str, Value); 5] = [
        ("fleet-overview.json", overview::board()),
        ("port.json", port::board()),
        ("sensor.json", sensor::board()),
        ("sources.json", sources::board()),
        ("agents.json", agents::board()),
    ];
    let file = |(name, board)| Ok((name, (serde_json::to_string_pretty(&board)? + "\n").into_bytes()));
    boards.into_iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_repository_has_what_is_written() -> Result<()> {
        for (name, bytes) in files()? {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fleet/dashboards").join(name);
            let found = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            assert!(found == bytes, "{name} is not what is written: run `cargo xtask dashboards`");
        }
        Ok(())
    }

    #[test]
    fn all_are_written_or_none() -> Result<()> {
        let around = tempfile::tempdir()?;
        let output = around.path().join("dashboards");
        // The last one's name is taken by a folder.
        fs::create_dir_all(output.join("agents.json"))?;
        let error = run(&DashboardsArgs { output: output.clone() }).expect_err("a folder is in its way");
        assert!(format!("{error:#}").contains("agents.json"), "{error:#}");
        assert_eq!(fs::read_dir(&output)?.count(), 1, "some were written");
        fs::remove_dir(output.join("agents.json"))?;
        run(&DashboardsArgs { output: output.clone() })?;
        assert_eq!(fs::read_dir(&output)?.count(), files()?.len());
        assert_eq!(fs::read_dir(around.path())?.count(), 1, "something stays beside it");
        Ok(())
    }
}
