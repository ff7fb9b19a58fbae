//! Prefixes of addresses.
//!
//! Written `198.51.100.0/24` or `2001:db8::/32`; a bare address is the prefix of that one address. A prefix
//! that could never match a packet as meant is refused, and the one that was probably meant is named.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// All addresses that begin with the same bits. The bits after `length` are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prefix {
    /// IPv4.
    V4 {
        /// The first address.
        address: Ipv4Addr,
        /// Bits in common, 0 to 32.
        length: u8,
    },
    /// IPv6, never IPv4-mapped.
    V6 {
        /// The first address.
        address: Ipv6Addr,
        /// Bits in common, 0 to 128.
        length: u8,
    },
}

/// Why a text is not a prefix; reads on from `prefix "…"`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// What comes before the slash isn't an address.
    #[error("does not begin with an IPv4 or IPv6 address")]
    Address,
    /// What comes after the slash isn't a number.
    #[error("has no length after the slash: write a number of bits from 0 to {0}")]
    Length(u8),
    /// More bits than the address has.
    #[error("has more than {0} bits")]
    TooLong(u8),
    /// Bits after the prefix are set.
    #[error("has bits set beyond its length: write \"{0}\" for the network, or \"{1}\" for the one address")]
    HostBits(Prefix, IpAddr),
    /// An IPv4 address in IPv6 clothes (RFC 4291 §2.5.5.2).
    #[error("is IPv4-mapped, which no packet carries: write \"{0}\"")]
    Mapped(Prefix),
    /// The address that nobody has (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2), which often stands for all.
    #[error("is the one address that no packet has: write \"{0}\" if every address is meant")]
    Unspecified(Prefix),
    /// Multicast groups (RFC 1112, RFC 4291 §2.7).
    #[error("is multicast, which no sensor has as its own address: remove it")]
    Multicast,
}

impl Prefix {
    /// The prefix of `length` bits that `address` lies in; a length beyond the address's is cut to it.
    #[must_use]
    pub fn around(address: IpAddr, length: u8) -> Self {
        match address {
            IpAddr::V4(address) => {
                let length = length.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                Self::V4 { address: Ipv4Addr::from_bits(address.to_bits() & mask), length }
            }
            IpAddr::V6(address) => {
                let length = length.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                Self::V6 { address: Ipv6Addr::from_bits(address.to_bits() & mask), length }
            }
        }
    }

    /// The first address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        match self {
            Self::V4 { address, .. } => IpAddr::V4(address),
            Self::V6 { address, .. } => IpAddr::V6(address),
        }
    }

    /// The last address.
    #[must_use]
    pub fn last(self) -> IpAddr {
        match self {
            Self::V4 { address, length } => {
                let rest = u32::MAX.checked_shr(length.into()).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() | rest).into()
            }
            Self::V6 { address, length } => {
                let rest = u128::MAX.checked_shr(length.into()).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() | rest).into()
            }
        }
    }

    /// Bits in common: 0 to 32, or to 128.
    #[must_use]
    pub const fn length(self) -> u8 {
        match self {
            Self::V4 { length, .. } | Self::V6 { length, .. } => length,
        }
    }

    /// Whether every address of `other` lies in this prefix.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.length() <= other.length() && Self::around(other.address(), self.length()) == self
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(), self.length())
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| PrefixError::Address)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Ok(bits), |length| parse_length(length, bits))?;
        if let IpAddr::V6(v6) = address
            && let Some(v4) = v6.to_ipv4_mapped()
        {
            // Below 96 the length can only have been meant for the IPv4 address.
            let length = length.checked_sub(96).unwrap_or(length);
            return Err(PrefixError::Mapped(Self::around(v4.into(), length)));
        }
        if address.is_unspecified() && length == bits {
            return Err(PrefixError::Unspecified(Self::around(address, 0)));
        }
        let multicast_length = if address.is_ipv4() { 4 } else { 8 };
        if address.is_multicast() && length >= multicast_length {
            return Err(PrefixError::Multicast);
        }
        let prefix = Self::around(address, length);
        if prefix.address() != address {
            return Err(PrefixError::HostBits(prefix, address));
        }
        Ok(prefix)
    }
}

