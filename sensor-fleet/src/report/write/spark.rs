//! Days as small bars within a line of text.

use std::fmt::Write as _;

/// Pixels of a day, and of all days upwards.
const WIDTH: usize = 3;
const HEIGHT: f64 = 24.0;

fn most(days: &[Option<f64>]) -> f64 {
    days.iter().flatten().copied().fold(0.0, f64::max)
}

/// As SVG: days of an event and after it, from `begin` on, darker than those before. It is for the eye: the table's other
/// cells say in words what there is to see.
pub fn svg(days: &[Option<f64>], begin: usize) -> String {
    let most = most(days);
    let width = days.len() * WIDTH;
    let mut text = format!(
        "<svg class=\"days\" viewBox=\"0 0 {width} {HEIGHT}\" width=\"{width}\" height=\"{HEIGHT}\" aria-hidden=\"true\">"
    );
    for (at, day) in days.iter().enumerate() {
        let Some(day) = day.filter(|_| most > 0.0) else { continue };
        let height = (day / most * HEIGHT).max(0.5);
        let class = if at < begin { "before" } else { "event" };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "<rect class=\"{class}\" x=\"{}\" y=\"{:.1}\" width=\"{}\" height=\"{height:.1}\" />",
            at * WIDTH,
            HEIGHT - height,
            WIDTH - 1
        );
    }
    text + "</svg>"
}

/// As letters, two days each.
pub fn text(days: &[Option<f64>]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = most(days);
    let letter = |pair: &[Option<f64>]| {
        let high = pair.iter().flatten().copied().fold(f64::NAN, f64::max);
        if high.is_nan() || most <= 0.0 {
            return '·';
        }
        let place = BARS.iter().zip(1..8).find(|(_, step)| high / most <= f64::from(*step) / 8.0);
        place.map_or(BARS[7], |(letter, _)| *letter)
    };
    days.chunks(2).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_bars() {
        let days: Vec<_> = [0, 0, 1, 2, 4, 8, 8, 3]
            .map(|day| Some(f64::from(day)))
            .into_iter()
            .chain([None, None])
            .collect();
        assert_eq!(text(&days), "▁▂██·");
        let svg = svg(&days, 4);
        assert_eq!((svg.matches("before").count(), svg.matches("event").count()), (4, 4), "{svg}");
        assert_eq!(text(&[None, Some(0.0)]), "·");
    }
}
