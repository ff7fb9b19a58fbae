//! Who sends, as agents and their files write it: an IPv4 address, or the /64 of an IPv6 address.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What follows the first address of a source of IPv6.
const V6_LENGTH: &str = "/64";

/// A source, written `203.0.113.9` or `2001:db8:1:2::/64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address.
    V6(u64),
}

impl Source {
    /// The network that it is in.
    #[must_use]
    pub fn network(self) -> Network {
        match self {
            Self::V4(address) => Network::V4(address.to_bits() >> 8),
            Self::V6(bits) => Network::V6(bits >> 16),
        }
    }
}

/// The /24 of an IPv4 address, or the /48 of an IPv6 one: the bits that these have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// The first 24 bits.
    V4(u32),
    /// The first 48 bits.
    V6(u64),
}

impl Network {
    /// Its prefix length, as it is written.
    #[must_use]
    pub const fn length(self) -> &'static str {
        match self {
            Self::V4(_) => "/24",
            Self::V6(_) => "/48",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(bits) => Ipv4Addr::from_bits(bits << 8).fmt(f)?,
            Self::V6(bits) => Ipv6Addr::from_bits(u128::from(*bits) << 80).fmt(f)?,
        }
        f.write_str(self.length())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6(bits) => write!(f, "{}{V6_LENGTH}", Ipv6Addr::from_bits(u128::from(*bits) << 64)),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no source");
        match text.strip_suffix(V6_LENGTH) {
            None => text.parse().map(Self::V4).map_err(|_| wrong()),
            Some(address) => {
                let bits = address.parse::<Ipv6Addr>().map_err(|_| wrong())?.to_bits();
                u64::try_from(bits >> 64).map(Self::V6).map_err(|_| wrong())
            }
        }
    }
}

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("203.0.113.9")]
    #[case("2001:db8:1:2::/64")]
    fn sources_are_written_as_they_are_read(#[case] text: &str) {
        assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case("203.0.113.9", "203.0.113.0/24")]
    #[case("2001:db8:1:2::/64", "2001:db8:1::/48")]
    fn a_source_is_in_a_network(#[case] text: &str, #[case] network: &str) {
        assert_eq!(text.parse::<Source>().unwrap().network().to_string(), network);
    }

    #[rstest]
    #[case("")]
    #[case("203.0.113.0/24")]
    #[case("203.0.113.0/64")]
    #[case("2001:db8::1")]
    #[case("\u{1b}[2J")]
    fn what_is_none_is_refused(#[case] text: &str) {
        assert!(text.parse::<Source>().is_err());
    }
}
