//! What countries and territories are called, by their codes of ISO 3166-1.

use std::collections::HashMap;
use std::sync::LazyLock;

use sensor_common::country::COUNTRIES;

/// A country's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country {
    /// In English.
    pub english: &'static str,
    /// In Japanese.
    pub japanese: &'static str,
}

static BY_CODE: LazyLock<HashMap<&str, Country>> = LazyLock::new(|| {
    let row = |line: &'static str| {
        let (code, names) = line.split_once(',')?;
        let (english, japanese) = names.split_once(',')?;
        Some((code, Country { english, japanese }))
    };
    COUNTRIES.lines().skip(1).filter_map(row).collect()
});

/// What a country is called; nothing for what is no code of one.
#[must_use]
pub fn name(code: &str) -> Option<Country> {
    BY_CODE.get(code).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_is_a_country_with_names_of_its_own() {
        let lines = || COUNTRIES.lines().skip(1);
        assert_eq!((lines().count(), BY_CODE.len()), (249, 249));
        for line in lines() {
            let fields: Vec<&str> = line.split(',').collect();
            assert!(
                matches!(fields[..], [code, english, japanese] if code.len() == 2
                && code.chars().all(|letter| letter.is_ascii_uppercase())
                && !english.is_empty() && !japanese.is_ascii()),
                "{line}"
            );
        }
        for of in [|country: &Country| country.english, |country: &Country| country.japanese] {
            assert_eq!(BY_CODE.values().map(of).collect::<HashSet<_>>().len(), 249);
        }
        assert_eq!(name("other"), None);
    }
}
