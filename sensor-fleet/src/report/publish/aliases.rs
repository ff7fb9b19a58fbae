//! What sensors are called outside.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::report::model::Report;

/// What a sensor is called outside, by its name.
pub type Aliases = BTreeMap<String, String>;

/// Reads a file of aliases: TOML with a line `"name" = "alias"` for each sensor.
///
/// # Errors
/// If it cannot be read or isn't such a file: where, and what to write.
pub fn read_aliases(path: &Path) -> Result<Aliases> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("cannot read the aliases in {}: see that the file is there", path.display())
    })?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        anyhow::anyhow!(
            "{}:{line}: {}: write a line such as \"japan-1\" = \"japan-A\" for each sensor",
            path.display(),
            error.message()
        )
    })
}

/// The names of all sensors that the report tells of.
fn names(report: &Report) -> BTreeSet<&str> {
    let surges = report.surges.iter().chain(&report.surges_of_one).flat_map(|surge| &surge.sensors);
    report
        .sensors
        .iter()
        .map(|sensor| sensor.name.as_str())
        .chain(surges.map(|on| on.sensor.as_str()))
        .collect()
}

/// Aliases from a file, if there is one for each sensor and none tells a name.
///
/// # Errors
/// One lacks, is empty, is there twice or is a sensor's name: which, and what to write.
pub(super) fn checked(report: &Report, given: &Aliases) -> Result<Aliases> {
    let names = names(report);
    let lacking: Vec<&str> = report
        .sensors
        .iter()
        .map(|sensor| sensor.name.as_str())
        .filter(|name| !given.contains_key(*name))
        .collect();
    if let Some(first) = lacking.first() {
        let more = match lacking.len() - 1 {
            0 => String::new(),
            more => format!(", nor have {more} more"),
        };
        bail!(
            "the sensor \"{first}\" has no alias{more}: add a line \"{first}\" = \"…\" to the file of aliases"
        );
    }
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, alias) in given {
        if alias.trim().is_empty() {
            bail!("the alias of \"{name}\" is empty: write one");
        }
        if names.contains(alias.as_str()) {
            bail!("the alias of \"{name}\", \"{alias}\", is the name of a sensor: choose another");
        }
        if let Some(other) = taken.insert(alias, name) {
            bail!(
                "\"{other}\" and \"{name}\" have the same alias, \"{alias}\": choose another for one of them"
            );
        }
    }
    Ok(given.clone())
}

/// Aliases by region, in an order that looks random and is always the same.
pub(super) fn made_up(report: &Report) -> Aliases {
    let names = names(report);
    let mut regions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for sensor in &report.sensors {
        regions.entry(&sensor.region).or_default().push(&sensor.name);
    }
    let mut aliases = Aliases::new();
    for (region, mut members) in regions {
        members.sort_by_key(|name| (hash(name), *name));
        let prefix = if region.is_empty() { "sensor" } else { region };
        let free = (0_usize..)
            .map(|at| format!("{prefix}-{}", letters(at)))
            .filter(|alias| !names.contains(alias.as_str()));
        aliases.extend(members.into_iter().map(str::to_owned).zip(free));
    }
    aliases
}

/// `A` to `Z`, then `AA`, `AB` and so on.
pub(super) fn letters(mut at: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[at % 26]));
        at /= 26;
        if at == 0 {
            return letters.into_iter().rev().collect();
        }
        at -= 1;
    }
}

/// FNV-1a, stirred once more as in `SplitMix64`, since names that differ in their last letter stay close otherwise.
fn hash(name: &str) -> u64 {
    let fnv = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
