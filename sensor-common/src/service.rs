//! What those who watch scans call a port: `23/tcp` is Telnet.

use crate::port::{Port, Transport};

/// The names, a port a line: `port,protocol,name`, with a line of headings; no name has a comma. They are the descriptions
/// that IANA has registered, or the names that those who watch scans use where another program has taken the port over.
pub const SERVICES: &str = include_str!("../../fleet/services.csv");

/// What a port is called, if it has a name.
#[must_use]
pub fn name(port: Port) -> Option<&'static str> {
    SERVICES.lines().skip(1).find_map(|line| {
        let (number, rest) = line.split_once(',')?;
        let (protocol, name) = rest.split_once(',')?;
        let transport = match protocol {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            _ => return None,
        };
        (number.parse() == Ok(port.number) && transport == port.transport).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    extern crate std;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::tcp(Port::tcp(23), Some("Telnet"))]
    #[case::udp(Port::udp(53), Some("DNS"))]
    #[case::not_of_the_other_transport(Port::udp(23), None)]
    #[case::unnamed(Port::tcp(4711), None)]
    fn a_port_has_the_name_of_its_line(#[case] port: Port, #[case] expected: Option<&str>) {
        assert_eq!(name(port), expected);
    }

    #[test]
    fn every_line_names_a_port() {
        for line in SERVICES.lines().skip(1) {
            let mut fields = line.split(',');
            let (number, protocol) = (fields.next().unwrap(), fields.next().unwrap());
            let port: Port = std::format!("{number}/{protocol}").parse().unwrap();
            assert_eq!(name(port), fields.next(), "{line}");
        }
    }
}
