//! The agent's configuration file.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use tempfile::{NamedTempFile, TempDir};

/// A configuration file; an agent that keeps evidence has a store of its own beside it, unless the file names another.
#[derive(Debug)]
pub(super) struct ConfigFile {
    file: NamedTempFile,
    store: TempDir,
}

impl ConfigFile {
    pub(super) fn new(text: &str) -> Result<Self> {
        let file = tempfile::Builder::new()
            .prefix("sensor-")
            .suffix(".toml")
            .tempfile()
            .context("cannot make a configuration file")?;
        // An agent that runs as somebody else reads it too.
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        let store = tempfile::Builder::new().prefix("sensor-store-").tempdir()?;
        let config = Self { file, store };
        config.write(text)?;
        Ok(config)
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Writes something else.
    pub(super) fn write(&self, text: &str) -> Result<()> {
        let has = |table: &str| text.lines().any(|line| line.trim() == table);
        let store = if has("[evidence]") && !has("[store]") {
            format!("\n[store]\npath = \"{}\"\n", self.store.path().display())
        } else {
            String::new()
        };
        std::fs::write(self.path(), format!("{text}{store}")).context("cannot write the configuration file")
    }
}
