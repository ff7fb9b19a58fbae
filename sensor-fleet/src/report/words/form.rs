//! The forms of a report's language, as coarse as the report.

use jiff::civil::Date;

use super::{date, number};
use crate::report::language::Language;
use crate::report::model::{Period, Publication, Report};
use crate::vocabulary::countries;

/// Writes numbers, days, regions and lists.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// In this language.
    pub language: Language,
    /// As coarse as this says.
    pub publication: Option<Publication>,
}

impl Form {
    /// That of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        Self { language: report.language, publication: report.publication }
    }

    /// The one of two that is in its language.
    #[must_use]
    pub fn say<T>(self, english: T, japanese: T) -> T {
        self.language.of(english, japanese)
    }

    /// Packets; `<10` if they are withheld.
    #[must_use]
    pub fn count(self, packets: u64) -> String {
        number::count(packets, self.publication)
    }

    /// Things that are counted, and no packets.
    #[must_use]
    pub fn number(self, things: usize) -> String {
        number::thousands(things as u64)
    }

    /// A number with as many digits as may be published.
    fn coarse(self, number: f64) -> f64 {
        let digits = self.publication.map_or(16, |publication| usize::from(publication.digits)).max(1);
        format!("{number:.*e}", digits - 1).parse().unwrap_or(number)
    }

    /// An average.
    #[must_use]
    pub fn average(self, average: f64) -> String {
        number::average(self.coarse(average))
    }

    /// An average that may be of nothing.
    #[must_use]
    pub fn maybe(self, average: Option<f64>) -> String {
        average.map_or_else(|| "–".to_owned(), |average| self.average(average))
    }

    /// A part, 0 to 1, in percent.
    #[must_use]
    pub fn percent(self, part: f64) -> String {
        self.spaced(number::percent(if part < 1.0 { self.coarse(part) } else { part }))
    }

    /// A change: `+12 %`, `−3 %`, `×14` from three times on.
    #[must_use]
    pub fn change(self, now: f64, before: f64) -> String {
        if before <= 0.0 && now > 0.0 {
            return self.say("new", "新規").to_owned();
        }
        self.spaced(number::change(now, before))
    }

    /// How many times a baseline something is.
    #[must_use]
    pub fn times(self, now: f64, before: f64) -> String {
        if before > 0.0 { format!("×{}", self.average(now / before)) } else { "–".to_owned() }
    }

    /// Japanese has no space before a percent sign.
    fn spaced(self, text: String) -> String {
        if self.language == Language::Japanese { text.replace(" %", "%") } else { text }
    }

    /// `1 sensor`, `2 sensors`.
    #[must_use]
    pub fn sensors(self, sensors: usize) -> String {
        let number = self.number(sensors);
        self.say(format!("{number} sensor{}", plural(sensors)), format!("{number}台のセンサー"))
    }

    /// `2 of 5`, of sensors.
    #[must_use]
    pub fn out_of(self, seen: usize, all: usize) -> String {
        let (seen, all) = (self.number(seen), self.number(all));
        self.say(format!("{seen} of {all}"), format!("{all}台中{seen}台"))
    }

    /// `first`, `third`, `11th`.
    #[must_use]
    pub fn rank(self, rank: usize) -> String {
        const NAMES: [&str; 10] =
            ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];
        let name = rank.checked_sub(1).and_then(|at| NAMES.get(at));
        let english = name.map_or_else(|| format!("number {rank}"), |name| (*name).to_owned());
        self.say(english, format!("{rank}位"))
    }

    /// `a`, `a and b`, `a, b and c`.
    #[must_use]
    pub fn list(self, items: &[String]) -> String {
        match (self.language, items) {
            (Language::Japanese, items) => items.join("、"),
            (_, []) => String::new(),
            (_, [one]) => one.clone(),
            (_, [first @ .., last]) => format!("{} and {last}", first.join(", ")),
        }
    }

    /// Sentences one after the other.
    #[must_use]
    pub fn text(self, sentences: &[String]) -> String {
        sentences.join(self.say(" ", ""))
    }

    /// Days from the first to the last.
    #[must_use]
    pub fn days(self, from: Date, to: Date) -> String {
        date::days(self.language, from, to)
    }

    /// A month, of its text as `2023-10`.
    #[must_use]
    pub fn month(self, month: &str) -> String {
        date::month(self.language, month)
    }

    /// A period's name.
    #[must_use]
    pub fn period(self, period: &Period) -> String {
        date::period(self.language, period)
    }

    /// A region as people call it.
    #[must_use]
    pub fn region(self, region: &str) -> String {
        if region.is_empty() {
            return self.say("no region", "地域なし").to_owned();
        }
        let known = REGIONS.iter().find(|(name, _)| *name == region.to_lowercase());
        match (self.language, known) {
            (Language::Japanese, Some((_, japanese))) => (*japanese).to_owned(),
            _ => capital(region),
        }
    }

    /// A country by its code of ISO 3166, which is all that is known of some.
    #[must_use]
    pub fn country(self, code: &str) -> String {
        countries::name(code)
            .map_or_else(|| code.to_owned(), |name| self.language.of(name.english, name.japanese).to_owned())
    }

    /// All regions but the home region.
    #[must_use]
    pub fn overseas(self) -> &'static str {
        self.say("Overseas", "海外")
    }
}

