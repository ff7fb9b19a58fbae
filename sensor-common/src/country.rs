//! What countries and territories are called, by their codes of ISO 3166-1.

/// The names, a country a line: `code,english,japanese`, with a line of headings; no name has a comma.
pub const COUNTRIES: &str = include_str!("countries.csv");

/// What a country is called in English; `None` of what is no code of one.
#[must_use]
pub fn name(code: &str) -> Option<&'static str> {
    let fields = COUNTRIES.lines().skip(1).filter_map(|line| line.split_once(','));
    fields.filter(|(of, _)| *of == code).find_map(|(_, names)| Some(names.split_once(',')?.0))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("JP", Some("Japan"))]
    #[case("unknown", None)]
    #[case("", None)]
    #[case("code", None)]
    fn a_country_has_the_name_of_its_line(#[case] code: &str, #[case] expected: Option<&str>) {
        assert_eq!(name(code), expected);
    }
}
