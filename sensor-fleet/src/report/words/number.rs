//! How numbers are shown to people, in English: `12,345`, `12.3 %`.

use sensor_common::grouped::Grouped;

use crate::report::model::Publication;

/// A count with thousands separators; `<10` if it is withheld.
#[must_use]
pub fn count(packets: u64, publication: Option<Publication>) -> String {
    match publication {
        Some(Publication { threshold, .. }) if packets < threshold => format!("<{threshold}"),
        _ => thousands(packets),
    }
}

/// A whole number with thousands separators.
#[must_use]
pub fn thousands(number: u64) -> String {
    Grouped(number).to_string()
}

/// An average: whole from 100 on, with one digit after the point from 1 on, else with two. Never 0 if it isn't.
#[must_use]
pub fn average(number: f64) -> String {
    if !number.is_finite() {
        return "–".to_owned();
    }
    if number > 0.0 && number < 0.005 {
        return "<0.01".to_owned();
    }
    let digits = match number.abs() {
        0.0 | 100.0.. => 0,
        1.0.. => 1,
        _ => 2,
    };
    let text = format!("{number:.digits$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("−", whole));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), thousands);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{rest}")
}

/// A part, 0 to 1, in percent. Never `100 %` or `0 %` if it isn't that.
#[must_use]
pub fn percent(part: f64) -> String {
    let percent = part * 100.0;
    let text = format!("{percent:.1}");
    match text.as_str() {
        "100.0" if percent < 100.0 => "99.9 %".to_owned(),
        "0.0" if percent > 0.0 => "<0.1 %".to_owned(),
        text => format!("{} %", text.strip_suffix(".0").unwrap_or(text)),
    }
}

/// A change: `+12 %`, `−3 %`, `±0 %`, `×14` from three times on.
#[must_use]
pub fn change(now: f64, before: f64) -> String {
    if before <= 0.0 {
        return if now > 0.0 { "new".to_owned() } else { "–".to_owned() };
    }
    let ratio = now / before;
    if ratio >= 3.0 {
        return format!("×{}", average(ratio));
    }
    let percent = ((ratio - 1.0) * 100.0).round();
    // A small fall rounds to −0.0, which is not below 0.
    let sign = match percent {
        0.0 => "±",
        ..0.0 => "−",
        _ => "+",
    };
    format!("{sign}{:.0} %", percent.abs())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::below(9, "<10")]
    #[case::withheld(0, "<10")]
    #[case::at(10, "10")]
    fn small_counts_are_withheld(#[case] packets: u64, #[case] shown: &str) {
        let publication = Publication { threshold: 10, digits: 3, sensors: 3 };
        assert_eq!(count(packets, Some(publication)), shown);
        assert_eq!(count(packets, None), packets.to_string());
    }

    #[rstest]
    #[case(0.0, "0")]
    #[case(0.0034, "<0.01")]
    #[case(0.034, "0.03")]
    #[case(3.04, "3.0")]
    #[case(-3.04, "−3.0")]
    #[case(100.4, "100")]
    #[case(12_345.6, "12,346")]
    #[case(f64::NAN, "–")]
    fn averages_have_as_many_digits_as_matter(#[case] number: f64, #[case] shown: &str) {
        assert_eq!(average(number), shown);
    }

    #[rstest]
    #[case(0.0, "0 %")]
    #[case(0.0001, "<0.1 %")]
    #[case(0.1234, "12.3 %")]
    #[case(0.5, "50 %")]
    #[case(0.9999, "99.9 %")]
    #[case(1.0, "100 %")]
    fn parts_are_percents(#[case] part: f64, #[case] shown: &str) {
        assert_eq!(percent(part), shown);
    }

    #[rstest]
    #[case(1.12, 1.0, "+12 %")]
    #[case(0.97, 1.0, "−3 %")]
    #[case(0.997, 1.0, "±0 %")]
    #[case(1.0, 1.0, "±0 %")]
    #[case(1.003, 1.0, "±0 %")]
    #[case(0.994, 1.0, "−1 %")]
    #[case(0.0, 2.0, "−100 %")]
    #[case(14.0, 1.0, "×14.0")]
    #[case(1.0, 0.0, "new")]
    #[case(0.0, 0.0, "–")]
    fn changes_are_relative(#[case] now: f64, #[case] before: f64, #[case] shown: &str) {
        assert_eq!(change(now, before), shown);
    }
}
