//! What a row of a ranking is about: a port, or a protocol without ports.

use std::cmp::Ordering;
use std::fmt;

use sensor_common::port::{Port, Transport};
use serde::{Serialize, Serializer};

/// What packets were sent to, as a ranking has it: `23/TCP`, `ICMP`.
///
/// Ordered as ties in a ranking are: by protocol, then by port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// A destination port.
    Port(Port),
    /// A protocol that has none, by its name in metrics, such as `icmp` or `gre`.
    Protocol(String),
}

impl Service {
    /// From the labels of a series; nothing for what is no row of a ranking: the ports that have no series of
    /// their own, later fragments, and malformed packets.
    #[must_use]
    pub fn from_labels(protocol: &str, port: &str) -> Option<Self> {
        let transport = match protocol {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            "malformed" => return None,
            _ => return port.is_empty().then(|| Self::Protocol(protocol.to_owned())),
        };
        port.parse().ok().map(|number| Self::Port(Port { transport, number }))
    }

    /// The protocol's name in metrics.
    #[must_use]
    pub fn protocol(&self) -> &str {
        match self {
            Self::Port(Port { transport: Transport::Tcp, .. }) => "tcp",
            Self::Port(Port { transport: Transport::Udp, .. }) => "udp",
            Self::Protocol(name) => name,
        }
    }

    /// The port's number, if there is one.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Port(port) => Some(port.number),
            Self::Protocol(_) => None,
        }
    }
}

impl Ord for Service {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.protocol(), self.port()).cmp(&(other.protocol(), other.port()))
    }
}

impl PartialOrd for Service {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "{}/{}", port.number, self.protocol().to_uppercase()),
            Self::Protocol(name) if name == "icmpv6" => f.write_str("ICMPv6"),
            Self::Protocol(name) => f.write_str(&name.to_uppercase()),
        }
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::tcp("tcp", "23", Some("23/TCP"))]
    #[case::udp("udp", "53", Some("53/UDP"))]
    #[case::icmp("icmp", "", Some("ICMP"))]
    #[case::icmpv6("icmpv6", "", Some("ICMPv6"))]
    #[case::gre("gre", "", Some("GRE"))]
    #[case::number("250", "", Some("250"))]
    #[case::rest("tcp", "other", None)]
    #[case::fragments("udp", "fragment", None)]
    #[case::fragments_without_ports("gre", "fragment", None)]
    #[case::malformed("malformed", "", None)]
    #[case::no_port("tcp", "", None)]
    #[case::no_such_port("tcp", "65536", None)]
    fn series_are_rows_of_rankings(#[case] protocol: &str, #[case] port: &str, #[case] shown: Option<&str>) {
        let service = Service::from_labels(protocol, port);
        assert_eq!(service.map(|service| service.to_string()).as_deref(), shown);
    }

    #[test]
    fn ties_go_by_protocol_then_port() {
        let labels = [("udp", "1"), ("tcp", "80"), ("icmp", ""), ("tcp", "9")];
        let mut services: Vec<_> =
            labels.iter().filter_map(|(protocol, port)| Service::from_labels(protocol, port)).collect();
        services.sort();
        let shown: Vec<_> = services.iter().map(Service::to_string).collect();
        assert_eq!(shown, ["ICMP", "9/TCP", "80/TCP", "1/UDP"]);
    }
}
