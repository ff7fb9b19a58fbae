//! A map of the world, coloured by country. It shows where much comes from; how much, the table beside it says.

use std::collections::HashMap;

use maud::{Markup, html};
use sensor_common::country;

use super::form::{number, share};
use crate::sources::answer::PartRow;

/// Outlines of countries, one a line: two letters, or none of what has no code, a comma, and a path of SVG. They are Natural
/// Earth's, in the public domain; `cargo xtask world` makes the file.
const OUTLINES: &str = include_str!("world.csv");
/// The part of the plane that the outlines lie in.
const VIEW_BOX: &str = "0 0 2000 885";
/// Shades, from few to many.
const SHADES: u32 = 6;

/// What a country is called.
pub(super) fn name(code: &str) -> Option<&'static str> {
    country::name(code)
}

/// The map.
pub(super) fn map(countries: &[PartRow], by_sources: bool) -> Markup {
    let value = |row: &PartRow| if by_sources { row.sources.count } else { row.packets };
    let of: HashMap<&str, &PartRow> = countries.iter().map(|row| (row.of.as_str(), row)).collect();
    let most = countries.iter().filter(|row| row.of != "unknown").map(value).max().unwrap_or_default();
    let all = countries.iter().map(value).sum();
    let label = format!("Map of the world: {} by country", if by_sources { "sources" } else { "packets" });
    html! {
        svg role="img" aria-label=(label) viewBox=(VIEW_BOX) {
            @for (code, path) in OUTLINES.lines().filter_map(|line| line.split_once(',')) {
                @if let Some(row) = of.get(code).filter(|row| value(row) > 0) {
                    path class={ "shade-" (shade(value(row), most)) } d=(path) {
                        title {
                            (name(code).unwrap_or(code)) ": " (number(value(row))) " (" (share(value(row), all)) ")"
                        }
                    }
                } @else { path d=(path) {} }
            }
        }
    }
}

/// From 1 to [`SHADES`], by how many times less than the most it is: what sends half as much is a shade lighter.
fn shade(value: u64, most: u64) -> u32 {
    let halvings = (most.max(1) / value.max(1)).ilog2();
    // Two halvings a shade: a thousand times less is the lightest.
    SHADES - (halvings / 2).min(SHADES - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::most(1_000, 1_000, SHADES)]
    #[case::a_third(1_000, 3_000, SHADES)]
    #[case::a_fifth(1_000, 5_000, SHADES - 1)]
    #[case::hardly_any(1, 1_000_000, 1)]
    #[case::alone(u64::MAX, u64::MAX, SHADES)]
    fn a_shade_says_how_many_times_less(#[case] value: u64, #[case] most: u64, #[case] expected: u32) {
        assert_eq!(shade(value, most), expected);
    }

    #[test]
    fn every_outline_is_a_countrys_and_drawn_within_the_map() {
        let (mut seen, mut lines) = (HashSet::new(), 0);
        for line in OUTLINES.lines() {
            let (code, path) = line.split_once(',').unwrap();
            assert!(code.is_empty() || name(code).is_some() && seen.insert(code), "{code}");
            assert!(path.starts_with('M') && path.ends_with('z'), "{code}");
            assert!(path.chars().all(|it| it.is_ascii_digit() || "Mlz- ".contains(it)), "{code}");
            lines += 1;
        }
        assert!(
            lines > 150 && ["JP", "US", "CN", "BR", "ZA", "FR", "NO"].iter().all(|code| seen.contains(code))
        );
    }
}
