//! How days and periods are shown: `1 Oct 2023`, `2023年10月1日`.

use jiff::civil::{Date, DateTime};

use crate::report::language::Language;
use crate::report::model::Period;

/// A day.
#[must_use]
pub fn day(language: Language, date: Date) -> String {
    date.strftime(language.of("%-d %b %Y", "%Y年%-m月%-d日")).to_string()
}

/// Days from the first to the last: one if they are the same. Nothing is said twice.
#[must_use]
pub fn days(language: Language, from: Date, to: Date) -> String {
    let years = from.year() != to.year();
    let months = years || from.month() != to.month();
    if from == to {
        day(language, from)
    } else if language == Language::Japanese {
        let format = if years {
            "%Y年%-m月%-d日"
        } else if months {
            "%-m月%-d日"
        } else {
            "%-d日"
        };
        format!("{}~{}", day(language, from), to.strftime(format))
    } else if years {
        format!("{} – {}", day(language, from), day(language, to))
    } else if months {
        format!("{} – {}", from.strftime("%-d %b"), day(language, to))
    } else {
        format!("{} – {}", from.day(), day(language, to))
    }
}

/// From one moment to another; a day is not said twice.
#[must_use]
pub fn hours(language: Language, from: DateTime, to: DateTime) -> String {
    let moment = |at: DateTime| {
        let clock = at.strftime("%H:%M");
        match language {
            Language::English => format!("{}, {clock}", day(language, at.date())),
            Language::Japanese => format!("{}{clock}", day(language, at.date())),
        }
    };
    let to = if from.date() == to.date() { to.strftime("%H:%M").to_string() } else { moment(to) };
    format!("{}{}{to}", moment(from), language.of(" – ", "~"))
}

/// A month, of its text as `2023-10`.
#[must_use]
pub fn month(language: Language, month: &str) -> String {
    let first = format!("{month}-01").parse::<Date>();
    first.map_or_else(|_| month.to_owned(), |day| day.strftime(month_format(language)).to_string())
}

/// A month with its year.
const fn month_format(language: Language) -> &'static str {
    match language {
        Language::English => "%b %Y",
        Language::Japanese => "%Y年%-m月",
    }
}

/// A month on an axis, with its year where that changes.
#[must_use]
pub fn month_tick(language: Language, day: Date, year: bool) -> String {
    day.strftime(if year { month_format(language) } else { language.of("%b", "%-m月") }).to_string()
}

/// A day on an axis.
#[must_use]
pub fn day_tick(language: Language, day: Date) -> String {
    day.strftime(language.of("%-d %b", "%-m/%-d")).to_string()
}

/// A period's name: quarters by their months in Japanese.
#[must_use]
pub fn period(language: Language, period: &Period) -> String {
    let quarter = period.name.len() == 6 && period.name.as_bytes()[4] == b'Q';
    match language {
        Language::English => period.name.clone(),
        Language::Japanese if quarter => {
            let first = (period.from.month() - 1) / 3 * 3 + 1;
            format!("{}年{first}~{}月", period.from.year(), first + 2)
        }
        Language::Japanese => days(language, period.from, period.to),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one(date(2023, 10, 1), date(2023, 10, 1), "1 Oct 2023", "2023年10月1日")]
    #[case::month(date(2023, 10, 1), date(2023, 10, 3), "1 – 3 Oct 2023", "2023年10月1日~3日")]
    #[case::year(date(2023, 10, 1), date(2023, 12, 31), "1 Oct – 31 Dec 2023", "2023年10月1日~12月31日")]
    #[case::years(
        date(2023, 12, 31),
        date(2024, 1, 1),
        "31 Dec 2023 – 1 Jan 2024",
        "2023年12月31日~2024年1月1日"
    )]
    fn days_repeat_nothing(
        #[case] from: Date,
        #[case] to: Date,
        #[case] english: &str,
        #[case] japanese: &str,
    ) {
        assert_eq!(days(Language::English, from, to), english);
        assert_eq!(days(Language::Japanese, from, to), japanese);
    }

    #[rstest]
    #[case("2023-10", "Oct 2023", "2023年10月")]
    #[case("2024-01", "Jan 2024", "2024年1月")]
    fn months_have_names(#[case] text: &str, #[case] english: &str, #[case] japanese: &str) {
        assert_eq!(month(Language::English, text), english);
        assert_eq!(month(Language::Japanese, text), japanese);
    }

    #[rstest]
    #[case("2023Q4", date(2023, 10, 1), date(2023, 12, 31), "2023年10~12月")]
    #[case("2023Q4", date(2023, 10, 1), date(2023, 11, 15), "2023年10~12月")]
    #[case("2023-10-01 to 2023-10-15", date(2023, 10, 1), date(2023, 10, 15), "2023年10月1日~15日")]
    fn quarters_are_months_in_japanese(
        #[case] name: &str,
        #[case] from: Date,
        #[case] to: Date,
        #[case] said: &str,
    ) {
        let of = Period { name: name.to_owned(), from, to, zone: "UTC".to_owned() };
        assert_eq!(period(Language::English, &of), name);
        assert_eq!(period(Language::Japanese, &of), said);
    }
}
