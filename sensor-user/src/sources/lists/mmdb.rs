//! Countries and autonomous systems from MMDB files, of `MaxMind`, DB-IP or `IPinfo`.
//!
//! Each has its own names for the same: `MaxMind`'s and DB-IP's are nested, `IPinfo`'s are flat.

use std::net::IpAddr;

use anyhow::{Context as _, Result, bail};
use maxminddb::{PathElement, WithinOptions};

use crate::config::Prefix;
use crate::country::Country;
use crate::printable::controls;

/// An autonomous system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// Its number.
    pub number: u32,
    /// Whose it is, in at most 100 characters, none of which controls a terminal; empty if the file does not say.
    pub name: String,
}

/// After so many networks of which nothing is known, a file is taken for one of something else.
const LOOKED_AT: usize = 100_000;

/// Longest name of an autonomous system, in characters.
const LONGEST_NAME: usize = 100;

type Database = maxminddb::Reader<Vec<u8>>;
type Found<'a> = maxminddb::LookupResult<'a, Vec<u8>>;

/// A file that knows countries.
pub(super) struct Countries(Database);

/// A file that knows autonomous systems.
pub(super) struct Systems(Database);

impl Countries {
    /// Proves the file.
    ///
    /// # Errors
    /// It is none, is damaged, or knows no countries.
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self> {
        proven(bytes, |found| country(found).is_some(), "countries").map(Self)
    }

    pub(super) fn country(&self, address: IpAddr) -> Option<Country> {
        country(&self.0.lookup(address).ok()?)
    }

    /// The prefixes of these countries.
    pub(super) fn prefixes(&self, of: &[Country]) -> Result<Vec<Prefix>> {
        prefixes(&self.0, |found| country(found).is_some_and(|country| of.contains(&country)))
    }
}

impl Systems {
    /// Proves the file.
    ///
    /// # Errors
    /// It is none, is damaged, or knows no autonomous systems.
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self> {
        proven(bytes, |found| number(found).is_some(), "autonomous systems").map(Self)
    }

    pub(super) fn number(&self, address: IpAddr) -> Option<u32> {
        number(&self.0.lookup(address).ok()?)
    }

    /// The prefixes of the systems with these numbers.
    pub(super) fn prefixes(&self, of: &[u32]) -> Result<Vec<Prefix>> {
        prefixes(&self.0, |found| number(found).is_some_and(|number| of.contains(&number)))
    }

    pub(super) fn system(&self, address: IpAddr) -> Option<System> {
        let found = self.0.lookup(address).ok()?;
        let number = number(&found)?;
        let names = ["autonomous_system_organization", "as_name", "name"];
        let name = names.into_iter().find_map(|name| text(&found, &[PathElement::Key(name)]));
        Some(System { number, name: clean(name.unwrap_or_default()) })
    }
}

/// A name as it can be printed anywhere: whoever maintains a file does not write on terminals.
fn clean(name: &str) -> String {
    let words = name.split(|character: char| character.is_whitespace() || controls(character));
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let name: String = words.join(" ").chars().take(LONGEST_NAME).collect();
    name.trim_end().to_owned()
}

fn proven(bytes: Vec<u8>, knows: impl Fn(&Found<'_>) -> bool, what: &str) -> Result<Database> {
    let database = Database::from_source(bytes).context("it is no MMDB file, or is cut off")?;
    database.verify().context("it is damaged")?;
    let mut networks = database.networks(WithinOptions::default()).context("it is damaged")?;
    if !networks.by_ref().take(LOOKED_AT).flatten().any(|found| knows(&found)) {
        bail!("it knows no {what}: it is of another kind");
    }
    drop(networks);
    Ok(database)
}

/// The networks for which this holds.
fn prefixes(database: &Database, holds: impl Fn(&Found<'_>) -> bool) -> Result<Vec<Prefix>> {
    let mut prefixes = Vec::new();
    for found in database.networks(WithinOptions::default()).context("it is damaged")? {
        let found = found.context("it is damaged")?;
        if holds(&found) {
            let network = found.network().context("it is damaged")?;
            prefixes.push(plain(network.ip(), network.prefix()));
        }
    }
    Ok(prefixes)
}

/// A network as packets have its addresses: of a file for IPv6, those of IPv4 begin with 96 bits of 0.
fn plain(address: IpAddr, length: u8) -> Prefix {
    match (address, length.checked_sub(96)) {
        (IpAddr::V6(address), Some(rest)) if address.to_bits() >> 32 == 0 => {
            #[expect(clippy::cast_possible_truncation, reason = "the other bits are 0")]
            let address = std::net::Ipv4Addr::from_bits(address.to_bits() as u32);
            Prefix::around(address.into(), rest)
        }
        _ => Prefix::around(address, length),
    }
}

fn text<'a>(found: &Found<'a>, path: &[PathElement<'_>]) -> Option<&'a str> {
    found.decode_path(path).ok().flatten()
}

fn country(found: &Found<'_>) -> Option<Country> {
    const PATHS: [&[PathElement<'_>]; 4] = [
        &[PathElement::Key("country"), PathElement::Key("iso_code")],
        &[PathElement::Key("country_code")],
        &[PathElement::Key("registered_country"), PathElement::Key("iso_code")],
        &[PathElement::Key("country")],
    ];
    PATHS.into_iter().find_map(|path| Country::of(text(found, path)?))
}

fn number(found: &Found<'_>) -> Option<u32> {
    let plain = found.decode_path(&[PathElement::Key("autonomous_system_number")]).ok().flatten();
    plain.or_else(|| text(found, &[PathElement::Key("asn")])?.strip_prefix("AS")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Example, Inc.", "Example, Inc.")]
    #[case("  Example\tNetz\r\n AG ", "Example Netz AG")]
    #[case("\u{1b}[31mred\u{7}\u{0}", "[31mred")]
    #[case("a\u{85}b\u{202e}c", "a b c")]
    #[case("株式会社例", "株式会社例")]
    #[case("", "")]
    fn names_are_clean(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(clean(name), expected);
    }

    #[test]
    fn names_have_an_end() {
        assert_eq!(clean(&"long ".repeat(1_000)).chars().count(), LONGEST_NAME - 1);
    }
}
