//! What came of quarters, kept in a file: a calibration of hours may be stopped and taken up again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::outcome::Found;

/// A quarter of a calibration, as a line of JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    seed: [u64; 3],
    found: Found,
}

/// The file, if there is one.
pub(super) struct Kept(Option<(PathBuf, Mutex<File>)>);

impl Kept {
    /// Opens the file, and gives what is in it. `of` says what all its quarters have in common; a new file begins with it.
    pub(super) fn open(path: Option<&Path>, of: &str) -> Result<(Self, BTreeMap<[u64; 3], Found>)> {
        let Some(path) = path else { return Ok((Self(None), BTreeMap::new())) };
        let named = || path.display().to_string();
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).open(path).with_context(named)?;
        let mut lines = BufReader::new(&file).lines();
        let mut kept = BTreeMap::new();
        match lines.next().transpose().with_context(named)? {
            Some(first) => {
                ensure!(first == of, "{}: holds quarters of {first}, not of {of}: name another", named());
            }
            None => writeln!(file, "{of}").with_context(named)?,
        }
        for line in BufReader::new(File::open(path).with_context(named)?).lines().skip(1) {
            // The last line of a calibration that was stopped may be cut short.
            if let Ok(Line { seed, found }) = serde_json::from_str(&line.with_context(named)?) {
                kept.insert(seed, found);
            }
        }
        Ok((Self(Some((path.to_owned(), Mutex::new(file)))), kept))
    }

    /// Keeps what came of a quarter.
    pub(super) fn keep(&self, seed: [u64; 3], found: &Found) -> Result<()> {
        let Some((path, file)) = &self.0 else { return Ok(()) };
        let line = serde_json::to_string(&Line { seed, found: found.clone() })?;
        let Ok(mut file) = file.lock() else { return Ok(()) };
        file.write_all(format!("{line}\n").as_bytes()).with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        let found =
            Found { events: 3, wrong: 1, of_one: 2, says: vec!["22/TCP".to_owned()], planted: vec![None] };
        let (kept, before) = Kept::open(Some(&path), "seed 1").unwrap();
        assert!(before.is_empty());
        kept.keep([1, 2, 3], &found).unwrap();
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "{\"seed\":[1,").unwrap();
        let (_, after) = Kept::open(Some(&path), "seed 1").unwrap();
        assert_eq!(after.len(), 1);
        assert_eq!(after[&[1, 2, 3]].says, found.says);
        let error = Kept::open(Some(&path), "seed 2").err().unwrap().to_string();
        assert!(error.ends_with("holds quarters of seed 1, not of seed 2: name another"), "{error}");
    }
}
