//! Who sends: an IPv4 address, or the /64 of an IPv6 address, since a scanner has all of its /64 for nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::Prefix;

/// Bits of an IPv6 address that tell its source.
const V6_BITS: u8 = 64;
/// Bits of the network that a source is summed up in: a /24 or a /48.
const NETWORKS: (u8, u8) = (24, 48);

/// A source, written `203.0.113.9` or `2001:db8:1:2::/64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address.
    V6(u64),
}

/// Why a text is no source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no source: write an IPv4 address, an IPv6 address, or the /64 around one")]
pub struct SourceError;

impl Source {
    /// The source that an address belongs to.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> V6_BITS) as u64),
        }
    }

    /// A number for it, which sketches hash: the address of IPv4, the first 64 bits of IPv6.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::V4(address) => address.to_bits().into(),
            Self::V6(bits) => bits,
        }
    }

    /// Its first address.
    #[must_use]
    pub const fn first(self) -> IpAddr {
        match self {
            Self::V4(address) => IpAddr::V4(address),
            Self::V6(bits) => IpAddr::V6(Ipv6Addr::from_bits((bits as u128) << V6_BITS)),
        }
    }

    /// All of its addresses.
    #[must_use]
    pub fn prefix(self) -> Prefix {
        Prefix::around(self.first(), if matches!(self, Self::V4(_)) { 32 } else { V6_BITS })
    }

    /// The /24 or /48 around it.
    #[must_use]
    pub fn network(self) -> Prefix {
        Prefix::around(self.first(), if matches!(self, Self::V4(_)) { NETWORKS.0 } else { NETWORKS.1 })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6(_) => self.prefix().fmt(f),
        }
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::of(address));
        }
        match text.parse() {
            Ok(prefix @ Prefix::V6 { length: V6_BITS, .. }) => Ok(Self::of(prefix.address())),
            _ => Err(SourceError),
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| D::Error::custom(format_args!("{text:?} {error}")))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("203.0.113.9", "203.0.113.9", "203.0.113.0/24")]
    #[case("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48")]
    #[case("2001:db8:1:2::/64", "2001:db8:1:2::/64", "2001:db8:1::/48")]
    #[case("::", "::/64", "::/48")]
    fn sources_are_written_as_they_are_read(
        #[case] text: &str,
        #[case] written: &str,
        #[case] network: &str,
    ) {
        let source: Source = text.parse().unwrap();
        assert_eq!(source.to_string(), written);
        assert_eq!(written.parse(), Ok(source));
        assert_eq!(source.network().to_string(), network);
        assert_eq!(Source::of(source.first()), source);
        assert_eq!(serde_json::from_str::<Source>(&serde_json::to_string(&source).unwrap()).unwrap(), source);
    }

    #[rstest]
    #[case("")]
    #[case("203.0.113.0/24")]
    #[case("2001:db8::/48")]
    #[case("localhost")]
    fn what_is_none_is_refused(#[case] text: &str) {
        assert_eq!(text.parse::<Source>(), Err(SourceError));
    }
}
