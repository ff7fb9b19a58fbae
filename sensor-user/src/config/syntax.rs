//! What the parser of TOML finds wrong, in the words of a person who writes it, and what to write instead.

use super::error::cut;

/// Which keys are where: those of the whole file stand above the first heading.
const PLACES: [(&str, &[&str]); 11] = [
    ("", &["interfaces", "listen", "hosts", "drain_interval", "mode", "observe", "kernel_log"]),
    ("[[sensor]]", &["name", "region", "alias", "prefixes"]),
    ("[export]", &["ports", "max_ports"]),
    ("[socket]", &["path"]),
    ("[page]", &["path", "addresses_on_loopback"]),
    ("[[allow]]", &["from", "tcp", "udp", "icmp_echo"]),
    ("[evidence]", &["path", "budget", "snap_length", "max_size", "observe"]),
    ("[store]", &["path", "max_age", "max_size"]),
    (
        "[sources]",
        &[
            "countries",
            "autonomous_systems",
            "known_scanners",
            "sketch_key_file",
            "memory",
            "max_labels",
            "victim_packets",
            "victim_time",
            "victim_packets_per_minute",
        ],
    ),
    ("[notices]", &["log", "log_max_size", "template"]),
    ("[[constituency]]", &["name", "prefixes", "as", "countries"]),
];

/// Says it of the parser's message.
pub(super) fn describe(message: &str) -> String {
    let message = message.trim_end();
    // The parser ends with "\nin `sensor.prefixes`".
    let (message, place) = match message.rsplit_once("\nin `") {
        Some((message, place)) => (message, place.trim_end_matches('`')),
        None => (message, ""),
    };
    let message = cut_value(message).replace('\n', ", ");
    let in_place = if place.is_empty() { String::new() } else { format!(" in `{place}`") };
    if let Some(said) = misplaced(&message, place) {
        return said;
    }
    if let Some(said) = no_table(&message, place) {
        return said;
    }
    let message = message
        .replace("unknown field", "unknown key")
        .replace("missing field", "missing key")
        .replace("invalid type: map", "invalid type: table")
        .replace("a sequence", "a list")
        .replace("a boolean", "true or false")
        .replace(" as i128", "")
        .replace("expected i64", "expected a whole number below 2^63");
    let remedy = match message.rsplit_once(", expected ").map(|(_, expected)| expected) {
        Some("a string") => "; put the value in double quotes",
        Some("a list") => "; put the value in square brackets",
        Some("a whole number below 2^63") => "; write one without quotes and without a point",
        Some("a port number") => "; write numbers without quotes, as in [22, 80]",
        Some("true or false") => "; write one of these without quotes",
        _ => "",
    };
    format!("{message}{in_place}{remedy}")
}

/// What to do with a key that stands below another heading than its own.
fn misplaced(message: &str, place: &str) -> Option<String> {
    let key = message.strip_prefix("unknown field `")?.split('`').next()?;
    let (heading, _) = PLACES.iter().find(|(_, keys)| keys.contains(&key))?;
    let stands =
        if place.is_empty() { "above the first heading".to_owned() } else { format!("in `{place}`") };
    let remedy = if heading.is_empty() {
        "it is of the whole file, move it above the first heading in brackets".to_owned()
    } else {
        format!("it is of {heading}, move it below that heading")
    };
    Some(format!("unknown key `{key}` {stands}: {remedy}"))
}

/// What to do where a table belongs and is none, or one too many.
fn no_table(message: &str, place: &str) -> Option<String> {
    let (heading, _) = PLACES.iter().find(|(heading, _)| !place.is_empty() && name(heading) == place)?;
    let (found, _) = message.split_once(", expected ")?;
    let (other, expected, example) = if heading.starts_with("[[") {
        ("one table", "a list of tables", "in double brackets, as in [[sensor]] or [[allow]]")
    } else {
        ("a list of tables", "a table", "as in [export]")
    };
    let found = if found == "invalid type: map" { other } else { found };
    (found == other || found.starts_with("invalid type: "))
        .then(|| format!("{found}, expected {expected} in `{place}`; write its heading {example}"))
}

/// A heading's name.
fn name(heading: &str) -> &str {
    heading.trim_matches(['[', ']'])
}

/// A message with no more of the value in it than is shown.
fn cut_value(message: &str) -> String {
    let cut_found = || {
        let (found, expected) = message.rsplit_once(", expected ")?;
        let (before, value) = found.split_at(found.find(['"', '`'])?);
        let quote = value.chars().next()?;
        let value = value.strip_prefix(quote)?.strip_suffix(quote)?;
        Some(format!("{before}{quote}{}{quote}, expected {expected}", cut(value)))
    };
    cut_found().unwrap_or_else(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;

    /// The parser lists the keys that it knows.
    #[test]
    fn every_key_has_its_place() {
        for (heading, keys) in PLACES {
            let (_, said) = file::parse(&format!("{heading}\nno-key = 1")).unwrap_err();
            let known =
                said.split('`').skip(1).step_by(2).filter(|key| *key != "no-key" && *key != name(heading));
            // The headings are keys of the whole file.
            let known = known.filter(|key| !PLACES.iter().any(|(heading, _)| name(heading) == *key));
            assert_eq!(known.collect::<Vec<_>>(), keys, "{heading}: {said}");
        }
    }
}
