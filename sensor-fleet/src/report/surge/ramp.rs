//! Events that grew from day to day, and since when.

use super::track::small;

/// An event of fewer days is no ramp.
pub(super) const LEAST: usize = 14;
/// The least correlation of days and logarithms of counts in a ramp.
const CORRELATION: f32 = 0.75;

/// The day on which a ramp began, if an event that was found to begin on the day `from` is one: it grew all the time,
/// from about the baseline. `days` are those of the event and as many before it, with the logarithm of their packets to
/// the baseline.
pub(super) fn begin(days: &[(usize, f32)], from: usize) -> Option<usize> {
    let event = &days[days.partition_point(|(day, _)| *day < from)..];
    let first = days.first()?.0;
    let (slope, correlation, reached) = line(event);
    let grows = event.len() >= LEAST && correlation > CORRELATION && slope > 0.0;
    if !grows || reached < small(first) {
        return None;
    }
    // Level until a day, and a line from then on: the day with which that fits best.
    (first..=from).min_by(|a, b| misfit(days, *a).total_cmp(&misfit(days, *b)))
}

/// The slope of the line through these points, their correlation, and where it is at 0.
fn line(points: &[(usize, f32)]) -> (f32, f32, f32) {
    let count = small(points.len());
    let mean = |of: fn(&(usize, f32)) -> f32| points.iter().map(of).sum::<f32>() / count;
    let (day, value) = (mean(|point| small(point.0)), mean(|point| point.1));
    let (mut of_days, mut of_values, mut both) = (0.0, 0.0, 0.0);
    for (x, y) in points {
        of_days += (small(*x) - day).powi(2);
        of_values += (y - value).powi(2);
        both += (small(*x) - day) * (y - value);
    }
    let slope = both / of_days;
    (slope, both / (of_days * of_values).sqrt(), day - value / slope)
}

/// The sum of squares that is left if growth begins on a day.
fn misfit(days: &[(usize, f32)], begin: usize) -> f32 {
    let growing = |day: usize| small((day + 1).saturating_sub(begin));
    let (both, squares) = days.iter().fold((0.0, 0.0), |(both, squares), (day, value)| {
        (both + growing(*day) * value, squares + growing(*day).powi(2))
    });
    let slope = both / squares;
    days.iter().map(|(day, value)| (value - slope * growing(*day)).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Growth by `slope` a day from day 20 on, unless it is a step, and some noise that is always the same.
    #[rstest]
    #[case::steep(0.1, 26, Some(19..=21))]
    #[case::slow(0.04, 34, Some(17..=23))]
    #[case::found_at_its_begin(0.06, 20, Some(19..=21))]
    #[case::short(0.2, 50, None)]
    #[case::level(0.0, 26, None)]
    #[case::falling(-0.05, 26, None)]
    fn begins(
        #[case] slope: f32,
        #[case] from: usize,
        #[case] expected: Option<std::ops::RangeInclusive<usize>>,
    ) {
        let noise = |day: usize| 0.1 * small((day * 7_919) % 13) / 6.0 - 0.1;
        let first = from - (60 - from).clamp(LEAST, from);
        let days: Vec<(usize, f32)> =
            (first..60).map(|day| (day, slope * small((day + 1).saturating_sub(20)) + noise(day))).collect();
        let found = begin(&days, from);
        assert!(
            found.is_some() == expected.is_some() && expected.is_none_or(|it| it.contains(&found.unwrap())),
            "{found:?}"
        );
    }

    #[test]
    fn a_step_is_no_ramp() {
        let days: Vec<(usize, f32)> = (10..60).map(|day| (day, if day < 30 { 0.0 } else { 1.5 })).collect();
        assert_eq!(begin(&days, 30), None);
    }
}
