//! OpenMetrics text, written family by family at once.
//!
//! A family's samples must stand together, but a sensor has samples of several families. So each family goes to a
//! file of its own, and the files are joined at the end.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Written;

/// A family of metrics being written.
#[derive(Debug)]
pub struct Family {
    path: PathBuf,
    out: BufWriter<File>,
    line: Vec<u8>,
    begun: bool,
    series: u64,
    samples: u64,
}

impl Family {
    /// Begins one of this name and type, such as `gauge`. A counter's name here has no `_total`.
    ///
    /// # Errors
    /// If its file cannot be made.
    pub fn new(folder: &Path, name: &str, kind: &str) -> Result<Self> {
        let path = folder.join(format!("{}.part", name.replace(':', "-")));
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let out = BufWriter::with_capacity(1 << 18, file);
        let mut family = Self { path, out, line: Vec::new(), begun: false, series: 0, samples: 0 };
        family.write(format!("# TYPE {name} {kind}\n").as_bytes())?;
        Ok(family)
    }

    /// Begins a series: its name and labels as samples have them. Samples follow, in the order of time.
    pub fn series(&mut self, series: &str) {
        self.line.clear();
        self.line.extend_from_slice(series.as_bytes());
        self.line.push(b' ');
        self.begun = false;
    }

    /// A sample of the series begun last; the time is in Unix seconds.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn sample(&mut self, value: impl std::fmt::Display, time: &str) -> Result<()> {
        let length = self.line.len();
        // Writing to memory cannot fail.
        drop(writeln!(self.line, "{value} {time}"));
        let written = self.out.write_all(&self.line);
        self.line.truncate(length);
        self.samples += 1;
        // One without samples is none.
        self.series += u64::from(!self.begun);
        self.begun = true;
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        // Gone already once it is part of a history.
        drop(std::fs::remove_file(&self.path));
    }
}

/// All families, in order.
#[derive(Debug)]
pub struct History(pub Vec<Family>);

impl History {
    /// Joins them into this file, which appears only when it is complete.
    ///
    /// # Errors
    /// If something cannot be written.
    pub fn finish(self, path: &Path) -> Result<Written> {
        let (series, samples) = self.0.iter().fold((0, 0), |sum, it| (sum.0 + it.series, sum.1 + it.samples));
        let partial = path.with_extension("om.part");
        let done = self.join(&partial).and_then(|bytes| {
            std::fs::rename(&partial, path)?;
            Ok(Written { series, samples, bytes })
        });
        if done.is_err() {
            drop(std::fs::remove_file(&partial));
        }
        done.with_context(|| format!("cannot write {}", path.display()))
    }

    fn join(self, path: &Path) -> Result<u64> {
        let mut whole = File::create(path)?;
        for mut family in self.0 {
            family.out.flush()?;
            std::io::copy(&mut File::open(&family.path)?, &mut whole)?;
        }
        whole.write_all(b"# EOF\n")?;
        Ok(whole.metadata()?.len())
    }
}
