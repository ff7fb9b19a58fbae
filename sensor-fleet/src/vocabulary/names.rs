//! What analysts call a port: `23/TCP (Telnet)`.
//!
//! The names are in `fleet/services.csv`: the description that IANA has registered, or the name that those who watch
//! scans use where another program has taken the port over.

use std::collections::HashMap;
use std::sync::LazyLock;

use anyhow::{Context, Result, ensure};
use sensor_common::port::Port;
use sensor_common::service::SERVICES;

use super::service::Service;

const HEADINGS: &str = "port,protocol,name";

static ALL: LazyLock<Vec<(Port, &str)>> =
    LazyLock::new(|| parse(SERVICES).expect("fleet/services.csv is a table of services: a test reads it"));
static BY_PORT: LazyLock<HashMap<Port, &str>> = LazyLock::new(|| ALL.iter().copied().collect());

/// All ports that have a name, in the order of the file.
#[must_use]
pub fn all() -> &'static [(Port, &'static str)] {
    &ALL
}

/// What a service is called, if it has a port with a name.
#[must_use]
pub fn name(service: &Service) -> Option<&'static str> {
    match service {
        Service::Port(port) => BY_PORT.get(port).copied(),
        Service::Protocol(_) => None,
    }
}

/// A service with its name, if it has one.
#[must_use]
pub fn label(service: &Service) -> String {
    match name(service) {
        Some(name) => format!("{service} ({name})"),
        None => service.to_string(),
    }
}

/// The lines of a table of services.
///
/// # Errors
/// At the first line that is not one; the error has its number.
pub(crate) fn parse(text: &str) -> Result<Vec<(Port, &str)>> {
    let mut lines = text.lines();
    ensure!(lines.next() == Some(HEADINGS), "line 1: not {HEADINGS}");
    let numbered = lines.enumerate();
    numbered.map(|(at, text)| line(text).with_context(|| format!("line {}: {text}", at + 2))).collect()
}

fn line(text: &str) -> Result<(Port, &str)> {
    let fields = text.split_once(',').and_then(|(port, rest)| Some((port, rest.split_once(',')?)));
    let (port, (protocol, name)) = fields.with_context(|| format!("not {HEADINGS}"))?;
    Ok((format!("{port}/{protocol}").parse().context("not a port")?, name))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use sensor_common::port::DEFAULT_PORTS;

    use super::*;

    #[rstest]
    #[case::tcp("tcp", "23", "23/TCP (Telnet)")]
    #[case::udp("udp", "53", "53/UDP (DNS)")]
    #[case::not_of_the_other_transport("udp", "23", "23/UDP")]
    #[case::unnamed("tcp", "4711", "4711/TCP")]
    #[case::no_port("icmp", "", "ICMP")]
    fn a_port_is_shown_with_its_name(#[case] protocol: &str, #[case] port: &str, #[case] shown: &str) {
        let service = Service::from_labels(protocol, port).expect("a service");
        assert_eq!(label(&service), shown);
    }

    #[test]
    fn every_line_names_a_port_once() {
        let named = parse(SERVICES).expect("a table");
        for (port, name) in &named {
            assert!(
                !name.is_empty() && name.trim() == *name && !name.contains([',', '"']),
                "no name: {port}"
            );
        }
        assert_eq!(named.len(), SERVICES.lines().count() - 1);
        assert_eq!(BY_PORT.len(), named.len(), "a port is there twice");
    }

    #[test]
    fn a_line_that_is_no_service_is_named() {
        let error = parse("port,protocol,name\ntelnet,tcp,Telnet\n").expect_err("telnet is no port");
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn every_port_exported_by_default_has_a_name() {
        for port in DEFAULT_PORTS {
            assert!(name(&Service::Port(*port)).is_some(), "{port} has no name");
        }
    }
}
