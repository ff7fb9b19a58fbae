//! Countries and autonomous systems from MMDB files, of `MaxMind`, DB-IP or `IPinfo`.
//!
//! Each has its own names for the same: `MaxMind`'s and DB-IP's are nested, `IPinfo`'s are flat.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use maxminddb::{PathElement, WithinOptions};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::controls;

/// A country, by its two letters (ISO 3166-1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// Why a text is no country.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no country: write its two letters, as in JP")]
pub struct CountryError;

/// An autonomous system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// Its number.
    pub number: u32,
    /// Whose it is, in at most 100 characters, none of which controls a terminal; empty if the file does not say.
    pub name: String,
}

impl Country {
    fn of(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_alphabetic)
            .then(|| Self(letters.map(|letter| letter.to_ascii_uppercase())))
    }
}

impl FromStr for Country {
    type Err = CountryError;

    fn from_str(text: &str) -> Result<Self, CountryError> {
        Self::of(text).ok_or(CountryError)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(str::from_utf8(&self.0).unwrap_or_default())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| serde::de::Error::custom(format_args!("country {text:?} {error}")))
    }
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