fn parse_length(text: &str, bits: u8) -> Result<u8, PrefixError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PrefixError::Length(bits));
    }
    // Only digits: parsing fails when the number is beyond a u8.
    text.parse().ok().filter(|length| *length <= bits).ok_or(PrefixError::TooLong(bits))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    pub(in super::super) fn any_prefix() -> impl Strategy<Value = Prefix> {
        (any::<IpAddr>(), 0..=128u8).prop_map(|(address, length)| Prefix::around(address, length))
    }

    #[rstest]
    #[case::network("198.51.100.0/24", "198.51.100.0/24")]
    #[case::address("198.51.100.7", "198.51.100.7/32")]
    #[case::v6_network("2001:db8:7::/64", "2001:db8:7::/64")]
    #[case::v6_address("2001:db8::7", "2001:db8::7/128")]
    #[case::v6_long_form("2001:0DB8:0:0::/32", "2001:db8::/32")]
    #[case::all_v4("0.0.0.0/0", "0.0.0.0/0")]
    #[case::all_v6("::/0", "::/0")]
    #[case::half_of_v4_multicast_included("128.0.0.0/1", "128.0.0.0/1")]
    fn a_prefix_is_read(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(text.parse::<Prefix>().unwrap().to_string(), shown);
    }

    #[rstest]
    #[case::empty("", "does not begin with an IPv4 or IPv6 address")]
    #[case::name("example.org", "does not begin with an IPv4 or IPv6 address")]
    #[case::three_bytes("198.51.100/24", "does not begin with an IPv4 or IPv6 address")]
    #[case::octal("010.0.0.0/8", "does not begin with an IPv4 or IPv6 address")]
    #[case::zone("fe80::1%eth0", "does not begin with an IPv4 or IPv6 address")]
    #[case::space(" 10.0.0.0/8", "does not begin with an IPv4 or IPv6 address")]
    #[case::no_length("10.0.0.0/", "has no length after the slash: write a number of bits from 0 to 32")]
    #[case::v6_no_length(
        "2001:db8::/x",
        "has no length after the slash: write a number of bits from 0 to 128"
    )]
    #[case::signed_length(
        "10.0.0.0/+8",
        "has no length after the slash: write a number of bits from 0 to 32"
    )]
    #[case::netmask(
        "10.0.0.0/255.0.0.0",
        "has no length after the slash: write a number of bits from 0 to 32"
    )]
    #[case::too_long("198.51.100.7/33", "has more than 32 bits")]
    #[case::v6_too_long("2001:db8::/129", "has more than 128 bits")]
    #[case::far_too_long("10.0.0.0/99999999999", "has more than 32 bits")]
    #[case::host_bits(
        "198.51.100.7/24",
        r#"has bits set beyond its length: write "198.51.100.0/24" for the network, or "198.51.100.7" for the one address"#
    )]
    #[case::v6_host_bits(
        "2001:db8::7/0",
        r#"has bits set beyond its length: write "::/0" for the network, or "2001:db8::7" for the one address"#
    )]
    #[case::mapped_address(
        "::ffff:198.51.100.7",
        r#"is IPv4-mapped, which no packet carries: write "198.51.100.7/32""#
    )]
    #[case::mapped("::ffff:0:0/96", r#"is IPv4-mapped, which no packet carries: write "0.0.0.0/0""#)]
    #[case::mapped_v4_length(
        "::ffff:10.1.2.3/24",
        r#"is IPv4-mapped, which no packet carries: write "10.1.2.0/24""#
    )]
    #[case::unspecified(
        "0.0.0.0",
        r#"is the one address that no packet has: write "0.0.0.0/0" if every address is meant"#
    )]
    #[case::unspecified_with_its_length(
        "0.0.0.0/32",
        r#"is the one address that no packet has: write "0.0.0.0/0" if every address is meant"#
    )]
    #[case::unspecified_v6(
        "::",
        r#"is the one address that no packet has: write "::/0" if every address is meant"#
    )]
    #[case::multicast("224.0.0.0/4", "is multicast, which no sensor has as its own address: remove it")]
    #[case::v6_multicast("ff02::1", "is multicast, which no sensor has as its own address: remove it")]
    fn anything_else_is_refused(#[case] text: &str, #[case] error: &str) {
        assert_eq!(text.parse::<Prefix>().unwrap_err().to_string(), error);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(prefix in any_prefix()) {
            match prefix.to_string().parse::<Prefix>() {
                Ok(read) => prop_assert_eq!(read, prefix),
                Err(error) => prop_assert!(matches!(error, PrefixError::Multicast | PrefixError::Mapped(_) | PrefixError::Unspecified(_)), "{}", error),
            }
        }

        #[test]
        fn the_mend_for_host_bits_is_accepted(address: Ipv4Addr, length in 0..=32u8) {
            if let Err(PrefixError::HostBits(network, address)) = format!("{address}/{length}").parse::<Prefix>() {
                prop_assert!(network.contains(Prefix::around(address, 32)));
                prop_assert_eq!(network.to_string().parse::<Prefix>(), Ok(network));
            }
        }

        #[test]
        fn no_text_panics(text in r"[0-9a-f:./%]*|\PC*") {
            let _ = text.parse::<Prefix>();
        }
    }
}
