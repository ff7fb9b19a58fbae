//! Curves and bars, as SVG that its style sheet colours.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::form::number;

/// Units of a curve's height.
const HEIGHT: u32 = 100;

/// A curve over steps of time, from 0 to the most; where nothing is known it has a gap. `of` says what it shows.
pub(super) fn curve(values: &[Option<u64>], class: &str, of: &str) -> Markup {
    let known: Vec<u64> = values.iter().flatten().copied().collect();
    let most = known.iter().copied().max().unwrap_or_default();
    let label = match (known.last(), known.iter().min()) {
        (Some(last), Some(lowest)) => {
            format!("{of}: from {} to {}, at last {}", number(*lowest), number(most), number(*last))
        }
        _ => format!("{of}: nothing is known yet"),
    };
    let width = values.len().saturating_sub(1).max(1);
    html! {
        svg class=(class) role="img" aria-label=(label) viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" {
            @for piece in pieces(values, most) {
                path class="area" d=(piece.area) {}
                path class="line" d=(piece.line) {}
            }
        }
    }
}

struct Piece {
    line: String,
    area: String,
}

/// What lies between gaps. A step by itself is a dot, which a line of no length is.
fn pieces(values: &[Option<u64>], most: u64) -> Vec<Piece> {
    let y = |value: u64| {
        let part = u128::from(value) * u128::from(HEIGHT) * 10 / u128::from(most.max(1));
        HEIGHT * 10 - u32::try_from(part).unwrap_or(HEIGHT * 10)
    };
    let mut pieces: Vec<Vec<(usize, u32)>> = vec![Vec::new()];
    for (x, value) in values.iter().enumerate() {
        match (value, pieces.last_mut()) {
            (Some(value), Some(piece)) => piece.push((x, y(*value))),
            (None, Some(piece)) if !piece.is_empty() => pieces.push(Vec::new()),
            _ => {}
        }
    }
    let drawn = |points: Vec<(usize, u32)>| {
        let (first, last) = (points.first()?.0, points.last()?.0);
        let mut line = String::new();
        for (at, (x, y)) in points.iter().enumerate() {
            let command = if at == 0 { 'M' } else { 'L' };
            // Writing to a text does not fail.
            let _ = write!(line, "{command}{x} {}.{}", y / 10, y % 10);
        }
        if points.len() == 1 {
            line.push_str("h0");
        }
        let area = format!("{line}L{last} {HEIGHT}L{first} {HEIGHT}Z");
        Some(Piece { line, area })
    };
    pieces.into_iter().filter_map(drawn).collect()
}

/// A bar as long as a part is of the most. It says nothing that the number beside it does not.
pub(super) fn bar(part: u64, most: u64) -> Markup {
    let length = u128::from(part) * 1_000 / u128::from(most.max(1));
    let length = u32::try_from(length).unwrap_or(1_000).min(1_000);
    html! {
        svg class="bar" aria-hidden="true" viewBox="0 0 100 10" preserveAspectRatio="none" {
            rect class="track" width="100" height="10" {}
            rect class="fill" width={ (length / 10) "." (length % 10) } height="10" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(&[None, None], &[])]
    #[case::whole(&[Some(0), Some(10), Some(5)], &["M0 100.0L1 0.0L2 50.0"])]
    #[case::a_gap(&[Some(4), None, None, Some(4), Some(1)], &["M0 0.0h0", "M3 0.0L4 75.0"])]
    #[case::flat(&[Some(0), Some(0)], &["M0 100.0L1 100.0"])]
    #[case::large(&[Some(u64::MAX), Some(u64::MAX / 2)], &["M0 0.0L1 50.1"])]
    fn a_curve_has_gaps_where_nothing_is_known(#[case] values: &[Option<u64>], #[case] lines: &[&str]) {
        let most = values.iter().flatten().copied().max().unwrap_or_default();
        let drawn: Vec<_> = pieces(values, most).into_iter().map(|piece| piece.line).collect();
        assert_eq!(drawn, lines);
    }

    #[test]
    fn what_a_curve_shows_is_said_too() {
        let text = curve(&[Some(3), None, Some(9)], "a", "Packets").into_string();
        assert!(text.contains("aria-label=\"Packets: from 3 to 9, at last 9\""), "{text}");
        assert!(curve(&[None], "a", "Packets").into_string().contains("nothing is known yet"));
    }
}
