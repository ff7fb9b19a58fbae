//! The configuration file as it is written.
//!
//! Keys and their TOML types, unknown keys refused. Values keep the place they stand at, so that whatever is
//! found wrong with them later can be told with its line.

use serde::Deserialize;
use toml::Spanned;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub interfaces: Option<Spanned<Vec<Spanned<String>>>>,
    pub listen: Option<Spanned<String>>,
    #[serde(default)]
    pub hosts: Vec<Spanned<String>>,
    pub drain_interval: Option<Spanned<String>>,
    pub mode: Option<Spanned<String>>,
    #[serde(default)]
    pub observe: bool,
    pub kernel_log: Option<Spanned<String>>,
    #[serde(default)]
    pub sensor: Vec<Sensor>,
    #[serde(default)]
    pub export: Export,
    #[serde(default)]
    pub allow: Vec<Spanned<Allow>>,
}

/// A `[[sensor]]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sensor {
    pub name: Spanned<String>,
    pub region: Option<Spanned<String>>,
    #[serde(default)]
    pub prefixes: Vec<Spanned<String>>,
}

/// The `[export]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Export {
    pub ports: Option<Vec<Spanned<String>>>,
    pub max_ports: Option<Spanned<i64>>,
}

/// An `[[allow]]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Allow {
    pub from: Vec<Spanned<String>>,
    #[serde(default)]
    pub tcp: Vec<Spanned<i64>>,
    #[serde(default)]
    pub udp: Vec<Spanned<i64>>,
    #[serde(default)]
    pub icmp_echo: bool,
}

/// Reads the TOML; on failure gives the offset of the first thing wrong, and what it is.
pub(super) fn parse(text: &str) -> Result<File, (usize, String)> {
    toml::from_str(text).map_err(|mut error: toml::de::Error| {
        let span = error.span().unwrap_or_default();
        // Without the input the display is the message and the key, not a drawing of several lines.
        error.set_input(None);
        let message = match (error.message(), text.get(span.clone())) {
            ("duplicate key", Some(key)) => format!("key {key:?} is there already: remove one"),
            _ => describe(&error.to_string()),
        };
        (span.start, message)
    })
}

/// The parser's message in the words of a person who writes TOML, and the mend where there is a usual one.
fn describe(message: &str) -> String {
    let message = message.trim_end().replace("\nin `", " in `").replace('\n', ", ");
    let message = message
        .replace("unknown field", "unknown key")
        .replace("missing field", "missing key")
        .replace("invalid type: map, expected a sequence", "one table, expected a list of tables")
        .replace("a sequence", "a list")
        .replace("a boolean", "true or false")
        .replace(" as i128", "")
        .replace("expected i64", "expected a whole number below 2^63");
    let mend = if message.contains("a list of tables") {
        "; write its heading in double brackets, as in [[sensor]] or [[allow]]"
    } else if message.contains("expected a string") {
        "; put the value in double quotes"
    } else if message.contains("expected a list") {
        "; put the value in square brackets"
    } else {
        ""
    };
    message + mend
}