/// What regions are called in Japanese.
const REGIONS: [(&str, &str); 16] = [
    ("japan", "国内"),
    ("overseas", "海外"),
    ("asia", "アジア"),
    ("europe", "欧州"),
    ("africa", "アフリカ"),
    ("oceania", "オセアニア"),
    ("america", "米州"),
    ("americas", "米州"),
    ("north-america", "北米"),
    ("south-america", "南米"),
    ("latin-america", "中南米"),
    ("middle-east", "中東"),
    ("us", "米国"),
    ("usa", "米国"),
    ("asia-pacific", "アジア太平洋"),
    ("southeast-asia", "東南アジア"),
];

/// An ending for more than one.
#[must_use]
pub const fn plural(things: usize) -> &'static str {
    if things == 1 { "" } else { "s" }
}

/// `north-america` as `North America`; a name with other signs as it is.
fn capital(region: &str) -> String {
    if !region.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-' || letter == '_') {
        return region.to_owned();
    }
    let words = region.split(['-', '_']).filter(|word| !word.is_empty()).map(|word| match word {
        "us" | "usa" | "uk" | "eu" | "uae" => word.to_uppercase(),
        word => word[..1].to_uppercase() + &word[1..],
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ENGLISH: Form = Form { language: Language::English, publication: None };
    const JAPANESE: Form = Form { language: Language::Japanese, publication: None };

    #[rstest]
    #[case("japan", "Japan", "国内")]
    #[case("north-america", "North America", "北米")]
    #[case("us", "US", "米国")]
    #[case("tokyo_dc", "Tokyo Dc", "Tokyo Dc")]
    #[case("EU West", "EU West", "EU West")]
    #[case("東京", "東京", "東京")]
    #[case("", "no region", "地域なし")]
    fn regions_have_names(#[case] region: &str, #[case] english: &str, #[case] japanese: &str) {
        assert_eq!((ENGLISH.region(region).as_str(), JAPANESE.region(region).as_str()), (english, japanese));
    }

    #[rstest]
    #[case(&[], "", "")]
    #[case(&["a"], "a", "a")]
    #[case(&["a", "b", "c"], "a, b and c", "a、b、c")]
    fn lists_are_read(#[case] items: &[&str], #[case] english: &str, #[case] japanese: &str) {
        let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
        assert_eq!((ENGLISH.list(&items).as_str(), JAPANESE.list(&items).as_str()), (english, japanese));
    }

    #[test]
    fn what_is_published_is_coarse_in_sentences_too() {
        let publication = Publication { threshold: 10, digits: 3, sensors: 3 };
        let public = Form { publication: Some(publication), ..ENGLISH };
        assert_eq!(
            (ENGLISH.average(3_852.4), public.average(3_852.4)),
            ("3,852".to_owned(), "3,850".to_owned())
        );
        assert_eq!(public.percent(1.0), "100 %");
        assert_eq!(JAPANESE.percent(0.1234), "12.3%");
        assert_eq!(JAPANESE.change(1.12, 1.0), "+12%");
    }

    #[rstest]
    #[case(1, "first", "1位")]
    #[case(10, "tenth", "10位")]
    #[case(11, "number 11", "11位")]
    fn ranks_are_words(#[case] rank: usize, #[case] english: &str, #[case] japanese: &str) {
        assert_eq!((ENGLISH.rank(rank).as_str(), JAPANESE.rank(rank).as_str()), (english, japanese));
    }
}
