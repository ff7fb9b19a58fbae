//! The agent's configuration file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

/// A configuration file, in a folder of its own since an agent may be confined to that; one that keeps evidence has a store of
/// its own, unless the file names another.
#[derive(Debug)]
pub(super) struct ConfigFile {
    folder: TempDir,
    store: TempDir,
}

impl ConfigFile {
    pub(super) fn new(text: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sensor-config-").tempdir()?;
        let store = tempfile::Builder::new().prefix("sensor-store-").tempdir()?;
        let config = Self { folder, store };
        config.write(text)?;
        // An agent that runs as somebody else reads it too.
        fs::set_permissions(config.folder.path(), Permissions::from_mode(0o755))?;
        fs::set_permissions(config.path(), Permissions::from_mode(0o644))?;
        Ok(config)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("sensor.toml")
    }

    /// Writes something else.
    pub(super) fn write(&self, text: &str) -> Result<()> {
        let has = |table: &str| text.lines().any(|line| line.trim() == table);
        let store = if has("[evidence]") && !has("[store]") {
            format!("\n[store]\npath = \"{}\"\n", self.store.path().display())
        } else {
            String::new()
        };
        fs::write(self.path(), format!("{text}{store}")).context("cannot write the configuration file")
    }
}
