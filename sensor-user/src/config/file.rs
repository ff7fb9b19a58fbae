//! The configuration file as it is written.
//!
//! Keys and their TOML types, unknown keys refused. Values keep the place they stand at, so that whatever is
//! found wrong with them later can be told with its line.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::error::shown;
use super::syntax::describe;

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
    pub socket: Socket,
    #[serde(default)]
    pub page: Page,
    #[serde(default)]
    pub allow: Vec<Spanned<Allow>>,
    pub evidence: Option<Evidence>,
    pub store: Option<Store>,
    pub sources: Option<Spanned<Sources>>,
    pub notices: Option<Spanned<Notices>>,
    #[serde(default)]
    pub constituency: Vec<Spanned<Constituency>>,
}

/// A `[[sensor]]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sensor {
    pub name: Spanned<String>,
    pub region: Option<Spanned<String>>,
    pub alias: Option<Spanned<String>>,
    pub prefixes: Option<Spanned<Vec<Spanned<String>>>>,
}

/// The `[export]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Export {
    pub ports: Option<Vec<Spanned<String>>>,
    pub max_ports: Option<Spanned<i64>>,
}

/// The `[socket]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Socket {
    pub path: Option<Spanned<String>>,
}

/// The `[page]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    pub path: Option<Spanned<String>>,
    #[serde(default)]
    pub addresses_on_loopback: bool,
}

/// The `[evidence]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Evidence {
    pub path: Option<Spanned<String>>,
    pub budget: Option<Spanned<i64>>,
    pub snap_length: Option<Spanned<i64>>,
    pub max_size: Option<Spanned<String>>,
    #[serde(default)]
    pub observe: bool,
}

/// The `[store]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub path: Option<Spanned<String>>,
    pub max_age: Option<Spanned<String>>,
    pub max_size: Option<Spanned<String>>,
}

/// The `[sources]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sources {
    pub countries: Option<Spanned<String>>,
    pub autonomous_systems: Option<Spanned<String>>,
    pub known_scanners: Option<Spanned<String>>,
    pub sketch_key_file: Option<Spanned<String>>,
    pub memory: Option<Spanned<String>>,
    pub max_labels: Option<Spanned<i64>>,
    pub victim_packets: Option<Spanned<i64>>,
    pub victim_time: Option<Spanned<String>>,
    pub victim_packets_per_minute: Option<Spanned<i64>>,
}

/// The `[notices]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notices {
    pub log: Option<Spanned<String>>,
    pub log_max_size: Option<Spanned<String>>,
    pub template: Option<Spanned<String>>,
}

/// A `[[constituency]]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Constituency {
    pub name: Spanned<String>,
    #[serde(default)]
    pub prefixes: Vec<Spanned<String>>,
    #[serde(default, rename = "as")]
    pub systems: Vec<Spanned<i64>>,
    #[serde(default)]
    pub countries: Vec<Spanned<String>>,
}

/// An `[[allow]]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Allow {
    pub from: Vec<Spanned<String>>,
    #[serde(default)]
    pub tcp: Vec<Spanned<PortNumber>>,
    #[serde(default)]
    pub udp: Vec<Spanned<PortNumber>>,
    #[serde(default)]
    pub icmp_echo: bool,
}

/// An entry of a list of port numbers; a text is taken for what it may have been meant as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PortNumber {
    /// Not yet known to be a port.
    Number(i64),
    /// Never right.
    Text(String),
}

impl<'de> Deserialize<'de> for PortNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = PortNumber;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port number")
            }

            fn visit_i64<E>(self, number: i64) -> Result<PortNumber, E> {
                Ok(PortNumber::Number(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<PortNumber, E> {
                Ok(PortNumber::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads the TOML; on failure gives the offset of the first thing wrong, and what it is.
pub(super) fn parse(text: &str) -> Result<File, (usize, String)> {
    toml::from_str(text).map_err(|mut error: toml::de::Error| {
        let span = error.span().unwrap_or_default();
        // Without the input the display is the message and the key, not a drawing of several lines.
        error.set_input(None);
        let message = match (error.message(), text.get(span.clone())) {
            ("duplicate key", Some(key)) => format!("key {} is there already: remove one", shown(key)),
            _ => describe(&error.to_string()),
        };
        (span.start, message)
    })
}
