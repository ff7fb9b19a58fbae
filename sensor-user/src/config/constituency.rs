//! Constituencies: addresses that are one's own to watch among the sources.

use sensor_common::policy::MAX_CONSTITUENCIES;
use toml::Spanned;

use super::error::{Problems, shown};
use super::validate::{Distinct, one};
use super::{Prefix, Sources, file, value};
use crate::country::Country;

/// One `[[constituency]]`: a name, and at least one of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constituency {
    /// Its name: as a sensor's, none twice.
    pub name: String,
    /// Addresses that belong to it.
    pub prefixes: Vec<Prefix>,
    /// Numbers of autonomous systems that do, as far as `autonomous_systems` of [`Sources`] knows them.
    pub systems: Vec<u32>,
    /// Countries that do, as far as `countries` of [`Sources`] knows them.
    pub countries: Vec<Country>,
}

/// A constituency, with the prefixes that were found to be its. They may overlap others': an address belongs to the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    /// The constituency's name.
    pub name: String,
    /// Its prefixes; some may be there twice.
    pub prefixes: Vec<Prefix>,
}

/// A constituency with the number that the kernel's maps know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedConstituency {
    /// Its number: below [`MAX_CONSTITUENCIES`], and its own as long as the counters live.
    pub number: u32,
    /// Whose it is, and what belongs to it.
    pub members: Members,
}

/// Checks the `[[constituency]]` tables.
pub(super) fn constituencies(
    tables: &[Spanned<file::Constituency>],
    sources: &Sources,
    problems: &mut Problems<'_>,
) -> Vec<Constituency> {
    let most = MAX_CONSTITUENCIES as usize;
    if let Some(last) = tables.get(most) {
        problems.add(
            last.span().start,
            format!("{} constituencies, more than {most}: merge or remove some", tables.len()),
        );
    }
    let mut names = Distinct::new();
    tables.iter().map(|table| constituency(table, sources, &mut names, problems)).collect()
}

fn constituency(
    table: &Spanned<file::Constituency>,
    sources: &Sources,
    names: &mut Distinct<String>,
    problems: &mut Problems<'_>,
) -> Constituency {
    let at = table.span().start;
    let table = table.get_ref();
    let given = shown(table.name.get_ref());
    if let Some(name) = one("constituency name", &table.name, value::name, problems) {
        let at = table.name.span().start;
        names.insert(&name, at, format_args!("constituency name {name:?}"), problems);
    }
    if table.prefixes.is_empty() && table.systems.is_empty() && table.countries.is_empty() {
        problems.add(at, format!("constituency {given} has no addresses: give it prefixes, as or countries"));
    }
    for (key, entries, file, known) in [
        ("countries", table.countries.len(), "countries", sources.countries.is_some()),
        ("as", table.systems.len(), "autonomous_systems", sources.autonomous_systems.is_some()),
    ] {
        if entries > 0 && !known {
            problems.add(
                at,
                format!("constituency {given} has {key}, which no file tells: set {file} in [sources], or write prefixes"),
            );
        }
    }
    Constituency {
        name: table.name.get_ref().clone(),
        prefixes: table
            .prefixes
            .iter()
            .filter_map(|text| one("prefix", text, str::parse, problems))
            .collect(),
        systems: table.systems.iter().filter_map(|number| system(number, problems)).collect(),
        countries: table
            .countries
            .iter()
            .filter_map(|text| one("country", text, str::parse, problems))
            .collect(),
    }
}

fn system(number: &Spanned<i64>, problems: &mut Problems<'_>) -> Option<u32> {
    let valid = u32::try_from(*number.get_ref()).ok().filter(|&number| number > 0);
    if valid.is_none() {
        problems.add(
            number.span().start,
            format!("as {} is no autonomous system: write its number, 1 to 4294967295", number.get_ref()),
        );
    }
    valid
}
