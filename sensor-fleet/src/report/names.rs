//! What analysts call a port: `23/TCP (Telnet)`.
//!
//! The names are in `fleet/services.csv`, so that dashboards have the same ones: the description that IANA has
//! registered, or the name that those who watch scans use where another program has taken the port over.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::service::Service;

/// `port,protocol,name`, with a line of headings; no name has a comma.
const SERVICES: &str = include_str!("../../../fleet/services.csv");

static NAMES: LazyLock<HashMap<(&str, &str), &str>> = LazyLock::new(|| {
    let lines = SERVICES.lines().skip(1);
    lines.filter_map(line).map(|(port, protocol, name)| ((port, protocol), name)).collect()
});

fn line(line: &str) -> Option<(&str, &str, &str)> {
    let (port, rest) = line.split_once(',')?;
    let (protocol, name) = rest.split_once(',')?;
    Some((port, protocol, name))
}

/// What a service is called, if it has a port with a name.
#[must_use]
pub fn name(service: &Service) -> Option<&'static str> {
    let port = service.port()?.to_string();
    NAMES.get(&(port.as_str(), service.protocol())).copied()
}

/// A service with its name, if it has one.
#[must_use]
pub fn label(service: &Service) -> String {
    match name(service) {
        Some(name) => format!("{service} ({name})"),
        None => service.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use sensor_common::port::{DEFAULT_PORTS, Port};

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
        assert_eq!(SERVICES.lines().next(), Some("port,protocol,name"));
        for text in SERVICES.lines().skip(1) {
            let (port, protocol, name) = line(text).unwrap_or_else(|| panic!("three fields: {text}"));
            assert!(format!("{port}/{protocol}").parse::<Port>().is_ok(), "no port: {text}");
            assert!(!name.is_empty() && name.trim() == name && !name.contains([',', '"']), "no name: {text}");
        }
        assert_eq!(NAMES.len(), SERVICES.lines().count() - 1, "a port is there twice");
    }

    #[test]
    fn every_port_exported_by_default_has_a_name() {
        for port in DEFAULT_PORTS {
            assert!(name(&Service::Port(*port)).is_some(), "{port} has no name");
        }
    }
}
