//! Ports that get a series of their own, written `23/tcp`.
//!
//! Those that Internet sensors see most are exported from the start, unless the configuration lists its own.

use core::{fmt, str::FromStr};

use crate::layout::Slot;

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A destination port of a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// The transport.
    pub transport: Transport,
    /// The number: any, 0 included, since packets to port 0 are sent too.
    pub number: u16,
}

/// Why a text is not a port; reads on from `port "…"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortError {
    /// No slash.
    NoTransport(u16),
    /// Something else than tcp or udp after the slash.
    Transport,
    /// Not a number that a port can have.
    Number,
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTransport(number) => {
                write!(f, "has no transport: write \"{number}/tcp\" or \"{number}/udp\"")
            }
            Self::Transport => f.write_str("has a transport other than tcp and udp"),
            Self::Number => f.write_str(
                "has no number from 0 to 65535: write a port and its transport, such as \"23/tcp\"",
            ),
        }
    }
}

impl core::error::Error for PortError {}

impl Port {
    /// The slot that counts packets to this port.
    #[must_use]
    pub const fn slot(self) -> Slot {
        match self.transport {
            Transport::Tcp => Slot::tcp(self.number),
            Transport::Udp => Slot::udp(self.number),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.transport)
    }
}

impl FromStr for Port {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        let (number, transport) = match text.split_once('/') {
            Some((number, transport)) => (number, Some(transport)),
            None => (text, None),
        };
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PortError::Number);
        }
        let number = number.parse().map_err(|_| PortError::Number)?;
        let transport = match transport {
            Some("tcp") => Transport::Tcp,
            Some("udp") => Transport::Udp,
            Some(_) => return Err(PortError::Transport),
            None => return Err(PortError::NoTransport(number)),
        };
        Ok(Self { transport, number })
    }
}

const fn tcp(number: u16) -> Port {
    Port { transport: Transport::Tcp, number }
}

const fn udp(number: u16) -> Port {
    Port { transport: Transport::Udp, number }
}

/// The ports that Internet sensors see most, roughly in that order: remote shells and desktops, web servers and
/// their alternatives, databases, devices with known holes, and the services that reflect floods.
pub const DEFAULT_PORTS: &[Port] = &[
    tcp(23),    // Telnet
    tcp(22),    // SSH
    tcp(6379),  // Redis
    tcp(8080),  // HTTP, alternative
    tcp(80),    // HTTP
    tcp(443),   // HTTPS
    tcp(3389),  // Remote Desktop
    tcp(445),   // SMB
    tcp(8728),  // MikroTik RouterOS
    tcp(5555),  // Android Debug Bridge
    tcp(1433),  // Microsoft SQL Server
    tcp(2323),  // Telnet, alternative
    udp(53),    // DNS
    udp(123),   // NTP
    udp(161),   // SNMP
    udp(1900),  // SSDP
    udp(5060),  // SIP
    udp(389),   // CLDAP
    tcp(8443),  // HTTPS, alternative
    tcp(37215), // Huawei routers
    tcp(52869), // UPnP of Realtek-based routers
    tcp(81),    // web interfaces of cameras
    tcp(2222),  // SSH, alternative
    tcp(3306),  // MySQL
    tcp(5432),  // PostgreSQL
    tcp(5900),  // VNC
    tcp(5060),  // SIP
    tcp(2375),  // Docker
    tcp(9200),  // Elasticsearch
    tcp(27017), // MongoDB
    tcp(7547),  // TR-069
    tcp(8000),  // HTTP, alternative
    tcp(8088),  // HTTP, alternative
    tcp(8888),  // HTTP, alternative
    tcp(3128),  // web proxies
    tcp(25),    // SMTP
    tcp(21),    // FTP
    udp(11211), // memcached
    udp(137),   // NetBIOS
    udp(5353),  // mDNS
    udp(3702),  // WS-Discovery
    udp(111),   // portmapper
    udp(69),    // TFTP
    udp(500),   // IKE
];

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::HashSet;
    use std::string::ToString as _;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::tcp("23/tcp", tcp(23), Slot::tcp(23))]
    #[case::udp("53/udp", udp(53), Slot::udp(53))]
    #[case::lowest("0/tcp", tcp(0), Slot::tcp(0))]
    #[case::highest("65535/udp", udp(65_535), Slot::udp(65_535))]
    fn a_port_is_read(#[case] text: &str, #[case] port: Port, #[case] slot: Slot) {
        assert_eq!(text.parse(), Ok(port));
        assert_eq!(port.slot(), slot);
    }

    #[rstest]
    #[case::bare("23", PortError::NoTransport(23))]
    #[case::no_transport("23/", PortError::Transport)]
    #[case::sctp("23/sctp", PortError::Transport)]
    #[case::capitals("23/TCP", PortError::Transport)]
    #[case::two_slashes("23/tcp/", PortError::Transport)]
    #[case::too_high("70000/tcp", PortError::Number)]
    #[case::negative("-1/tcp", PortError::Number)]
    #[case::signed("+1/tcp", PortError::Number)]
    #[case::name("telnet/tcp", PortError::Number)]
    #[case::reversed("tcp/23", PortError::Number)]
    #[case::range("20-23/tcp", PortError::Number)]
    #[case::nothing("", PortError::Number)]
    fn anything_else_is_refused(#[case] text: &str, #[case] error: PortError) {
        assert_eq!(text.parse::<Port>(), Err(error));
    }

    #[test]
    fn no_default_port_is_listed_twice() {
        let distinct: HashSet<_> = DEFAULT_PORTS.iter().collect();
        assert_eq!(distinct.len(), DEFAULT_PORTS.len());
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(number: u16, is_tcp: bool) {
            let port = if is_tcp { tcp(number) } else { udp(number) };
            prop_assert_eq!(port.to_string().parse(), Ok(port));
        }
    }
}
