//! The mail that notices are told in: a text with names in braces, which are replaced.

use thiserror::Error;

/// The mail, unless there is another.
pub const DEFAULT: &str = include_str!("notice.txt");

/// Longest template, in bytes.
pub const MOST: usize = 64 << 10;

/// Names that may stand in braces.
pub const NAMES: [&str; 10] = [
    "constituency",
    "from",
    "to",
    "time_zone",
    "sensors",
    "number_of_sources",
    "sources",
    "packet",
    "number_of_victims",
    "victims",
];

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// A name that nothing is known by.
    #[error("line {line} has the name {{{name}}}, which nothing is known by: it may be {}", names())]
    Unknown {
        /// The line, from 1 on.
        line: usize,
        /// The name.
        name: String,
    },
    /// A brace without the other.
    #[error("line {line} has a brace without the other: write {{{{ or }}}} where one is meant")]
    Brace {
        /// The line, from 1 on.
        line: usize,
    },
    /// Too long.
    #[error("it is longer than {MOST} bytes: shorten it")]
    Long,
}

fn names() -> String {
    NAMES.map(|name| format!("{{{name}}}")).join(", ")
}

/// Checks a template.
///
/// # Errors
/// What is wrong with it.
pub fn check(template: &str) -> Result<(), TemplateError> {
    fill(template, |_| String::new()).map(drop)
}

/// The text with what `value` gives for each name.
///
/// # Errors
/// What is wrong with the template.
pub fn fill(template: &str, value: impl Fn(&str) -> String) -> Result<String, TemplateError> {
    if template.len() > MOST {
        return Err(TemplateError::Long);
    }
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let line = || template[..template.len() - rest.len() + at].matches('\n').count() + 1;
        let here = &rest[at..];
        if let Some(behind) = here.strip_prefix("{{").or_else(|| here.strip_prefix("}}")) {
            text.push_str(&here[..1]);
            rest = behind;
            continue;
        }
        let end = here.find(['}', '\n']).filter(|&end| here.as_bytes()[end] == b'}' && end > 0);
        let Some(end) = end.filter(|_| here.starts_with('{')) else {
            return Err(TemplateError::Brace { line: line() });
        };
        let name = &here[1..end];
        if !NAMES.contains(&name) {
            let name = name.chars().filter(|it| !it.is_control()).take(40).collect();
            return Err(TemplateError::Unknown { line: line(), name });
        }
        text.push_str(&value(name));
        rest = &here[end + 1..];
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", Ok(""))]
    #[case("To {constituency}: {to}{from}\n", Ok("To <constituency>: <to><from>\n"))]
    #[case("{{constituency}} }}{{", Ok("{constituency} }{"))]
    #[case("a\nb {who}", Err("line 2 has the name {who}"))]
    #[case("{}", Err("line 1 has the name {}"))]
    #[case("a\n\n{to", Err("line 3 has a brace without the other"))]
    #[case("{to\n}", Err("line 1 has a brace"))]
    #[case("to}", Err("line 1 has a brace"))]
    #[case("{ to }", Err("{ to }"))]
    fn names_are_replaced_and_others_refused(#[case] template: &str, #[case] expected: Result<&str, &str>) {
        let filled = fill(template, |name| format!("<{name}>"));
        match expected {
            Ok(expected) => assert_eq!(filled.as_deref(), Ok(expected)),
            Err(words) => {
                let error = filled.unwrap_err().to_string();
                assert!(error.contains(words) && !error.contains('\n'), "{error}");
            }
        }
    }

    #[test]
    fn the_default_has_every_name_and_is_right() {
        check(DEFAULT).unwrap();
        for name in NAMES {
            assert!(DEFAULT.contains(&format!("{{{name}}}")), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_template_panics_and_what_has_no_braces_stays(template: String) {
            let filled = fill(&template, |_| "x".to_owned());
            if !template.contains(['{', '}']) {
                prop_assert_eq!(filled, Ok(template));
            }
        }
    }
}
