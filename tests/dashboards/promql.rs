//! The names of metrics in a query.

use std::collections::BTreeSet;

/// Words that are no metric's name.
const KEYWORDS: [&str; 6] = ["and", "or", "unless", "bool", "offset", "end"];
/// Words that a list of labels follows.
const LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The names of metrics in an expression, whose variables may still be in it.
pub fn metrics(expression: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = expression;
    let mut skip = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => rest[1..].find('"').map_or(rest.len(), |at| at + 2),
            '{' => closing(rest, '}'),
            '[' => closing(rest, ']'),
            '(' if skip => closing(rest, ')'),
            '$' => rest[1..].find(|it: char| !word(it)).map_or(rest.len(), |at| at + 1).max(1),
            it if word(it) => rest.find(|it: char| !word(it)).unwrap_or(rest.len()),
            it => it.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let name = token.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
        if name && LISTS.contains(&token) {
            skip = true;
        } else if name {
            skip = false;
            let called = after.trim_start().starts_with('(');
            let grouped = LISTS.iter().any(|list| after.trim_start().starts_with(&format!("{list} (")));
            if !called && !grouped && !KEYWORDS.contains(&token) {
                names.insert(token.to_owned());
            }
        } else if !token.trim().is_empty() {
            skip = false;
        }
        rest = after;
    }
    names
}

fn word(it: char) -> bool {
    it.is_ascii_alphanumeric() || it == '_' || it == ':'
}

/// How far it is to the closing bracket, which may stand in a string.
fn closing(text: &str, bracket: char) -> usize {
    let mut quoted = false;
    for (at, it) in text.char_indices() {
        quoted ^= it == '"';
        if it == bracket && !quoted {
            return at + 1;
        }
    }
    text.len()
}

#[test]
fn names_are_found_and_nothing_else() {
    let expression = r#"sum by (region) (rate(a_total{b=~"c|d{}"}[$__interval] offset -1d59m59s999ms)) / on (e) group_left (f)
        scalar(max(g:h:i[1h] @ end())) and up == bool 2 or label_replace(vector(1), "x", "$1", "", "") unless topk by (y) (3, z)"#;
    let found: Vec<_> = metrics(expression).into_iter().collect();
    assert_eq!(found, ["a_total", "g:h:i", "up", "z"]);
}
