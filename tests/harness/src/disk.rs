//! A small disk, which can be full.

use std::path::Path;

use anyhow::Result;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

/// A file system in memory, unmounted when dropped. Takes root.
#[derive(Debug)]
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// One of this size, as in `64m`.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn new(size: &str) -> Result<Self> {
        let disk = Self(tempfile::tempdir()?);
        mount(Some("disk"), disk.path(), Some("tmpfs"), MsFlags::empty(), Some(&*format!("size={size}")))?;
        Ok(disk)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Makes it as large as this.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn grow(&self, size: &str) -> Result<()> {
        let options = format!("size={size}");
        mount(Some("disk"), self.path(), Some("tmpfs"), MsFlags::MS_REMOUNT, Some(&*options))?;
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone_with_the_machine = umount2(self.path(), MntFlags::MNT_DETACH);
    }
}
