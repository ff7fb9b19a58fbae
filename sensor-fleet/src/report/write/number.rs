//! How numbers, and dates are shown to people: `12,345`, `12.3 %`, `1 Oct 2023`.

use jiff::civil::Date;

use crate::report::model::Publication;

/// A count with thousands separators; `<10` if it is withheld.
pub fn count(packets: u64, publication: Option<Publication>) -> String {
    match publication {
        Some(Publication { threshold, .. }) if packets < threshold => format!("<{threshold}"),
        _ => thousands(packets),
    }
}

/// A whole number with thousands separators.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An average: whole from 100 on, with one digit after the point from 1 on, else with two. Never 0 if it isn't.
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

/// A probability: `0.03`, `4e-9`; `<1e-99` below that.
pub fn probability(p: f64) -> String {
    if p < 1e-99 {
        "<1e-99".to_owned()
    } else if p < 0.001 {
        format!("{p:.0e}")
    } else {
        format!("{p:.3}")
    }
}

/// A day: `1 Oct 2023`.
pub fn day(date: Date) -> String {
    date.strftime("%-d %b %Y").to_string()
}

/// Days from the first to the last: one if they are the same.
pub fn days(from: Date, to: Date) -> String {
    if from == to {
        day(from)
    } else if from.year() != to.year() {
        format!("{} – {}", day(from), day(to))
    } else if from.month() != to.month() {
        format!("{} – {}", from.strftime("%-d %b"), day(to))
    } else {
        format!("{} – {}", from.day(), day(to))
    }
}

/// Something counted: `1 sensor`, `2 sensors`.
pub fn of(number: usize, one: &str, more: &str) -> String {
    format!("{} {}", thousands(number as u64), if number == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(1_000, "1,000")]
    #[case(12_345_678, "12,345,678")]
    #[case(u64::MAX, "18,446,744,073,709,551,615")]
    fn thousands_are_parted(#[case] number: u64, #[case] shown: &str) {
        assert_eq!(thousands(number), shown);
    }

    #[rstest]
    #[case::below(9, "<10")]
    #[case::withheld(0, "<10")]
    #[case::at(10, "10")]
    fn small_counts_are_withheld(#[case] packets: u64, #[case] shown: &str) {
        let publication = Publication { threshold: 10, digits: 3, surge_sensors: 3, surges_withheld: 0 };
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

    #[rstest]
    #[case(0.0, "<1e-99")]
    #[case(3.6e-9, "4e-9")]
    #[case(0.0321, "0.032")]
    fn probabilities_are_short(#[case] p: f64, #[case] shown: &str) {
        assert_eq!(probability(p), shown);
    }

    #[rstest]
    #[case::one(date(2023, 10, 1), date(2023, 10, 1), "1 Oct 2023")]
    #[case::month(date(2023, 10, 1), date(2023, 10, 3), "1 – 3 Oct 2023")]
    #[case::year(date(2023, 10, 1), date(2023, 12, 31), "1 Oct – 31 Dec 2023")]
    #[case::years(date(2023, 12, 31), date(2024, 1, 1), "31 Dec 2023 – 1 Jan 2024")]
    fn days_repeat_nothing(#[case] from: Date, #[case] to: Date, #[case] shown: &str) {
        assert_eq!(days(from, to), shown);
    }
}
