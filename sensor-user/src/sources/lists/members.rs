//! Whose addresses are a constituency's: its own prefixes, and those that files know of its countries and systems.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Error, Result};

use super::mmdb::{Countries, Systems};
use super::watched::{Stamp, content};
use crate::config::{Config, Constituency, Members};
use crate::obstacle::in_words;

/// Finds the members of constituencies, and knows when the files that tell them have changed.
#[derive(Debug, Default)]
pub struct Resolver {
    /// The files that were read last, as they were before; `None` of one that was not there.
    read: Vec<(PathBuf, Option<Stamp>)>,
    /// Whether one of them told nothing.
    failed: bool,
}

impl Resolver {
    /// The members of each constituency, in the order of the configuration.
    ///
    /// # Errors
    /// A file cannot be read, or is none that tells it: which one, why, and what to do.
    pub fn resolve(&mut self, config: &Config) -> Result<Vec<Members>> {
        let (countries, systems) = self.read(config);
        let members = countries.and_then(|countries| members(config, countries.as_ref(), systems?.as_ref()));
        self.failed = members.is_err();
        members
    }

    /// Likewise, as far as files tell them; what is wrong with the others is logged.
    pub fn resolve_known(&mut self, config: &Config) -> Vec<Members> {
        let (countries, systems) = self.read(config);
        self.failed = countries.is_err() || systems.is_err();
        let known = members(config, known(countries).as_ref(), known(systems).as_ref());
        known.unwrap_or_else(|error| {
            self.failed = true;
            warn(&error);
            let own = |it: &Constituency| Members { name: it.name.clone(), prefixes: it.prefixes.clone() };
            config.constituencies.iter().map(own).collect()
        })
    }

    /// The files that constituencies need.
    fn read(&mut self, config: &Config) -> (Result<Option<Countries>>, Result<Option<Systems>>) {
        self.read.clear();
        let needed = |path: Option<&Path>, needs: fn(&Constituency) -> bool| {
            path.filter(|_| config.constituencies.iter().any(needs)).map(Path::to_owned)
        };
        let countries = needed(config.sources.countries.as_deref(), |it| !it.countries.is_empty());
        let systems = needed(config.sources.autonomous_systems.as_deref(), |it| !it.systems.is_empty());
        (
            countries.map(|path| self.parsed(path, Countries::read)).transpose(),
            systems.map(|path| self.parsed(path, Systems::read)).transpose(),
        )
    }

    fn parsed<T>(&mut self, path: PathBuf, parse: fn(Vec<u8>) -> Result<T>) -> Result<T> {
        let stamp = Stamp::at(&path);
        let seen = stamp.as_ref().ok().copied();
        let parsed = stamp.and_then(|before| content(&path, before)).and_then(parse).with_context(|| {
            format!(
                "whose addresses are a constituency's cannot be told by {}: put a good file there",
                path.display()
            )
        });
        self.read.push((path, seen));
        parsed
    }

    /// Whether the files told who the members are when they were read last; `None` where none is needed.
    #[must_use]
    pub fn is_current(&self) -> Option<bool> {
        (!self.read.is_empty()).then_some(!self.failed)
    }

    /// Whether a file that was read is another by now.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.read.iter().any(|(path, stamp)| Stamp::at(path).ok() != *stamp)
    }
}

fn members(
    config: &Config,
    countries: Option<&Countries>,
    systems: Option<&Systems>,
) -> Result<Vec<Members>> {
    let members = |it: &Constituency| {
        let mut prefixes = it.prefixes.clone();
        if let Some(countries) = countries.filter(|_| !it.countries.is_empty()) {
            prefixes.extend(countries.prefixes(&it.countries)?);
        }
        if let Some(systems) = systems.filter(|_| !it.systems.is_empty()) {
            prefixes.extend(systems.prefixes(&it.systems)?);
        }
        Ok(Members { name: it.name.clone(), prefixes })
    };
    config.constituencies.iter().map(members).collect()
}

fn known<T>(file: Result<Option<T>>) -> Option<T> {
    file.unwrap_or_else(|error| {
        warn(&error);
        None
    })
}

fn warn(error: &Error) {
    tracing::warn!(
        "{}; until then constituencies are known by what else names their addresses",
        in_words(error)
    );
}
