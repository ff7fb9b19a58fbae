//! The region that all others are compared with.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::history::Observer;
use super::moves::{Moved, Regions};

/// Makes sure that the region to compare with is one.
///
/// # Errors
/// No sensor was in it.
pub fn check(home: Option<&str>, observers: &[Observer], moved: &Moved) -> Result<()> {
    let last = observers.iter().map(|observer| observer.region.as_str());
    let regions: BTreeSet<&str> = last.chain(moved.values().flat_map(Regions::all)).collect();
    match home {
        Some(home) if !regions.contains(home) => {
            let regions: Vec<_> = regions.into_iter().filter(|region| !region.is_empty()).collect();
            let remedy = match regions.as_slice() {
                [] => "set `region` in the sensors' configurations, or leave --home out".to_owned(),
                regions => format!("pass as --home one of {}", regions.join(", ")),
            };
            bail!("no sensor is in region {home:?}: {remedy}")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::another(&["japan", "overseas", ""], Some("japn"), "in region \"japn\": pass as --home one of japan, overseas")]
    #[case::none_at_all(&["", ""], Some("japan"), "set `region` in the sensors' configurations, or leave --home out")]
    #[case::right(&["japan", ""], Some("japan"), "")]
    #[case::not_asked(&[""], None, "")]
    fn home_is_a_region(#[case] regions: &[&str], #[case] home: Option<&str>, #[case] words: &str) {
        let observer = |region: &&str| Observer {
            name: "a".to_owned(),
            region: (*region).to_owned(),
            observed: Vec::new(),
        };
        let observers: Vec<_> = regions.iter().map(observer).collect();
        let said =
            check(home, &observers, &Moved::new()).map_or_else(|error| error.to_string(), |()| String::new());
        assert!(said.contains(words) && said.is_empty() == words.is_empty(), "{said}");
    }
}
