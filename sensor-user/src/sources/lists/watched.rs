//! A file that is read again when it changes, and what is in use of it.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};

use super::ListStatus;
use crate::obstacle::in_words;

/// No list is larger.
const MAX_SIZE: u64 = 1 << 30;

/// A file, and what was last good in it.
pub(super) struct Watched<T> {
    list: &'static str,
    path: PathBuf,
    used: Option<Arc<T>>,
    /// What it was when it was looked at last; `None` if it could not be looked at.
    seen: Option<Stamp>,
    trouble: Option<String>,
    looked: bool,
}

/// What tells a file that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// That of the file at a path.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub(super) fn at(path: &Path) -> Result<Self> {
        Ok(Self::of(&std::fs::metadata(path)?))
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What is in a file that was so before it is read, and is so after.
///
/// # Errors
/// It cannot be read, is no file or larger than 1 GiB, or is being written.
pub(super) fn content(path: &Path, before: Stamp) -> Result<Vec<u8>> {
    // Opening a pipe would wait for somebody who writes to it.
    let mut file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        bail!("it is no file");
    }
    if metadata.len() > MAX_SIZE {
        bail!("it is larger than 1 GiB");
    }
    let mut bytes = Vec::new();
    file.by_ref().take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
    let after = Stamp::at(path).context("it has gone")?;
    if after != before {
        bail!("it is being written");
    }
    Ok(bytes)
}

impl<T> Watched<T> {
    /// Watches the file that is named from now on: one that was watched before goes on, and of another what was in use stays
    /// so until the new one has proved good.
    pub(super) fn settle(place: &mut Option<Self>, path: Option<&Path>, list: &'static str) {
        let is_watched = |file: &Self| Some(file.path.as_path()) == path;
        if !place.as_ref().is_some_and(is_watched) {
            let used = place.take().and_then(|before| before.used);
            *place = path.map(|path| Self { used, ..Self::of(path, list) });
        }
    }

    fn of(path: &Path, list: &'static str) -> Self {
        Self { list, path: path.to_owned(), used: None, seen: None, trouble: None, looked: false }
    }

    /// Reads a file once, to see whether it is good.
    ///
    /// # Errors
    /// It is not: the key, the path, and why.
    pub(super) fn prove(
        path: &Path,
        list: &'static str,
        read: impl FnOnce(Vec<u8>) -> Result<T>,
    ) -> Result<()> {
        let read = Stamp::at(path).and_then(|before| content(path, before)).and_then(read);
        read.map(drop).with_context(|| format!("{list}: {}", path.display()))
    }

    /// Reads it if it has changed, and says whether anything is different by now. What is bad is logged once.
    pub(super) fn look(&mut self, read: impl FnOnce(Vec<u8>) -> Result<T>) -> bool {
        let stamp = Stamp::at(&self.path);
        if self.looked && self.seen == stamp.as_ref().ok().copied() {
            return false;
        }
        self.looked = true;
        self.seen = None;
        let (path, list) = (self.path.display().to_string(), self.list);
        match stamp.and_then(|stamp| self.read(stamp, read)) {
            Ok((stamp, good)) => {
                self.seen = Some(stamp);
                if self.used.is_some() || self.trouble.is_some() {
                    tracing::info!("{list}: {path} is read anew");
                }
                self.used = Some(Arc::new(good));
                self.trouble = None;
            }
            Err(error) => {
                let stays =
                    if self.used.is_some() { "the old one stays in use" } else { "it is done without" };
                let trouble = format!("{list}: {path}: {}; {stays}", in_words(&error));
                if self.trouble.as_ref() != Some(&trouble) {
                    tracing::warn!("{trouble}");
                }
                self.trouble = Some(trouble);
            }
        }
        true
    }

    fn read(&mut self, before: Stamp, read: impl FnOnce(Vec<u8>) -> Result<T>) -> Result<(Stamp, T)> {
        let bytes = content(&self.path, before)?;
        // Even if it is bad: it is not read again before it changes.
        self.seen = Some(before);
        let good = read(bytes)?;
        Ok((before, good))
    }

    /// What is in use.
    pub(super) fn used(&self) -> Option<Arc<T>> {
        self.used.clone()
    }

    pub(super) fn status(&self) -> ListStatus {
        ListStatus {
            list: self.list,
            current: self.used.is_some() && self.trouble.is_none(),
            trouble: self.trouble.clone(),
        }
    }
}

/// The text of a file.
pub(super) fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow!(io::Error::other(format!("it is not UTF-8 from byte {at} on: save it in that encoding")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_that_is_bad_leaves_the_old_list_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let [good, bad] = ["good", "bad"].map(|name| folder.path().join(name));
        std::fs::write(&good, "7").unwrap();
        std::fs::write(&bad, "none").unwrap();
        let read = |bytes| Ok(text(bytes)?.parse::<u32>()?);
        let mut place = None;
        let mut look = |path: Option<&Path>| {
            Watched::settle(&mut place, path, "numbers");
            let watched = place.as_mut()?;
            watched.look(read);
            Some((watched.used().as_deref().copied(), watched.status().current))
        };
        assert_eq!(look(Some(&good)), Some((Some(7), true)));
        assert_eq!(look(Some(&bad)), Some((Some(7), false)));
        assert_eq!(look(Some(&folder.path().join("absent"))), Some((Some(7), false)));
        std::fs::write(&bad, "8").unwrap();
        assert_eq!(look(Some(&bad)), Some((Some(8), true)));
        // Without a file there is no list.
        assert_eq!(look(None), None);
        assert_eq!(look(Some(&folder.path().join("absent"))), Some((None, false)));
    }
}
