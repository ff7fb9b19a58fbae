//! Whose addresses are a constituency's: its own prefixes, and those that files know of its countries and systems.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::mmdb::{Countries, Systems};
use super::watched::{Stamp, content};
use crate::config::{Config, Constituency, Members};

/// Finds the members of constituencies, and knows when the files that tell them have changed.
#[derive(Debug, Default)]
pub struct Resolver {
    /// The files that were read last, as they were before; `None` of one that was not there.
    read: Vec<(PathBuf, Option<Stamp>)>,
}

impl Resolver {
    /// The members of each constituency, in the order of the configuration.
    ///
    /// # Errors
    /// A file cannot be read, or is none that tells it: which one, why, and what to do.
    pub fn resolve(&mut self, config: &Config) -> Result<Vec<Members>> {
        self.read.clear();
        let countries = self.file(config, config.sources.countries.as_deref(), |it| !it.countries.is_empty());
        let systems =
            self.file(config, config.sources.autonomous_systems.as_deref(), |it| !it.systems.is_empty());
        let countries = countries.map(|file| parsed(file, Countries::read)).transpose()?;
        let systems = systems.map(|file| parsed(file, Systems::read)).transpose()?;
        let members = |constituency: &Constituency| {
            let mut prefixes = constituency.prefixes.clone();
            if let Some(countries) = countries.as_ref().filter(|_| !constituency.countries.is_empty()) {
                prefixes.extend(countries.prefixes(&constituency.countries)?);
            }
            if let Some(systems) = systems.as_ref().filter(|_| !constituency.systems.is_empty()) {
                prefixes.extend(systems.prefixes(&constituency.systems)?);
            }
            Ok(Members { name: constituency.name.clone(), prefixes })
        };
        config.constituencies.iter().map(members).collect()
    }

    /// The members that need no file.
    #[must_use]
    pub fn without_files(config: &Config) -> Vec<Members> {
        let own = |it: &Constituency| Members { name: it.name.clone(), prefixes: it.prefixes.clone() };
        config.constituencies.iter().map(own).collect()
    }

    /// Whether a file that was read is another by now.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.read.iter().any(|(path, stamp)| Self::stamp(path) != *stamp)
    }

    /// The file, if a constituency needs it.
    fn file<'a>(
        &mut self,
        config: &Config,
        path: Option<&'a Path>,
        needs: impl Fn(&Constituency) -> bool,
    ) -> Option<(&'a Path, Option<Stamp>)> {
        let path = path.filter(|_| config.constituencies.iter().any(needs))?;
        let stamp = Self::stamp(path);
        self.read.push((path.to_owned(), stamp));
        Some((path, stamp))
    }

    fn stamp(path: &Path) -> Option<Stamp> {
        std::fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata))
    }
}

fn parsed<T>((path, stamp): (&Path, Option<Stamp>), parse: fn(Vec<u8>) -> Result<T>) -> Result<T> {
    let bytes = stamp.context("it cannot be found").and_then(|stamp| content(path, stamp));
    bytes.and_then(parse).with_context(|| {
        format!(
            "whose addresses are a constituency's cannot be told by {}: put a good file there",
            path.display()
        )
    })
}
