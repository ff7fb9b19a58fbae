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
    /// The transport has capital letters.
    Capitals(Port),
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
            Self::Capitals(port) => write!(f, "has capital letters: write \"{port}\""),
            Self::Transport => f.write_str("has a transport other than tcp and udp"),
            Self::Number => f.write_str(
                "has no number from 0 to 65535: write a port and its transport, such as \"23/tcp\"",
            ),
        }
    }
}

impl core::error::Error for PortError {}

impl PortError {
    /// Why this is no transport of a port with that number.
    const fn transport(number: u16, text: &str) -> Self {
        if text.eq_ignore_ascii_case("tcp") {
            Self::Capitals(Port::tcp(number))
        } else if text.eq_ignore_ascii_case("udp") {
            Self::Capitals(Port::udp(number))
        } else {
            Self::Transport
        }
    }
}

impl Port {
    /// A TCP port.
    #[must_use]
    pub const fn tcp(number: u16) -> Self {
        Self { transport: Transport::Tcp, number }
    }

    /// A UDP port.
    #[must_use]
    pub const fn udp(number: u16) -> Self {
        Self { transport: Transport::Udp, number }
    }

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
            Some(other) => return Err(PortError::transport(number, other)),
            None => return Err(PortError::NoTransport(number)),
        };
        Ok(Self { transport, number })
    }
}

/// The ports that Internet sensors see most, roughly in that order: remote shells and desktops, web servers and
/// their alternatives, databases, devices with known holes, and the services that reflect floods.
pub const DEFAULT_PORTS: &[Port] = &[
    Port::tcp(23),    // Telnet
    Port::tcp(22),    // SSH
    Port::tcp(6379),  // Redis
    Port::tcp(8080),  // HTTP, alternative
    Port::tcp(80),    // HTTP
    Port::tcp(443),   // HTTPS
    Port::tcp(3389),  // Remote Desktop
    Port::tcp(445),   // SMB
    Port::tcp(8728),  // MikroTik RouterOS
    Port::tcp(5555),  // Android Debug Bridge
    Port::tcp(1433),  // Microsoft SQL Server
    Port::tcp(2323),  // Telnet, alternative
    Port::udp(53),    // DNS
    Port::udp(123),   // NTP
    Port::udp(161),   // SNMP
    Port::udp(1900),  // SSDP
    Port::udp(5060),  // SIP
    Port::udp(389),   // CLDAP
    Port::tcp(8443),  // HTTPS, alternative
    Port::tcp(37215), // Huawei routers
    Port::tcp(52869), // UPnP of Realtek-based routers
    Port::tcp(81),    // web interfaces of cameras
    Port::tcp(2222),  // SSH, alternative
    Port::tcp(3306),  // MySQL
    Port::tcp(5432),  // PostgreSQL
    Port::tcp(5900),  // VNC
    Port::tcp(5060),  // SIP
    Port::tcp(2375),  // Docker
    Port::tcp(9200),  // Elasticsearch
    Port::tcp(27017), // MongoDB
    Port::tcp(7547),  // TR-069
    Port::tcp(8000),  // HTTP, alternative
    Port::tcp(8088),  // HTTP, alternative
    Port::tcp(8888),  // HTTP, alternative
    Port::tcp(3128),  // web proxies
    Port::tcp(25),    // SMTP
    Port::tcp(21),    // FTP
    Port::udp(11211), // memcached
    Port::udp(137),   // NetBIOS
    Port::udp(5353),  // mDNS
    Port::udp(3702),  // WS-Discovery
    Port::udp(111),   // portmapper
    Port::udp(69),    // TFTP
    Port::udp(500),   // IKE
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
    #[case::tcp("23/tcp", Port::tcp(23), Slot::tcp(23))]
    #[case::udp("53/udp", Port::udp(53), Slot::udp(53))]
    #[case::lowest("0/tcp", Port::tcp(0), Slot::tcp(0))]
    #[case::highest("65535/udp", Port::udp(65_535), Slot::udp(65_535))]
    fn a_port_is_read(#[case] text: &str, #[case] port: Port, #[case] slot: Slot) {
        assert_eq!(text.parse(), Ok(port));
        assert_eq!(port.slot(), slot);
    }

    #[rstest]
    #[case::bare("23", PortError::NoTransport(23))]
    #[case::no_transport("23/", PortError::Transport)]
    #[case::sctp("23/sctp", PortError::Transport)]
    #[case::capitals("23/TCP", PortError::Capitals(Port::tcp(23)))]
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
            let port = if is_tcp { Port::tcp(number) } else { Port::udp(number) };
            prop_assert_eq!(port.to_string().parse(), Ok(port));
        }
    }
}
